"""`ftui data`: what a dataset is, what is wrong with its rows, and its rows in another type."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.data.concerns import concerns
from ftui.data.convert import TARGETS, convert, targets
from ftui.data.dataset import Dataset, Groups, open_dataset, read_files
from ftui.data.doctor import (
    FATAL,
    Complaint,
    Report,
    examine,
)
from ftui.data.judge import Reason
from ftui.data.said import CannotHold
from ftui.data.writing import written_in
from ftui.errors import DatasetError, ExitCode, UsageError
from ftui.plain import console, held_out, tokens
from ftui.plain import data_documents as documents
from ftui.plain.row_progress import RowProgress
from ftui.plan.plan import Plan
from ftui.runtimes.datasets import read_dataset
from ftui.text import counted

_FAULTS, _GROUPS = 5, 500
"""So many broken rows are told where no type was found, of those in so many groups of rows."""


@dataclass(frozen=True)
class Wish:
    """What `ftui data` was asked for."""

    source: str
    type_name: str = ""
    columns: tuple[str, ...] = ()
    held_out: str = ""
    training: str | None = None
    """The config's `rl`; None = whatever fits."""
    preset: str | None = None
    config: str | None = None
    model: str | None = None
    """With one of these three, axolotl itself is asked what it would train on."""
    show: int = 2
    """Rows to show with their mask."""

    @property
    def asks_axolotl(self) -> bool:
        """Whether it is known which training the rows are for."""
        return any((self.preset, self.config, self.model))


def check(wish: Wish, *, as_json: bool = False) -> int:
    """Say what the dataset is and what is wrong with it; 2 when axolotl would stop at a row.

    Raises DatasetError, RuntimeMissing.
    """
    try:
        return _checked(wish, as_json=as_json)
    except DatasetError as error:
        faults = _faults(wish.source, error.where)
        if as_json:
            console.document(documents.of_no_rows(error, faults))
        else:
            for fault in faults:
                console.line(complaint_words(fault))
        raise


def _checked(wish: Wish, *, as_json: bool) -> int:
    dataset = _open(wish)
    plan = _plan(wish) if wish.asks_axolotl else None
    held = wish.held_out or _tested_on(plan)
    rows_held_out = held_out.look(held, dataset)
    report = _examined(wish.source, dataset, rows_held_out)
    seen, needed = None, None
    if plan is not None and report.ok:
        plan = _with(plan, wish, dataset)
        seen = tokens.look(plan, wish.show)
        needed = tokens.needed_disk(plan, seen)
    if as_json:
        document = documents.of_rows(dataset, report) | held_out.document(report, rows_held_out)
        console.document(document | (tokens.document(seen, needed) if seen else {}))
    else:
        _show(dataset, report)
        if seen is not None:
            tokens.tell(seen, needed)
    if rows_held_out is not None:
        held_out.tell(wish.source, held, report, rows_held_out)
    blocked = seen is not None and any(each.blocks for each in concerns(seen))
    return ExitCode.OK if report.ok and not blocked else ExitCode.USAGE


def _faults(source: str, told: str) -> list[Complaint]:
    """The first broken rows of a dataset of text whose type could not be found out.

    They may be why. `told` is the place that is told anyway.
    """
    found: list[Complaint] = []
    with contextlib.suppress(DatasetError):
        for file, group in islice(read_files(source), _GROUPS):
            found += [Complaint(Reason.BROKEN, file, *fault) for fault in group.faults]
            if len(found) >= _FAULTS:
                break
    return [each for each in found[:_FAULTS] if f"{each.file}:{each.line}" != told]


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
    from ftui.plan.steps import step
    from ftui.targets.world import survey

    world = survey()
    if wish.model:
        plan = step("model").apply(plan, wish.model, world)
    plan = step("data").apply(plan, wish.source, world.reading_as(dataset.format))
    chosen = {**dataset.entry, "path": plan.get("datasets.0.path")}
    return plan.with_settings(datasets=[chosen])


def _open(wish: Wish) -> Dataset:
    return open_dataset(
        wish.source,
        read_dataset,
        training=wish.training or "",
        type_name=wish.type_name,
        columns=wish.columns,
    )


