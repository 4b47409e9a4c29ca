"""Runs in the train runtime: what torch holds at the end of a forward pass, and at its fullest.

It trains small models of transformers with PEFT for two steps on the CPU, and counts the storages
that torch has made and not yet let go. `python inside.py CASES.json` prints, for each case, the
bytes of one layer for one token, as the difference of a model with four layers and one with two.
"""

from __future__ import annotations

import json
import sys
import weakref
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode


class Held(TorchDispatchMode):  # type: ignore[misc,unused-ignore]
    """The bytes of all storages made while it is on: now, and the most so far."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.now = self.most = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        _pytree.tree_map_only(torch.Tensor, self._add, result)
        return result

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.sizes:
            return
        self.sizes[key] = size
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self.sizes.pop(key, None)
        self.now -= size


def model_of(case: dict[str, Any], layers: int) -> Any:
    """A model of a case, with an adapter where it says so."""
    config = getattr(transformers, case["config"])(
        num_hidden_layers=layers,
        attn_implementation=case.get("attention", "sdpa"),
        tie_word_embeddings=False,
        max_position_embeddings=case["tokens"],
        **case["shape"],
    )
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    if case.get("rank"):
        lora = LoraConfig(r=case["rank"], target_modules=case["targets"], task_type="CAUSAL_LM")
        model = get_peft_model(model, lora)
        model.enable_input_require_grads()
    if case.get("checkpointing"):
        model.gradient_checkpointing_enable()
    return model.train()


def passes(case: dict[str, Any], layers: int) -> dict[str, int]:
    """Bytes beyond what is there all the time: after forward, and at the fullest of backward."""
    model = model_of(case, layers)
    tokens = torch.randint(0, case["shape"]["vocab_size"], (1, case["tokens"]))
    with Held() as held:
        for _ in range(2):  # the first pass also makes what stays
            model.zero_grad(set_to_none=True)
            before = held.now
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
            after = held.now - before
            held.most = held.now
            loss.backward()
            del loss
    return {"after": after, "most": held.most - before}


def main(file: str) -> None:
    """Print what each case keeps of one layer for one token, and in all."""
    found = []
    for case in json.loads(Path(file).read_text(encoding="utf-8")):
        two, four = passes(case, 2), passes(case, 4)
        layer = (four["after"] - two["after"]) / 2 / case["tokens"]
        found.append({"layer": layer, "after": two["after"], "most": two["most"]})
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
