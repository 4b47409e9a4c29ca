"""What a run cannot do without, though axolotl's schema lets it be left out."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.outdated.renamed import is_missing
from ftui.config.rules.rule import Finding, Rule, Subject, error


def _rank(subject: Subject) -> Iterator[Finding]:
    """PEFT gets `r=None` and `lora_alpha=None`, and fails at them once the model is loaded."""
    if subject.text("adapter") not in ("lora", "qlora") or subject.on("lora_model_dir"):
        return
    for key, meaning, usual in (
        ("lora_r", "the adapter has no rank", "16"),
        ("lora_alpha", "nothing says how strongly the adapter acts", "32"),
    ):
        if is_missing(subject, key):
            yield error("adapter", f"{key} is missing: {meaning}", f"such as `{key}: {usual}`")


def _path(subject: Subject) -> Iterator[Finding]:
    for key in ("datasets", "test_datasets", "pretraining_dataset"):
        for place, entry in subject.entries(key):
            if entry.get("path") in (None, ""):
                message = "path is missing: nothing says where these rows are"
                yield error(
                    f"{place}.path", message, "a hub id such as `path: acme/rows`, or a file"
                )


RULES: tuple[Rule, ...] = (_rank, _path)
"""What this module has to say."""
