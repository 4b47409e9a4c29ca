"""Rows of datasets that only the train runtime can read: Parquet, Arrow, saved ones, the hub's."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ftui.data.files import layout_of
from ftui.data.layout import Layout
from ftui.data.parts import Time
from ftui.data.row import HINT, LARGEST_ROW, Fault, Group, Row, Unfit, gathered, mark_of, one_by_one
from ftui.errors import DatasetError, RuntimeMissing, TimedOut
from ftui.runtimes.find import Kind, require
from ftui.runtimes.hub_words import Failure, without_tokens
from ftui.runtimes.process import end_group, quiet_environment

_SCRIPT = Path(__file__).parent / "inside" / "dataset_rows.py"
_LIMIT = 300.0
"""Seconds until the next row. The first waits for imports, on a busy machine, or for the hub."""
_BLOCK = 1 << 18
Note = Callable[[str], None]


def read_rows_in_runtime(
    source: str, *, split: str = "", name: str = "", on_note: Note | None = None
) -> Generator[Row | Fault, None, None]:
    """Every row of a Parquet or Arrow file, a saved dataset, or a hub id, and the faults.

    `split`: train, or else the first, where none is named. `name`: the part of a hub dataset that
    has several. `on_note` hears what is to be said about the rows: the split, values that JSON does
    not have. Blocks while it waits; closing it ends its process.

    Raises DatasetError where nothing can be read, RuntimeMissing, TimedOut.
    """
    groups = read_groups_in_runtime(source, split=split, name=name, on_note=on_note)
    try:
        yield from one_by_one(groups)
    finally:
        groups.close()


def read_groups_in_runtime(
    source: str, *, split: str = "", name: str = "", on_note: Note | None = None
) -> Generator[Group, None, None]:
    """The same, some dozens of rows at a time."""
    reading = _Reading(source, layout_of(source), on_note or _nobody)
    asked = {"source": source, "layout": reading.layout, "split": split, "name": name}
    with tempfile.TemporaryFile() as noise:
        process = _start(asked, noise)
        try:
            yield from gathered(reading.items(_lines(process)))
            if not reading.ended:
                raise reading.died(process.wait(), noise)
        finally:
            end_group(process)
            assert process.stdout is not None
            process.stdout.close()


def _nobody(words: str) -> None:
    """Hears a note, where nobody listens."""


def _start(asked: dict[str, str], noise: IO[bytes]) -> subprocess.Popen[bytes]:
    runtime = require(Kind.TRAIN)
    command = [str(runtime.python), str(_SCRIPT), json.dumps(asked)]
    try:
        return subprocess.Popen(
            command,
            env=_environment(is_hub=asked["layout"] == Layout.HUB),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=noise,
            start_new_session=True,
        )
    except OSError as error:
        raise _broken_runtime((error.strerror or str(error)).lower()) from error


def _environment(*, is_hub: bool) -> dict[str, str]:
    """Quiet; but where the hub is to be asked, what a person has set about that counts."""
    environment = quiet_environment()
    if is_hub:
        own = os.environ.get("HF_HUB_OFFLINE")
        environment.pop("HF_HUB_OFFLINE")
        environment |= {} if own is None else {"HF_HUB_OFFLINE": own}
        environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    return environment


def _broken_runtime(why: str) -> RuntimeMissing:
    return RuntimeMissing(
        "the train runtime could not read the dataset",
        why=why,
        hint="ftui doctor tells what is broken",
    )


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What the process writes, line by line. Raises TimedOut."""
    assert process.stdout is not None
    pieces: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(_LIMIT):
                raise TimedOut(
                    f"no row came within {_LIMIT:.0f} s",
                    hint="The machine or the network may be busy: try again.",
                )
            block = os.read(process.stdout.fileno(), _BLOCK)
            if not block:
                return
            first, *others = block.split(b"\n")
            pieces.append(first)
            if others:
                yield b"".join(pieces)
                yield from others[:-1]
                pieces = others[-1:]


@dataclass
class _Reading:
    """One dataset on its way: what its process says, turned into rows and faults."""

    source: str
    layout: Layout
    on_note: Note
    line: int = 0
    ended: bool = False
    times: set[str] = field(default_factory=set)
    """The columns whose text stands for times."""

    def items(self, lines: Iterator[bytes]) -> Iterator[tuple[int, Row | Fault]]:
        """Rows and faults with their size. Raises DatasetError where there is no row at all."""
        import orjson

        for line in lines:
            if len(line) > LARGEST_ROW:
                yield 0, self._fault("", f"this row is larger than {LARGEST_ROW >> 20} MiB")
                continue
            try:
                kind, *rest = orjson.loads(line)
            except ValueError as error:
                yield 0, self._fault("", f"this row cannot be read: {error}")
                continue
            if isinstance(kind, int):
                yield len(line), self._row(kind, *rest)
            elif kind == "fault":
                self.line = rest[0] - 1
                yield 0, self._fault(rest[1], f"this row cannot be read: {rest[2]}")
            elif kind == "note":
                self.on_note(without_tokens(rest[0]))
            elif kind == "times":
                self.times.add(rest[0])
                self.on_note(f"the column {without_tokens(rest[0])}: times are given as text")
            else:
                yield from self._end(kind, *rest)

    def _row(self, number: int, values: dict[str, Any]) -> Row | Fault:
        self.line = number
        for column in self.times & values.keys():
            if type(values[column]) is str:
                values[column] = Time(values[column])
        try:
            return Row(number, values, mark_of(values))
        except Unfit as error:
            return Fault(number, "", f"this row cannot be read: {error}", "Correct or remove it.")

    def _fault(self, field: str, message: str) -> Fault:
        self.line += 1
        return Fault(self.line, field, message, "Remove this row, or write the dataset again.")

    def _end(self, kind: str, chain: Any = ()) -> Iterator[tuple[int, Fault]]:
        """The last line: all was read, or what hindered it."""
        self.ended = True
        if kind == "failed":
            error = Failure.told(self.source, self.layout, chain).error()
            if not self.line:
                raise error
            message = f"{error.what}: {error.why}" if error.why else error.what
            yield 0, Fault(self.line + 1, "", message, error.hint)
        elif not self.line:
            yield 0, Fault(1, "", "the dataset has no rows", HINT)

    def died(self, code: int, noise: IO[bytes]) -> DatasetError | RuntimeMissing:
        """The error for a process that ended without a last line."""
        noise.seek(0)
        lines = noise.read().decode("utf-8", "replace").splitlines()
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return _broken_runtime(without_tokens(said) or f"its process ended with code {code}")
