"""What to learn from."""

from __future__ import annotations

import copy
from pathlib import Path

from ftui import paths
from ftui.data.detect import axolotl_entry, inspect
from ftui.errors import DatasetError
from ftui.plan.plan import Plan, start
from ftui.plan.step import Option, Step, World

_MEANING = {
    "alpaca": "an instruction and the answer to it in each row",
    "chat_template": "a conversation of turns in each row",
    "completion": "plain text in each row, to be continued",
}


_OF_THE_PRESET = ("datasets", "test_datasets", "val_set_size", "chat_template")
_OF_PRETRAINING = ("pretraining_dataset", "streaming")
"""Settings for rows that are read as they come, in place of `datasets`."""


def _current(plan: Plan) -> str:
    """The path of the first dataset; nothing where a person's own config names none."""
    places = ("datasets.0.path", "pretraining_dataset.0.path", "pretraining_dataset")
    found = (plan.get(place) for place in places)
    return next((path for path in found if isinstance(path, str)), "")


def _preset_path(plan: Plan) -> str:
    return _current(start(plan.preset))


def _options(plan: Plan, world: World) -> list[Option]:
    """The preset's dataset, and the person's own once it is chosen."""
    own, path = _current(plan), _preset_path(plan)
    listed = plan.preset.settings.get("datasets")
    count = len(listed) if isinstance(listed, list) else 0
    detail = f"the first of the preset's {count} datasets" if count > 1 else "the preset's dataset"
    options = [Option(path, path, detail), Option(own, Path(own).name, _words(plan))]
    return [option for option in options[: 1 if own == path else 2] if option.value]


def _words(plan: Plan) -> str:
    return str(plan.get("datasets.0.type", ""))


def _apply(plan: Plan, answer: str, world: World) -> Plan:
    """The preset's dataset, or a file, whose format is found out. Raises DatasetError."""
    answer = answer.strip()
    if answer == _current(plan):
        return plan
    settings = plan.preset.settings
    if answer == _preset_path(plan):
        keys = (*_OF_THE_PRESET, *_OF_PRETRAINING)
        return plan.with_settings(**{key: copy.deepcopy(settings.get(key)) for key in keys})
    dataset = inspect(paths.existing(answer) or Path.cwd() / answer)
    if plan.get("rl"):
        raise DatasetError(
            "these rows are no preferences",
            where=answer,
            why=f"{plan.preset.name} compares a chosen and a rejected answer in each row",
            hint="start from a preset without it, or name the dataset in the YAML (e)",
        )
    gone = dict.fromkeys(("test_datasets", *_OF_PRETRAINING))
    changed = plan.with_settings(datasets=[axolotl_entry(dataset)], **gone)
    own_template = plan.get("chat_template") or plan.get("tokenizer_use_mistral_common")
    if dataset.format == "chat_template" and not own_template:
        changed = changed.with_settings(chat_template="tokenizer_default")
    return changed


def _explain(plan: Plan, answer: str, world: World) -> str:
    if answer == _current(plan):
        meaning = _MEANING.get(_words(plan), "rows to learn from")
        return f"Read as {_words(plan)}: {meaning}. Part of it is kept back for the eval loss."
    return "The preset's own dataset. Type the path of a .jsonl or .json file to use yours."


DATA = Step(
    id="data",
    title="Data",
    question="What should it learn from?",
    help="The dataset. Type the path of a .jsonl or .json file; its format is found out.",
    options=_options,
    current=_current,
    apply=_apply,
    summary=lambda plan: Path(_current(plan)).name,
    explain=_explain,
    accepts_text=True,
)
