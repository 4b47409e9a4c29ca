"""Large files: in little memory, in groups, and nothing is left open."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from ftui.data.rows import Group, Row, read_groups, read_rows
from tests.tools.broken_rows import array_of
from tests.tools.make_rows import write
from tests.unit.test_data_rows import put


@pytest.mark.parametrize("kind", ["chat", "alpaca"])
def test_groups_hold_the_same_rows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows.jsonl"
    count = write(path, 300_000, kind)
    path.write_bytes(path.read_bytes() + b"oops\n")
    groups = list(read_groups(path))
    rows = [row for row in read_rows(path) if isinstance(row, Row)]
    assert [line for group in groups for line in group.lines] == [row.line for row in rows]
    assert [values for group in groups for values in group.rows] == [row.values for row in rows]
    assert [mark for group in groups for mark in group.marks] == [row.mark for row in rows]
    assert [fault.line for group in groups for fault in group.faults] == [count + 1]
    assert len(rows) == len(set(group_marks(groups))) == count


def group_marks(groups: list[Group]) -> list[int]:
    return [mark for group in groups for mark in group.marks]


def table_of(rows: bytes) -> bytes:
    memory = io.StringIO()
    writer = csv.writer(memory)
    writer.writerow(["instruction", "input", "output"])
    writer.writerows(orjson.loads(row).values() for row in rows.splitlines())
    return memory.getvalue().encode()


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "rows.jsonl": bytes,
    "rows.jsonl.gz": bytes,
    "rows.jsonl.zst": bytes,
    "rows.json": array_of,
    "rows.csv": table_of,
    "rows.csv.gz": table_of,
}


@pytest.mark.parametrize("name", FORMS)
def test_the_memory_that_reading_takes_does_not_grow_with_the_file(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "made.jsonl"
    write(path, 12_000_000, "alpaca")
    path = put(tmp_path / name, FORMS[name](path.read_bytes()))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) > 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


def test_a_reader_that_is_dropped_closes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, 1_000_000, "chat")
    rows = read_rows(path)
    assert next(rows).line == 1
    before = set(Path("/proc/self/fd").iterdir())
    del rows
    assert len(set(Path("/proc/self/fd").iterdir())) < len(before)


def test_what_reads_rows_is_imported_only_to_read_them() -> None:
    probe = "import sys, ftui.data.rows, ftui.data.files; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert not {"orjson", "zstandard"} & set(done.stdout.split())
