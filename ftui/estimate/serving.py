"""The memory that vLLM needs to serve the result: base model and adapter in 16 bits.

Never compared with a measurement. vLLM takes a share of the card in any case and fills it with
keys and values; this is the least with which it starts and answers one conversation.
"""

from __future__ import annotations

from ftui.estimate.layers import keys
from ftui.estimate.memory import GIB, Memory, Term
from ftui.estimate.training import HALF, WIDE, Adapter
from ftui.estimate.weights import adapter_numbers
from ftui.plan.models import BaseModel

CONTEXT = 4096
"""Tokens of a conversation that there should be room for."""
_BATCHED_TOKENS = 2048
"""vLLM's chunked prefill: so many tokens go through at once (max_num_batched_tokens)."""
_SEQUENCES = 256
"""max_num_seqs: so many rows of logits are there at once, in 32 bits, with a sorted copy."""
_GRAPHS_GIB = 0.6
"""CUDA graphs of the usual batch sizes; vLLM logs 0.3 to 1 GiB when it captures them."""


def serving(model: BaseModel, adapter: Adapter | None, context: int = CONTEXT) -> Memory:
    """GiB on one GPU for one conversation of so many tokens."""
    width = 2 * model.mlp + 4 * model.hidden
    working = HALF * _BATCHED_TOKENS * width + 2 * WIDE * _SEQUENCES * model.vocabulary
    parts = {
        "weights": HALF * model.parameters,
        "adapter": HALF * adapter_numbers(model, adapter) if adapter else 0.0,
        "keys and values": 2 * HALF * model.layers * keys(model) * context,
        "working memory": working + _GRAPHS_GIB * GIB,
    }
    terms = tuple(Term(name, size / GIB) for name, size in parts.items() if size)
    return Memory(terms, "while it answers")
