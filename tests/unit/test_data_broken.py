"""Over a hundred broken datasets: each is told with its line, in words, and with what to do."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from ftui.data.files import files_of, layout_of
from ftui.data.rows import Fault, Row, read_rows
from ftui.errors import DatasetError
from tests.tools.broken_rows import CASES, GOOD, Case

MANY = GOOD * 20_000


def test_there_are_many_of_them() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 110


def well_told(message: str, hint: str) -> bool:
    return bool(message and hint) and len(message) < 300 and message.isprintable()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_told_with_its_line_and_what_to_do(tmp_path: Path, case: Case) -> None:
    path = tmp_path / case.name
    path.write_bytes(case.content)
    items = list(read_rows(path))
    faults = [item for item in items if isinstance(item, Fault)]
    assert all(fault.line > 0 and well_told(fault.message, fault.hint) for fault in faults)
    told = [fault for fault in faults if case.words in fault.message]
    assert told, faults[:3]
    if case.line:
        assert told[0].line == case.line
        assert len(items) - len(faults) == case.rows
    else:
        assert told == items[-1:]
    assert [item.line for item in items] == sorted(item.line for item in items)


def outcome(path: Path) -> tuple[str, str]:
    try:
        return layout_of(path).value, "no hint is needed"
    except DatasetError as error:
        return error.what, error.hint


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_its_layout_is_told_or_why_it_has_none(tmp_path: Path, case: Case) -> None:
    path = tmp_path / case.name
    path.write_bytes(case.content)
    assert well_told(*outcome(path))


def test_a_line_over_64_mib_is_a_fault_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.write(GOOD + b'{"text": "')
        for _ in range(70):
            file.write(b"x" * 2**20)
        file.write(b'"}\n' + GOOD)
    one, two, three = read_rows(path)
    assert isinstance(one, Row)
    assert isinstance(two, Fault)
    assert two.line == 2
    assert "64 MiB" in two.message
    assert (three.line, isinstance(three, Row)) == (3, True)


def test_a_bomb_of_zeros_does_not_fill_the_memory(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    path = tmp_path / "rows.jsonl.zst"
    with path.open("wb") as file:
        for _ in range(300):
            file.write(packer.compress(bytes(2**20)))
        file.write(packer.flush())
    (only,) = read_rows(path)
    assert isinstance(only, Fault)
    assert "64 MiB" in only.message


def test_one_bad_line_in_a_large_file_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(MANY + b"oops\n" + MANY)
    items = list(read_rows(path))
    assert [item.line for item in items if isinstance(item, Fault)] == [20_001]
    assert len(items) == 40_001


# What is no file of rows at all.


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def loop(path: Path) -> Path:
    path.symlink_to(path)
    return path


def below_a_file(path: Path) -> Path:
    path.write_bytes(GOOD)
    return path / "rows.jsonl"


def near_miss(path: Path) -> Path:
    path.with_name("rowz.jsonl").write_bytes(GOOD)
    return path


NO_FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "pipe": (fifo, "is a pipe"),
    "folder": (folder, "is a folder"),
    "symlink loop": (loop, "cannot be read"),
    "file as a folder": (below_a_file, "cannot be read"),
    "missing": (lambda path: path, "no such file"),
    "nearly named": (near_miss, "no such file"),
    "endless device": (lambda path: Path("/dev/zero"), "is a device"),
    "silent device": (lambda path: Path("/dev/tty"), "is a device"),
    "memory of a process": (lambda path: Path("/proc/self/mem"), "cannot be read"),
    "name too long": (lambda path: path / ("x" * 5000), "cannot be read"),
    "NUL in the name": (lambda path: Path("rows\0.jsonl"), "cannot be read"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_of_rows_is_refused(tmp_path: Path, name: str) -> None:
    make, words = NO_FILES[name]
    with pytest.raises(DatasetError, match=words) as caught:
        list(read_rows(make(tmp_path / "rows.jsonl")))
    assert well_told(caught.value.what, caught.value.hint)
    assert caught.value.where


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with listening(tmp_path / "s"), pytest.raises(DatasetError, match="is a socket"):
        list(read_rows(tmp_path / "s"))


@pytest.mark.parametrize(
    ("magic", "name"),
    [(b"PAR1\x15\x04", "rows.jsonl"), (b"ARROW1\0\0", "rows.json"), (b"PAR1\x15", "r.csv")],
)
def test_what_the_runtime_reads_is_not_taken_for_text(
    tmp_path: Path, magic: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(magic + b"\0" * 100)
    with pytest.raises(DatasetError, match="not text") as caught:
        list(read_rows(path))
    assert "ftui setup train" in caught.value.hint


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(DatasetError, match="holds no dataset") as caught:
        files_of(tmp_path)
    assert caught.value.hint


def test_a_file_whose_reading_fails_half_way_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(MANY)
    real = io.FileIO

    class Failing(real):  # type: ignore[misc, valid-type]
        def readinto(self, buffer: memoryview) -> int:
            if self.tell() > 100_000:
                raise OSError(5, "Input/output error")
            return int(super().readinto(buffer))

    monkeypatch.setattr("ftui.data.source.io.FileIO", Failing)
    *rows, last = read_rows(path)
    assert len(rows) > 7000
    assert all(isinstance(row, Row) for row in rows)
    assert isinstance(last, Fault)
    assert "input/output error" in last.message
    assert last.line == len(rows) + 1
