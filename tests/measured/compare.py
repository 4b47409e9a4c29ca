"""Compare ftui's estimate with measurements: `python -m tests.measured.compare [FILE.csv]`."""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ftui.estimate.memory import BAND, CONTEXT_GIB, Memory, memory
from tests.measured.rows import Row, is_single, judged, read

SHARED = Path(__file__).parents[2] / "ftui" / "estimate" / "measured.csv"


@dataclass(frozen=True)
class Compared:
    """A measurement beside the estimate of the same training."""

    row: Row
    estimate: Memory

    @property
    def estimated(self) -> float:
        """GiB by the same measure as the row's."""
        if self.row.is_allocated:
            return self.estimate.allocated
        seen_by_driver = "nvidia-smi" in self.row.notes.get("metric", "")
        return self.estimate.expected + (CONTEXT_GIB if seen_by_driver else 0)

    @property
    def error(self) -> float:
        """The estimate's part too much, or, below zero, too little."""
        assert self.row.gib is not None
        return self.estimated / self.row.gib - 1


def compared(path: Path = SHARED, *, single: bool = True) -> list[Compared]:
    """All rows that were measured with a dense decoder, on one GPU or on several."""
    return [one for one in _judged(path, single=single) if one.row.gib is not None]


def ran_out(path: Path = SHARED, *, single: bool = True) -> list[Compared]:
    """Those that ran out of memory."""
    return [one for one in _judged(path, single=single) if one.row.capacity_gib is not None]


def _judged(path: Path, *, single: bool) -> list[Compared]:
    pairs = judged(read(path))
    return [Compared(row, memory(training)) for row, training in pairs if is_single(row) == single]


def main(arguments: list[str]) -> None:
    """Print the table by source, as in the README, and the rows outside the band."""
    paths = [Path(each) for each in arguments if not each.startswith("-")]
    path = paths[0] if paths else SHARED
    for single in (True, False):
        print(f"\n{'One GPU' if single else 'Several GPUs'}, dense decoders\n")
        _print(path, single=single, all_rows="-v" in arguments)


def _print(path: Path, *, single: bool, all_rows: bool) -> None:
    rows = compared(path, single=single)
    by_source: dict[str, list[Compared]] = defaultdict(list)
    for one in rows:
        by_source[one.row["source"].split(" ")[0]].append(one)
    print("| source | rows | median error | largest | inside ±20 % |\n|---|---|---|---|---|")
    for source, group in sorted(by_source.items()):
        print(_line(source, group))
    print(_line("all", rows))
    for one in rows:
        if all_rows or abs(one.error) > BAND:
            print(_words(one))
    for one in ran_out(path, single=single):
        capacity = one.row.capacity_gib
        print(
            f"ran out: {one.row['model']} of {capacity} GiB; {one.estimate.expected:.1f} estimated"
        )


def _line(name: str, group: Iterable[Compared]) -> str:
    errors = [abs(one.error) for one in group]
    inside = sum(error <= BAND for error in errors) / len(errors)
    middle, most = statistics.median(errors), max(errors)
    return f"| {name} | {len(errors)} | {middle:.1%} | {most:.0%} | {inside:.0%} |"


def _words(one: Compared) -> str:
    row = one.row
    terms = ", ".join(f"{term.name} {term.gib:.1f}" for term in one.estimate.terms)
    return (
        f"{one.error:+.0%} {row['model']} {row['method']}{row['bits']} {row['seq_len']}x"
        f"{row['micro_batch']} r{row['rank']} {row['source'][:24]} [{row['notes'][:60]}] "
        f"measured {row.gib}: {one.estimated:.1f} = {terms}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
