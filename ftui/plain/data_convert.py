"""`ftui data --convert`: the rows of a dataset in another type, and what that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ftui import paths
from ftui.data.convert import TARGETS, convert, targets
from ftui.data.dataset import Dataset, Groups
from ftui.data.judge import Reason
from ftui.data.said import CannotHold
from ftui.errors import DatasetError, ExitCode, UsageError
from ftui.plain import console
from ftui.plain import data_documents as documents
from ftui.plain.data import open_wished
from ftui.plain.data_wish import Wish
from ftui.runtimes.datasets import read_dataset
from ftui.text import counted

_OTHER_LAYOUTS = (".parquet", ".arrow", ".csv", ".tsv", ".gz", ".zst")


def rewrite(wish: Wish, to: str, out: Path, *, yes: bool = False, as_json: bool = False) -> int:
    """Write the rows in another type as JSONL, and say what that changed; 2 when none could be.

    Raises DatasetError, UsageError for a type that there is not, and a file not to write to.
    """
    if to not in TARGETS:
        raise UsageError(f"there is no type {to!r} to convert to", hint=f"Use {_list(TARGETS)}.")
    _may_write(out, wish.source, yes=yes)
    left: Counter[str] = Counter()
    try:
        written = _write(wish, to, out, left)
    except DatasetError as error:
        if as_json:
            console.document(documents.of_written(0, left, to, out, error))
        raise
    for why, count in left.most_common():
        console.say(f"▲ {counted(count, 'row')} left out: {why}")
    says = TARGETS[to].says
    console.say(f"{'✓' if written else '✗'} {counted(written, 'row')} of {says} in {out}")
    if as_json:
        console.document(documents.of_written(written, left, says, out))
    return ExitCode.OK if written else ExitCode.USAGE


def _may_write(out: Path, source: str, *, yes: bool) -> None:
    """Raise UsageError for a file that is there, is what is read, or promises another layout."""
    suffix = out.suffix.lower()
    if suffix in _OTHER_LAYOUTS:
        named = out.with_suffix("")
        named = named if named.suffix == ".jsonl" else named.with_suffix(".jsonl")
        hint = f"Name it {named}: readers tell the layout by the name."
        raise UsageError(f"JSONL is written, and {out} promises {suffix}", hint=hint)
    read = paths.existing(source)
    if out.exists() and read is not None and _is_of(out, read):
        raise UsageError(f"{out} is what is read", hint="name another file")
    if out.exists() and not yes:
        raise UsageError(f"{out} is there already", hint="name another file, or add -y")


def _is_of(out: Path, source: Path) -> bool:
    """Whether a file is the dataset, or one of a folder's files."""
    files = [source, *source.iterdir()] if source.is_dir() else [source]
    return any(each.exists() and out.samefile(each) for each in files)


def _write(wish: Wish, to: str, out: Path, left: Counter[str]) -> int:
    """Write the rows, and count them. Raises DatasetError."""
    dataset = open_wished(wish)
    if to not in targets(dataset.format):
        can = _list(targets(dataset.format)) or "nothing else"
        raise DatasetError(
            f"{dataset.format.name} rows cannot be written as {to}",
            where=wish.source,
            hint=f"They can be written as {can}.",
        )
    rows = _converted(read_dataset(wish.source), dataset, to, left)
    try:
        return paths.write_lines(out, rows)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DatasetError("cannot be written", where=str(out), why=why) from error


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
                made = [*map(orjson.dumps, convert(values, dataset.format, TARGETS[to]))]
            except CannotHold as error:
                left[str(error)] += 1
            except TypeError:
                left["it is nested too deep to be written"] += 1
            else:
                yield from (row + b"\n" for row in made)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
