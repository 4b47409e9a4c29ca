"""`ftui data`: what a dataset is, and what is wrong with its rows."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ftui.data.concerns import concerns
from ftui.data.dataset import Dataset, open_dataset, read_files
from ftui.data.doctor import examine
from ftui.data.judge import Reason
from ftui.data.report import DROPPED, FATAL, Complaint, Report
from ftui.data.tokens import Tokens
from ftui.errors import DatasetError, ExitCode
from ftui.plain import console, held_out, tokens
from ftui.plain import data_documents as documents
from ftui.plain.data_wish import Wish
from ftui.plain.progress_line import ProgressLine
from ftui.plan.plan import Plan
from ftui.runtimes.datasets import read_dataset

_FAULTS, _GROUPS = 5, 500
"""So many broken rows are told where no type was found, of those in so many groups of rows."""


_NONE = "no row can be read"
_MEND = "mend or remove the row"


@dataclass(frozen=True)
class _Read:
    """The rows that were asked about, and what is wrong with them."""

    dataset: Dataset
    report: Report
    plan: Plan | None
    """The training that was named."""
    held: str
    """Where the rows are that must not be trained on."""
    held_out: Report | None


def check(wish: Wish, *, as_json: bool = False) -> int:
    """Say what the dataset is and what is wrong with it; 2 when axolotl would stop at a row.

    Raises DatasetError, RuntimeMissing.
    """
    try:
        read = _read(wish)
    except DatasetError as error:
        faults = _faults(wish.source, error)
        if as_json:
            console.document(documents.of_no_rows(error, faults))
            raise
        for fault in faults:
            console.line(complaint_words(fault))
        if documents.is_among(error, faults):
            raise DatasetError(_NONE, where=wish.source, hint=error.hint) from error
        raise
    return _document(wish, read) if as_json else _words(wish, read)


def _read(wish: Wish) -> _Read:
    """Raises DatasetError, RuntimeMissing."""
    if not wish.source.strip():
        raise DatasetError("FILE is empty", hint="Name a file, a folder or a hub id.")
    plan = _plan(wish) if wish.asks_axolotl else None
    dataset = open_wished(wish, plan)
    held = wish.held_out or _tested_on(plan)
    rows_held_out = held_out.look(held, dataset)
    report = _examined(wish.source, dataset, rows_held_out)
    return _Read(dataset, report, plan, held, rows_held_out)


def _words(wish: Wish, read: _Read) -> int:
    """Tell it line by line, each thing as soon as it is known."""
    _show(read.dataset, read.report)
    blocked = False
    if read.plan is not None and read.report.ok:
        plan = _with(read.plan, wish, read.dataset)
        seen = tokens.look(plan, wish.show)
        for complaint in stopping_rows(wish.source, seen):
            console.line(complaint_words(complaint))
        tokens.tell(seen, tokens.needed_disk(plan, seen))
        blocked = _is_blocked(seen)
    if read.held_out is not None:
        for complaint in read.held_out.complaints:
            console.line(complaint_words(complaint))
        held_out.tell(wish.source, read.held, read.report, read.held_out)
    return ExitCode.OK if read.report.ok and not blocked else ExitCode.USAGE


def _document(wish: Wish, read: _Read) -> int:
    """Write it as one document, also where axolotl refuses the rows. Raises DatasetError then."""
    found = documents.of_rows(read.dataset, read.report)
    found |= held_out.document(read.report, read.held_out)
    if read.plan is not None and read.report.ok:
        plan = _with(read.plan, wish, read.dataset)
        try:
            seen = tokens.look(plan, wish.show)
        except DatasetError as error:
            console.document(documents.refused(found, error))
            raise
        stops = stopping_rows(wish.source, seen)
        found |= tokens.document(seen, tokens.needed_disk(plan, seen))
        found = documents.stopped(found, stops, blocked=_is_blocked(seen))
    console.document(found)
    return ExitCode.OK if found["ok"] else ExitCode.USAGE


def _is_blocked(seen: Tokens) -> bool:
    return any(each.blocks for each in concerns(seen))


def stopping_rows(source: str, seen: Tokens) -> list[Complaint]:
    """The rows at which axolotl stopped, each where it is.

    The dataset at hand is the first that axolotl read; it counts its rows from 0.
    """
    why = {error.row: error.message for error in seen.errors if error.dataset == 0}
    found, rows = [], 0
    for file, group in read_dataset(source) if why else ():
        here = [row for row in why if rows <= row < rows + len(group.lines)]
        for row in here:
            message = f"axolotl stops here: {why[row]}"
            line = group.lines[row - rows]
            found.append(Complaint(Reason.UNREADABLE, file, line, "", message, _MEND))
        rows += len(group.lines)
        if rows > max(why):
            break
    return found


def _faults(source: str, error: DatasetError) -> list[Complaint]:
    """The first broken rows of a dataset of text whose type could not be found out.

    They may be why. None where they say no more than the error does.
    """
    found: list[Complaint] = []
    with contextlib.suppress(DatasetError):
        for file, group in islice(read_files(source), _GROUPS):
            found += [Complaint(Reason.BROKEN, file, *fault) for fault in group.faults]
            if len(found) >= _FAULTS:
                break
    return [] if [each.message for each in found] == [error.what] else found[:_FAULTS]


def _plan(wish: Wish) -> Plan:
    """The training that was named."""
    from ftui.plan.flags import plan_from_flags
    from ftui.targets.world import survey

    return plan_from_flags(
        survey(),
        preset=wish.preset,
        config=wish.config,
        data=None,
        target=None,
        gpus=None,
        overrides=(),
    )


def _tested_on(plan: Plan | None) -> str:
    """The first of the config's `test_datasets` that is on this machine; nothing without any."""
    listed = plan.get("test_datasets") if plan is not None else None
    entries = listed if isinstance(listed, list) else []
    paths = (str(entry.get("path")) for entry in entries if isinstance(entry, dict))
    return next((path for path in paths if Path(path).exists()), "")


