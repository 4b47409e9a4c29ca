"""What axolotl decides by itself where nothing is said, for the few that surprise."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.outdated.renamed import is_missing
from ftui.config.rules.rule import Finding, Rule, Subject, warning


def _length(subject: Subject) -> Iterator[Finding]:
    if is_missing(subject, "sequence_len") and subject.has("datasets"):
        message = "sequence_len is not given: axolotl takes 512 tokens and drops longer rows"
        yield warning("sequence_len", message, "such as `sequence_len: 2048`")


def _targets(subject: Subject) -> Iterator[Finding]:
    if subject.text("adapter") not in ("lora", "qlora"):
        return
    targets = ("lora_target_linear", "lora_target_modules", "lora_target_parameters")
    if any(subject.on(key) for key in targets) or subject.on("lora_model_dir"):
        return
    message = (
        "nothing says which layers get the adapter (lora_target_linear, lora_target_modules): PEFT "
        "takes a few of the attention's for the models that it knows, and fails for others"
    )
    yield warning("adapter", message, "add `lora_target_linear: true` for all linear layers")


RULES: tuple[Rule, ...] = (_length, _targets)
"""What this module has to say."""
