"""What to learn from."""

from __future__ import annotations

import copy
from pathlib import Path

from ftui import paths
from ftui.data.dataset import Dataset, open_dataset
from ftui.data.doctor import examine
from ftui.data.entries import format_of
from ftui.data.report import Report
from ftui.errors import DatasetError
from ftui.plan.held_out import HELD_OUT, is_left_out, of_the_preset, without_tests
from ftui.plan.held_out_file import is_put_off
from ftui.plan.plan import Plan, start
from ftui.plan.reading import first_fault, whole_path
from ftui.plan.step import Option, RowCount, Step, World

_OF_THE_PRESET = ("datasets", "chat_template")
_OF_PRETRAINING = ("pretraining_dataset", "streaming")
"""Settings for rows that are read as they come, in place of `datasets`."""
_NO_EVALUATION = (
    "On a CPU nothing is held out: evaluating 4-bit weights there breaks the training after it."
)
_OWN = "columns of your own"
"""The type of rows whose columns a person chose."""


class Useless(DatasetError):
    """A dataset that axolotl would stop at, or learn nothing from."""

    def __init__(self, source: str, report: Report, plan: Plan) -> None:
        what, where, why, hint = first_fault(source, report)
        super().__init__(what, where=where, why=why, hint=hint)
        self.plan = plan
        """With the dataset all the same, to look at it more closely."""


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
    told = _about(plan, world) or _kind(plan)
    mine = Option(own, Path(own).name, told, _warning(world.counted.get(own)))
    options = [Option(path, path, detail), mine]
    return [option for option in options[: 1 if own == path else 2] if option.value]


def _type(plan: Plan) -> str:
    kind = plan.get("datasets.0.type", "")
    return kind if isinstance(kind, str) else _OWN


def _kind(plan: Plan) -> str:
    """What people call the type, in a word or two."""
    kind = _type(plan)
    return {"chat_template": "chat", _OWN: "Q and A"}.get(kind, kind)


def _about(plan: Plan, world: World) -> str:
    """`1,204 rows, chat`, once the rows were read."""
    known = world.counted.get(_current(plan))
    return f"{_rows(known.rows)}, {_kind(plan)}" if known else ""


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _warning(known: RowCount | None) -> str:
    dropped = known.rows - known.kept if known else 0
    if not dropped:
        return ""
    return f"{_rows(dropped)} {'teaches' if dropped == 1 else 'teach'} nothing: v shows why"


def _apply(plan: Plan, answer: str, world: World) -> Plan:
    """The preset's dataset, or a file, whose format is found out. Raises DatasetError."""
    answer = answer.strip()
    if answer == _current(plan):
        return plan
    settings = plan.preset.settings
    if answer == _preset_path(plan):
        keys = (*_OF_THE_PRESET, *_OF_PRETRAINING)
        changed = plan.with_settings(**{key: copy.deepcopy(settings.get(key)) for key in keys})
        return of_the_preset(changed)
    dataset = _opened(answer, plan, world)
    changed = with_dataset(plan, dataset)
    report = examine(world.read(dataset.source), dataset.format)
    if not report.ok:
        raise Useless(dataset.source, report, changed)
    world.counted[dataset.source] = RowCount(report.rows, report.kept)
    return changed


def with_dataset(plan: Plan, dataset: Dataset) -> Plan:
    """The plan with a dataset in place of its own; rows to test on belong to those they are of."""
    source = whole_path(dataset.source)
    changed = _typing(plan, source).with_settings(datasets=[dataset.entry | {"path": source}])
    own_template = plan.get("chat_template") or plan.get("tokenizer_use_mistral_common")
    if "chat_template" in dataset.format.name and not own_template:
        changed = changed.with_settings(chat_template="tokenizer_default")
    return changed


def _typing(plan: Plan, answer: str) -> Plan:
    """The plan without what belongs to its own dataset alone, where another one is named."""
    before = _current(plan)
    if str(paths.existing(answer) or answer) not in (before, str(paths.existing(before))):
        plan = without_tests(plan)
    return plan.with_settings(**dict.fromkeys(_OF_PRETRAINING))


def put_off(plan: Plan, answer: str) -> Plan:
    """The plan with a dataset of which a person is still to say what its rows are."""
    return plan.with_settings(datasets=[{"path": whole_path(answer), "type": None}])


def to_ask(plan: Plan) -> tuple[Plan, str]:
    """The path of a dataset that was put off, and the plan without it; "" where there is none."""
    entry, preset = plan.get("datasets.0"), plan.preset.settings
    if plan.get("datasets") == preset.get("datasets") or not isinstance(entry, dict):
        return plan, ""
    if not is_put_off(entry) or not isinstance(entry.get("path"), str):
        return plan, ""
    return plan.with_settings(datasets=copy.deepcopy(preset.get("datasets"))), entry["path"]


def _opened(answer: str, plan: Plan, world: World) -> Dataset:
    """The dataset that was typed, and what its rows are. Raises DatasetError, Undecided."""
    return open_dataset(
        whole_path(answer),
        world.read,
        training=str(plan.get("rl") or "sft"),
        family="llama3" if plan.get("chat_template") == "llama3" else "chatml",
        format=world.format,
        ask=True,
    )


def _explain(plan: Plan, answer: str, world: World) -> str:
    if answer == _current(plan):
        format = format_of(plan.get("datasets.0", {}), str(plan.get("rl") or ""))
        meaning = format.words if format else "rows to learn from"
        but = f" {_NO_EVALUATION}" if is_left_out(plan) else ""
        return f"Read as {_type(plan)}: {meaning}.{but}"
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
    about=_about,
    typing=_typing,
    fields=(HELD_OUT,),
    accepts_text=True,
    has_rows=True,
)
