"""Runs inside the train runtime: the turn markers of the model's own chat template, and those that
are trained.

A marker is what a template writes between turns, such as <|im_start|>. One that the tokenizer takes
apart is no token to the model, only letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tokens_ledger import attempt  # type: ignore[import-not-found]

_MARKER = re.compile(r"<\|[A-Za-z0-9_]{1,40}\|>|<(?:start|end)_of_turn>")
_TALK = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
_NO_PROMPTS = (None, "", "completion", "input_output", "pretrain")
"""Types whose rows are the whole text, as the person wrote it."""
Answer = dict[str, Any]


def template(config: Any, tokenizer: Any, rows: Iterable[Answer]) -> Answer:
    """The markers of the template that the model came with, of the rows, and those in pieces."""
    trained = [
        set(_MARKER.findall("".join(text for part in row["parts"] for text in part["texts"])))
        for row in rows
        if row["fate"] in ("train", "held_out")
    ]
    ends = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token}  # stand in every text
    used = set.intersection(*trained) - ends if trained else set()
    split = {marker for marker in used if pieces(tokenizer, marker) != 1}
    return {
        "own": sorted(own_markers(tokenizer) - ends),
        "used": sorted(used),
        "split": {marker: pieces(tokenizer, marker) for marker in sorted(split)},
        "prompts": bool(trained) and prompts(config),
    }


def prompts(config: Any) -> bool:
    """Whether all rows are questions with answers, which some template or prompt is put around."""
    kinds = [entry.get("type") for entry in config.datasets or []]
    return bool(kinds) and not any(
        isinstance(kind, str | None) and (kind or "").split(".")[0] in _NO_PROMPTS for kind in kinds
    )


def pieces(tokenizer: Any, marker: str) -> int:
    """So many tokens a marker is."""
    return len(tokenizer.encode(marker, add_special_tokens=False))


def own_markers(tokenizer: Any) -> set[str]:
    """The markers of the chat template that the tokenizer came with; none where it has none."""
    kept = getattr(tokenizer, "init_kwargs", {}).get("chat_template")
    text = kept.get("default") if isinstance(kept, dict) else kept
    if not isinstance(text, str):
        return set()
    said, _ = attempt(
        lambda: tokenizer.apply_chat_template(_TALK, chat_template=text, tokenize=False)
    )
    return set(_MARKER.findall(said if isinstance(said, str) else text))