def _with(plan: Plan, wish: Wish, dataset: Dataset) -> Plan:
    """That training, on the rows at hand."""
    from ftui.plan.step_data import with_dataset
    from ftui.plan.steps import step
    from ftui.targets.world import survey

    if wish.model:
        plan = step("model").apply(plan, wish.model, survey())
    return with_dataset(_for_these(plan, wish, dataset), dataset)


def _for_these(plan: Plan, wish: Wish, dataset: Dataset) -> Plan:
    """The training with the `rl` that was asked for, or that the type of the rows needs."""
    before, needed = plan.get("rl"), dataset.format.training
    rl = wish.training or {"sft": None, "reward": before, "process_reward": before}.get(
        needed, needed
    )
    if rl == before or (not wish.training and _reads(before) == needed):
        return plan
    name = wish.preset or wish.config or wish.model
    has = f"has rl: {before}" if before else "has none"
    console.say(f"▲ counted {f'with rl: {rl}' if rl else 'without rl'}; {name} {has}")
    return plan.with_settings(rl=rl)


def _reads(rl: str | None) -> str:
    """The training whose types an `rl` reads: ipo and simpo read those of dpo."""
    return {None: "sft", "ipo": "dpo", "simpo": "dpo"}.get(rl, str(rl))


def open_wished(wish: Wish, plan: Plan | None = None) -> Dataset:
    """What the rows are, for the `rl` that was asked for, or that of the training named."""
    training = str(plan.get("rl") or "sft") if plan is not None else ""
    return open_dataset(
        wish.source,
        read_dataset,
        training=wish.training or training,
        type_name=wish.type_name,
        columns=wish.columns,
    )


def _examined(source: str, dataset: Dataset, held: Report | None) -> Report:
    with ProgressLine() as shown:
        groups = read_dataset(source, on_note=lambda words: console.say(f"▲ {words}"))
        return examine(groups, dataset.format, on_progress=shown.rows, held_out=held)


# ── The report ───────────────────────────────────────────────────────────────────────────────────


def _show(dataset: Dataset, report: Report) -> None:
    console.say(f"{dataset.source}: {dataset.layout}, {dataset.format.name}")
    console.say(f"  {dataset.guess.surely}: {dataset.guess.why}")
    for complaint in report.complaints:
        console.line(complaint_words(complaint))
    for reason, count in report.found.items():
        told = sum(each.reason is reason for each in report.complaints)
        if count > told:
            console.line(f"  … and {count - told:,} more: {reason.value}")
    for other in dataset.guess.others[:3]:
        console.say(f"  could also be {other.name}: --type {other.name}")
    if report.languages:
        console.say(f"  written in {' and '.join(report.languages)}")
    console.say(f"{'✓' if report.ok else '✗'} {_counts(report)}")
    if not report.knows_all:
        console.say(f"  duplicates were looked for in the first {len(report.marks):,} rows")


def _counts(report: Report) -> str:
    """`1,204 rows · 1,190 teach something · 14 teach nothing (12 no assistant turn, 2 broken) · 2
    duplicate`."""
    useless = {reason: count for reason, count in report.found.items() if reason in DROPPED}
    parts = [f"{report.rows:,} {_row(report.rows)}", f"{report.kept:,} {_teach(report.kept)}"]
    parts[1] += " something"
    if report.dropped:
        why = ", ".join(f"{count:,} {reason.value}" for reason, count in useless.items())
        parts.append(f"{report.dropped:,} {_teach(report.dropped)} nothing ({why})")
    noted = [(reason, count) for reason, count in report.found.items() if reason not in useless]
    return " · ".join([*parts, *(f"{count:,} {reason.value}" for reason, count in noted)])


def _row(count: int) -> str:
    return "row" if count == 1 else "rows"


def _teach(count: int) -> str:
    return "teaches" if count == 1 else "teach"


def complaint_words(complaint: Complaint) -> str:
    """`✗ rows.jsonl:17:messages.2.role: is missing` and the hint on its own line."""
    glyph = "✗" if complaint.reason in FATAL else "▲"
    where = ":".join(filter(None, (complaint.file, str(complaint.line), complaint.field)))
    hint = f"\n    → {complaint.hint}" if complaint.hint else ""
    message = complaint.message.removeprefix(f"{complaint.field} ")
    return f"{glyph} {where}: {message}{hint}"
