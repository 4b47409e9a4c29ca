"""What axolotl refuses about the rows to train on: datasets, streaming, packing, templates."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, drop, put, refuses

_STREAM = "axolotl cannot count the rows of a stream"

_ROWS = (
    Row(
        "datasets",
        "!datasets? !pretraining_dataset?",
        "there is nothing to train on",
        "list at least one dataset: `datasets: [{path: rows.jsonl, type: alpaca}]`",
    ),
    Row(
        "push_dataset_to_hub",
        "push_dataset_to_hub hf_use_auth_token!=true",
        "pushing the prepared rows to the model hub needs your token",
        "set `hf_use_auth_token: true`",
    ),
    Row(
        "val_set_size",
        "test_datasets val_set_size",
        "val_set_size and test_datasets exclude each other: both give the rows to evaluate on",
        "remove one of val_set_size and test_datasets",
    ),
    Row(
        "eval_table_size",
        "sample_packing eval_table_size eval_sample_packing!=false",
        "the table of answers needs each row alone, but packing puts several together",
        "set `eval_sample_packing: false`",
        edits=put("eval_sample_packing", False),
    ),
    Row(
        "max_steps",
        "pretraining_dataset !max_steps",
        f"training on pretraining_dataset needs max_steps: {_STREAM}, so it would never end",
        "set max_steps",
    ),
    Row(
        "max_steps",
        "streaming !max_steps !pretraining_dataset",
        f"streaming needs max_steps: {_STREAM}, so it would never end",
        "set max_steps",
    ),
    Row(
        "val_set_size",
        "pretraining_dataset val_set_size",
        f"val_set_size does not work with pretraining_dataset: {_STREAM}, so it cannot split them",
        "remove val_set_size; list test_datasets to evaluate",
        edits=drop("val_set_size"),
    ),
    Row(
        "val_set_size",
        "streaming val_set_size !pretraining_dataset",
        f"val_set_size does not work with streaming: {_STREAM}, so it cannot split them",
        "remove val_set_size; list test_datasets to evaluate",
        edits=drop("val_set_size"),
    ),
    Row(
        "include_tokens_per_second",
        "pretraining_dataset include_tokens_per_second",
        f"include_tokens_per_second does not work with pretraining_dataset: {_STREAM}",
        "remove include_tokens_per_second",
        edits=drop("include_tokens_per_second"),
    ),
    Row(
        "dataset_exact_deduplication",
        "dataset_exact_deduplication streaming",
        "rows that come twice cannot be dropped from a stream",
        "remove one of dataset_exact_deduplication and streaming",
    ),
    Row(
        "dataset_exact_deduplication",
        "dataset_exact_deduplication pretraining_dataset",
        "rows that come twice cannot be dropped from pretraining_dataset, which is a stream",
        "remove dataset_exact_deduplication",
        edits=drop("dataset_exact_deduplication"),
    ),
    Row(
        "dataset_exact_deduplication",
        "dataset_exact_deduplication skip_prepare_dataset",
        "rows that come twice are dropped while the rows are prepared, "
        "and skip_prepare_dataset skips that",
        "remove one of dataset_exact_deduplication and skip_prepare_dataset",
    ),
    Row(
        "chat_template",
        "chat_template=jinja !chat_template_jinja",
        "`chat_template: jinja` needs the template itself",
        "put the template, or the path to it, into chat_template_jinja",
    ),
)

_OWN_TOKENIZER = (
    "added_tokens_overrides",
    "special_tokens",
    "tokens",
    "chat_template",
    "processor_kwargs",
)
"""What Mistral's own tokenizer does not let change."""


def _empty(subject: Subject) -> Iterator[Finding]:
    for key in ("datasets", "test_datasets", "pretraining_dataset"):
        if subject.get(key) == []:
            yield error(key, "this list must not be empty", f"list a dataset, or remove {key}")


def _several_streams(subject: Subject) -> Iterator[Finding]:
    datasets = subject.get("datasets")
    several = isinstance(datasets, list) and len(datasets) > 1
    if subject.get("streaming") and subject.get("sample_packing") and several:
        yield error(
            "sample_packing",
            "packing (several rows in one sequence) works on one streamed dataset only",
            "remove sample_packing, or list one dataset",
        )


def _mistral(subject: Subject) -> Iterator[Finding]:
    """Mistral's own tokenizer comes as it is."""
    key = "tokenizer_use_mistral_common"
    for place in _OWN_TOKENIZER if subject.get(key) else ():
        if subject.get(place):
            yield error(
                place,
                f"Mistral's own tokenizer ({key}) comes as it is: {place} cannot change it",
                f"remove {place}, or set `{key}: false`",
            )


def _templates(subject: Subject) -> Iterator[Finding]:
    """A dataset's own template. Preference datasets have none of their own."""
    if subject.text("rl") in ("dpo", "ipo", "simpo", "kto"):
        return
    for place, entry in subject.entries("datasets"):
        if entry.get("chat_template") == "jinja" and not entry.get("chat_template_jinja"):
            yield error(
                f"{place}.chat_template",
                "`chat_template: jinja` needs the template itself",
                "put the template, or the path to it, into chat_template_jinja",
            )


def _old_names(subject: Subject) -> Iterator[Finding]:
    """The old and the new way to name the columns of a message, with two different answers."""
    if subject.text("rl") in ("dpo", "ipo", "simpo", "kto"):
        return
    for place, entry in subject.entries("datasets"):
        mappings = entry.get("message_property_mappings")
        for part in ("role", "content"):
            old = f"message_field_{part}"
            if not isinstance(mappings, dict) or part not in mappings or old not in entry:
                continue
            if mappings[part] != entry[old]:
                yield error(
                    f"{place}.{old}",
                    f"this is the old way to say message_property_mappings.{part}, "
                    "and the two say different things",
                    f"remove {old}",
                )


def _synthetic(subject: Subject) -> Iterator[Finding]:
    """The made-up rows of axolotl 0.21, in several turns."""
    for place, entry in subject.entries("datasets"):
        if entry.get("type") != "_synthetic" or subject.axolotl < (0, 21):
            continue
        least, most = (subject.number(f"{place}.{key}") or 1 for key in ("min_turns", "max_turns"))
        if least > 1 and most <= least:
            message = "max_turns must be more than min_turns"
            yield error(f"{place}.max_turns", message, "raise max_turns")


RULES: tuple[Rule, ...] = (
    refuses(_ROWS),
    _empty,
    _several_streams,
    _mistral,
    _templates,
    _old_names,
    _synthetic,
)
"""What axolotl refuses about the rows to train on."""