def _examined(source: str, dataset: Dataset, held: Report | None) -> Report:
    shown = RowProgress()
    try:
        groups = read_dataset(source, on_note=lambda words: console.say(f"▲ {words}"))
        return examine(groups, dataset.format, on_progress=shown.rows, held_out=held)
    finally:
        shown.done()


# ── The report ───────────────────────────────────────────────────────────────────────────────────


def _show(dataset: Dataset, report: Report) -> None:
    for complaint in report.complaints:
        console.line(complaint_words(complaint))
    for reason, count in report.found.items():
        told = sum(each.reason is reason for each in report.complaints)
        if count > told:
            console.line(f"  … and {count - told:,} more: {reason.value}")
    console.say(f"{dataset.source}: {dataset.layout}, {dataset.format.name}")
    console.say(f"  {dataset.guess.surely}: {dataset.guess.why}")
    for other in dataset.guess.others[:3]:
        console.say(f"  could also be {other.name}: --type {other.name}")
    languages = written_in(report.sample)
    if languages:
        console.say(f"  written in {' and '.join(languages)}")
    console.say(f"{'✓' if report.ok else '✗'} {_counts(report)}")
    if not report.knows_all:
        console.say(f"  duplicates were looked for in the first {len(report.marks):,} rows")


def _counts(report: Report) -> str:
    """`1,204 rows · 1,190 kept · 14 dropped (12 no assistant turn, 2 duplicate)`."""
    why = ", ".join(f"{count:,} {reason.value}" for reason, count in report.found.items())
    parts = [f"{report.rows:,} {'row' if report.rows == 1 else 'rows'}", f"{report.kept:,} kept"]
    parts += [f"{report.dropped:,} dropped"] if report.dropped else []
    return " · ".join(parts) + (f" ({why})" if why else "")


def complaint_words(complaint: Complaint) -> str:
    """`✗ rows.jsonl:17:messages.2.role: is missing` and the hint on its own line."""
    glyph = "✗" if complaint.reason in FATAL else "▲"
    where = ":".join(filter(None, (complaint.file, str(complaint.line), complaint.field)))
    hint = f"\n    → {complaint.hint}" if complaint.hint else ""
    message = complaint.message.removeprefix(f"{complaint.field} ")
    return f"{glyph} {where}: {message}{hint}"


# ── Another type ─────────────────────────────────────────────────────────────────────────────────


def rewrite(wish: Wish, to: str, out: Path, *, yes: bool = False) -> int:
    """Write the rows in another type as JSONL, and say what that changed; 2 when none could be.

    Raises DatasetError, UsageError when there is no such type or the file is there already.
    """
    if to not in TARGETS:
        raise UsageError(f"there is no type {to!r} to convert to", hint=f"Use {_list(TARGETS)}.")
    if out.exists() and not yes:
        raise UsageError(f"{out} is there already", hint="name another file, or add -y")
    dataset = _open(wish)
    if to not in targets(dataset.format):
        can = _list(targets(dataset.format)) or "nothing else"
        raise DatasetError(
            f"{dataset.format.name} rows cannot be written as {to}",
            where=wish.source,
            hint=f"They can be written as {can}.",
        )
    left: Counter[str] = Counter()
    rows = _converted(read_dataset(wish.source), dataset, to, left)
    try:
        written = paths.write_lines(out, rows)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DatasetError("cannot be written", where=str(out), why=why) from error
    for why, count in left.most_common():
        console.say(f"▲ {counted(count, 'row')} left out: {why}")
    console.say(
        f"{'✓' if written else '✗'} {counted(written, 'row')} of {TARGETS[to].says} in {out}"
    )
    return ExitCode.OK if written else ExitCode.USAGE


def _converted(groups: Groups, dataset: Dataset, to: str, left: Counter[str]) -> Iterator[bytes]:
    """The rows as lines of JSON; `left` counts those that are left out, by why."""
    import orjson

    for _, group in groups:
        if group.faults:
            left[Reason.BROKEN.value] += len(group.faults)
        for values in group.rows:
            wrong = dataset.format.wrong(values)
            if wrong is not None:
                left[f"{wrong.field} {wrong.words}"] += 1
                continue
            try:
                made = list(convert(values, dataset.format, TARGETS[to]))
            except CannotHold as error:
                left[str(error)] += 1
                continue
            yield from (orjson.dumps(row) + b"\n" for row in made)


def _list(names: Any) -> str:
    return ", ".join(names)
