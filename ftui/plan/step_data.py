"""What to learn from."""

from __future__ import annotations

import copy
from pathlib import Path

from ftui import paths
from ftui.data.dataset import Dataset, open_dataset
from ftui.data.doctor import FATAL, Report, examine
from ftui.data.files import layout_of
from ftui.data.guess import pick
from ftui.data.layout import Layout
from ftui.errors import DatasetError
from ftui.plan.plan import Plan, start
from ftui.plan.step import Option, Step, World

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
    whose = "your config" if plan.preset.text else "the preset"
    detail = f"the first of {whose}'s {count} datasets" if count > 1 else f"{whose}'s dataset"
    options = [Option(path, path, detail), Option(own, Path(own).name, _words(plan))]
    return [option for option in options[: 1 if own == path else 2] if option.value]


def _words(plan: Plan) -> str:
    kind = plan.get("datasets.0.type", "")
    return kind if isinstance(kind, str) else "columns of your own"


def _apply(plan: Plan, answer: str, world: World) -> Plan:
    """The preset's dataset, or a file, whose format is found out. Raises DatasetError."""
    answer = answer.strip()
    if answer == _current(plan):
        return plan
    settings = plan.preset.settings
    if answer == _preset_path(plan):
        keys = (*_OF_THE_PRESET, *_OF_PRETRAINING)
        return plan.with_settings(**{key: copy.deepcopy(settings.get(key)) for key in keys})
    dataset = _dataset(answer, plan, world)
    gone = dict.fromkeys(("test_datasets", *_OF_PRETRAINING))
    changed = plan.with_settings(datasets=[dataset.entry], **gone)
    own_template = plan.get("chat_template") or plan.get("tokenizer_use_mistral_common")
    if "chat_template" in dataset.format.name and not own_template:
        changed = changed.with_settings(chat_template="tokenizer_default")
    return changed


def _dataset(answer: str, plan: Plan, world: World) -> Dataset:
    """The dataset that was typed, every row of it looked at. Raises DatasetError."""
    source = _source(answer)
    training = plan.get("rl") or "sft"
    family = "llama3" if plan.get("chat_template") == "llama3" else "chatml"
    dataset = open_dataset(source, world.read, training=str(training), family=family)
    report = examine(world.read(source), dataset.format)
    if not report.ok:
        raise _unfit(source, report)
    return dataset


def _source(answer: str) -> str:
    """The whole path of what is on this machine; a hub id stays what it is."""
    found = paths.existing(answer)
    if found is None and layout_of(answer) is Layout.HUB:
        return answer
    return str(found or Path.cwd() / answer)


def _unfit(source: str, report: Report) -> DatasetError:
    """The first row that axolotl would stop at, and how many there are."""
    fatal = [each for each in report.complaints if each.reason in FATAL]
    if not fatal:
        why = f"{report.rows:,} rows, none with an answer to learn"
        return DatasetError("there is nothing to learn", where=source, why=why)
    first, count = fatal[0], sum(report.found[reason] for reason in FATAL)
    more = f"and {count - 1:,} more like it; ftui data tells them" if count > 1 else ""
    return DatasetError(
        first.message, where=f"{first.file}:{first.line}", why=more, hint=first.hint
    )


def _explain(plan: Plan, answer: str, world: World) -> str:
    if answer == _current(plan):
        format = pick(_words(plan))
        meaning = format.words if format else "rows to learn from"
        return f"Read as {_words(plan)}: {meaning}. Part of it is kept back for the eval loss."
    return "The preset's own dataset. Type the path of a file or a folder to use yours."


DATA = Step(
    id="data",
    title="Data",
    question="What should it learn from?",
    help="The dataset. Type the path of a file (JSONL, JSON, CSV, Parquet), a folder or a hub id; "
    "what its rows are is found out.",
    options=_options,
    current=_current,
    apply=_apply,
    summary=lambda plan: Path(_current(plan)).name,
    explain=_explain,
    accepts_text=True,
)
