"""`ftui data`: what a dataset is, what is wrong with its rows, and its rows in another type."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.data.concerns import concerns
from ftui.data.convert import TARGETS, convert, targets
from ftui.data.dataset import Dataset, Groups, open_dataset
from ftui.data.doctor import FATAL, Complaint, Report, examine, in_both
from ftui.data.judge import Reason
from ftui.data.said import CannotHold
from ftui.data.tokens import Tokens
from ftui.data.writing import written_in
from ftui.errors import DatasetError, ExitCode, UsageError
from ftui.plain import console, tokens
from ftui.runtimes.datasets import read_dataset
from ftui.text import counted

_EVERY = 0.5
"""Seconds between looks at the progress."""


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
        dataset = _open(wish)
        report = _examined(wish.source, dataset)
        shared = _shared_rows(wish, dataset, report)
    except DatasetError as error:
        if as_json:
            console.document(_no_document(error))
        raise
    seen = _tokens(wish, dataset) if wish.asks_axolotl and report.ok else None
    if as_json:
        console.document(_document(dataset, report) | (tokens.document(seen) if seen else {}))
    else:
        _show(dataset, report)
        if seen is not None:
            tokens.tell(seen)
    if shared:
        are = "is" if shared == 1 else "are"
        rows = counted(shared, "row")
        console.say(f"▲ {rows} of {wish.held_out} {are} in {wish.source} too")
        console.say("    → what they measure is memory: remove them from one of the two")
    blocked = seen is not None and any(each.blocks for each in concerns(seen))
    return ExitCode.OK if report.ok and not blocked else ExitCode.USAGE


def _tokens(wish: Wish, dataset: Dataset) -> Tokens:
    """What axolotl makes of the rows in the training that was named."""
    from ftui.plan.flags import plan_from_flags
    from ftui.plan.steps import step
    from ftui.targets.world import survey

    world = survey()
    plan = plan_from_flags(
        world,
        preset=wish.preset,
        config=wish.config,
        data=None,
        target=None,
        gpus=None,
        overrides=(),
    )
    if wish.model:
        plan = step("model").apply(plan, wish.model, world)
    plan = step("data").apply(plan, wish.source, world)
    chosen = {**dataset.entry, "path": plan.get("datasets.0.path")}
    return tokens.look(plan.with_settings(datasets=[chosen]), wish.show)


def _open(wish: Wish) -> Dataset:
    return open_dataset(
        wish.source,
        read_dataset,
        training=wish.training or "",
        type_name=wish.type_name,
        columns=wish.columns,
    )


def _examined(source: str, dataset: Dataset) -> Report:
    shown = _Progress()
    try:
        groups = read_dataset(source, on_note=lambda words: console.say(f"▲ {words}"))
        return examine(groups, dataset.format, on_progress=shown.rows)
    finally:
        shown.done()


def _shared_rows(wish: Wish, dataset: Dataset, report: Report) -> int:
    """Rows that are in the held-out file too."""
    if not wish.held_out:
        return 0
    return in_both(report, _examined(wish.held_out, dataset))


class _Progress:
    """A line on a terminal that says how far it is; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _EVERY
        self._wide = 0

    def rows(self, count: int) -> None:
        """So many rows are read."""
        now = time.monotonic()
        if now >= self._next and sys.stderr.isatty():
            self._next = now + _EVERY
            self._write(f"reading … {count:,} rows")

    def done(self) -> None:
        """Take the line away."""
        if self._wide:
            self._write("")

    def _write(self, words: str) -> None:
        sys.stderr.write(f"\r{words.ljust(self._wide)}\r")
        sys.stderr.flush()
        self._wide = len(words)


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


def _document(dataset: Dataset, report: Report) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "format": dataset.format.name,
        "surely": dataset.guess.surely,
        "why": dataset.guess.why,
        "entry": dataset.entry,
        "rows": report.rows,
        "kept": report.kept,
        "dropped": report.dropped,
        "reasons": {reason.value: count for reason, count in report.found.items()},
        "languages": list(written_in(report.sample)),
        "issues": [
            {
                "file": each.file,
                "line": each.line,
                "field": each.field,
                "message": each.message,
                "hint": each.hint,
            }
            for each in report.complaints
        ],
    }


def _no_document(error: DatasetError) -> dict[str, Any]:
    """The document of a dataset that cannot be read at all."""
    file, _, line = error.where.rpartition(":")
    known = line.isdigit()
    message = f"{error.what}: {error.why}" if error.why else error.what
    issue = {
        "file": file if known else error.where,
        "line": int(line) if known else 0,
        "field": "",
        "message": message,
        "hint": error.hint,
    }
    empty: dict[str, Any] = {"rows": 0, "kept": 0, "dropped": 0, "reasons": {}, "languages": []}
    return {"ok": False, "format": "", **empty, "issues": [issue]}


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
