"""Runs inside the train runtime: the rows of one dataset, a JSON array a line, to its end.

In:  one argument, {"source": "rows.parquet", "layout": "Parquet", "split": "", "name": ""}
Out: ["note", "the column id: bytes are given as null"]    what is to be said about the rows
     ["times", "created"]                                  a column whose text stands for times
     [1, {"text": "a"}]                                    row 1
     ["fault", 2, "text", "why row 2 cannot be read"]
     ["end"]                                               or, when it cannot go on:
     ["failed", [{"names": ["ArrowInvalid", …], "text": "…", "status": null}, …]]

Stands alone: no ftui import. What went wrong is told as the exception and what caused it.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Whatever the libraries print must not end up between our lines.
PROTOCOL = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
os.dup2(2, 1)

import pyarrow  # type: ignore[import-not-found]  # noqa: E402

ROWS = 64
"""Rows that are converted at a time."""
UNREADABLE = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError)
TIMES = (datetime.date, datetime.time, datetime.timedelta)
Row = dict[str, Any]
told: set[str] = set()
timed: set[str] = set()


def say(*words: Any) -> None:
    """Send one line. Raises TypeError or ValueError for what JSON does not have."""
    line = json.dumps(words, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    PROTOCOL.write(line + "\n")


def note(words: str) -> None:
    """Say something about the rows, once."""
    if words not in told:
        told.add(words)
        say("note", words)


def times(column: str) -> None:
    """Say that a column holds times, which are given as text, once and before its first row."""
    if column not in timed:
        timed.add(column)
        say("times", column)


def fail(
    kind: type[BaseException], error: BaseException, trace: types.TracebackType | None
) -> None:
    """Say what ended the script."""
    chain: list[dict[str, Any]] = []
    here: BaseException | None = error
    while here is not None and len(chain) < 6:
        status = getattr(getattr(here, "response", None), "status_code", None)
        names = [each.__name__ for each in type(here).__mro__]
        chain.append({"names": names, "text": str(here)[:2000], "status": status})
        here = here.__cause__ or here.__context__
    say("failed", chain)
    PROTOCOL.flush()


def plain(value: Any, column: str) -> Any:
    """A value as JSON has it; what it has no word for is noted."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else nothing(column, "NaN and infinity are")
    if isinstance(value, dict):
        return {str(key): plain(item, column) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, column) for item in value]
    return foreign(value, column)


def foreign(value: Any, column: str) -> Any:
    """The same for what is no value of JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return nothing(column, "bytes are")
    if isinstance(value, TIMES):
        times(column)
        return str(value) if isinstance(value, datetime.timedelta) else value.isoformat()
    if isinstance(value, decimal.Decimal):
        note(f"the column {column}: decimal numbers are given as floats")
        return plain(float(value), column)
    if hasattr(value, "tolist"):  # NumPy
        return plain(value.tolist(), column)
    note(f"the column {column}: values of the kind {type(value).__name__} are given as text")
    return str(value)


def nothing(column: str, what: str) -> None:
    """Note that a value is left out."""
    note(f"the column {column}: {what} given as null")


def send(number: int, row: Row) -> None:
    """Send one row."""
    try:
        say(number, row)
    except (TypeError, ValueError):
        say(number, {key: plain(value, key) for key, value in row.items()})


def from_batches(batches: Iterator[Any]) -> None:
    """Send the rows of Arrow batches, a few at a time."""
    number = 1
    for batch in batches:
        unpack = {field.name: reader(field.type) for field in batch.schema}
        for start in range(0, batch.num_rows, ROWS):
            part = batch.slice(start, ROWS)
            for index, row in enumerate(rows_of(part), number):
                if isinstance(row, Bad):
                    say("fault", index, row.column, row.why)
                else:
                    send(index, {key: unpack[key](value) for key, value in row.items()})
            number += part.num_rows


class Bad:
    """A row that cannot be read, for instance a text that is no UTF-8."""

    def __init__(self, column: str, why: Exception) -> None:
        self.column = column
        self.why = str(why)


def rows_of(batch: Any) -> list[Any]:
    """The rows of a batch. Where one cannot be read, each is tried alone."""
    try:
        return list(batch.to_pylist())
    except UNREADABLE as error:
        if batch.num_rows > 1:
            return [row for i in range(batch.num_rows) for row in rows_of(batch.slice(i, 1))]
        return [Bad(bad_column(batch), error)]


def bad_column(batch: Any) -> str:
    """The first column of a batch that cannot be read."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.to_pylist()
        except UNREADABLE:
            return str(name)
    return ""


def reader(kind: Any) -> Callable[[Any], Any]:
    """What reads the JSON that `datasets` stores where types are mixed (its feature Json)."""
    if isinstance(kind, getattr(pyarrow, "JsonType", ())):
        return lambda text: None if text is None else json.loads(text)
    if pyarrow.types.is_struct(kind):
        fields = {field.name: reader(field.type) for field in kind}
        if all(read is same for read in fields.values()):
            return same
        return lambda value: value and {key: fields[key](item) for key, item in value.items()}
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        inner = reader(kind.value_type)
        return same if inner is same else lambda value: value and [inner(item) for item in value]
    return same


def same(value: Any) -> Any:
    """The value itself."""
    return value


def from_parquet(path: str) -> Iterator[Any]:
    """The batches of a Parquet file."""
    import pyarrow.parquet  # type: ignore[import-not-found]

    with pyarrow.parquet.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=ROWS)


def from_arrow(path: str) -> Iterator[Any]:
    """The batches of an Arrow file, of either format, mapped into memory."""
    with pyarrow.memory_map(path) as mapped:
        if mapped.read(6) == b"ARROW1":
            file = pyarrow.ipc.open_file(mapped)
            yield from (file.get_batch(index) for index in range(file.num_record_batches))
        else:
            mapped.seek(0)
            yield from pyarrow.ipc.open_stream(mapped)


def from_saved(folder: Path, split: str) -> Iterator[Any]:
    """The batches of what `datasets.save_to_disk` wrote."""
    splits = folder / "dataset_dict.json"
    if splits.is_file():
        folder = folder / chosen(json.loads(splits.read_text(encoding="utf-8"))["splits"], split)
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    if state.get("_indices_data_files"):
        raise ValueError("an old version of datasets saved it with a selection of rows: save again")
    for file in state["_data_files"]:
        yield from from_arrow(str(folder / file["filename"]))


def from_hub(source: str, name: str, split: str) -> None:
    """Send the rows of a dataset on the hub as they come."""
    import datasets  # type: ignore[import-not-found]

    hasten(datasets.config)
    splits = datasets.load_dataset(source, name=name or None, streaming=True)
    rows = splits[chosen(list(splits), split)]
    for number, row in enumerate(rows.decode(False), start=1):
        send(number, row)


def hasten(config: Any) -> None:
    """Say at once that the hub does not answer: its libraries try for minutes without a word."""
    from huggingface_hub import utils  # type: ignore[import-not-found]

    for name in ("READ_MAX_RETRIES", "READ_RETRY_INTERVAL", "OPEN_MAX_RETRIES"):
        setattr(config, f"STREAMING_{name}", 2)
    for name in ("http_backoff", "http_stream_backoff"):
        defaults = getattr(getattr(utils, name, None), "__kwdefaults__", None)
        if defaults and "max_retries" in defaults:
            defaults["max_retries"] = 0


def chosen(splits: list[str], wanted: str) -> str:
    """The split to read: the one that is wanted, train, or the first. It is noted."""
    if wanted and wanted not in splits:
        raise ValueError(f"Unknown split {wanted}: there are {', '.join(splits)}")
    split = wanted or ("train" if "train" in splits else splits[0])
    others = ", ".join(name for name in splits if name != split)
    note(f"the split {split} is read" + (f"; there are also {others}" if others else ""))
    return split


def main() -> None:
    """Send everything there is."""
    sys.excepthook = fail
    asked = json.loads(sys.argv[1])
    source, layout = asked["source"], asked["layout"]
    if layout == "hub dataset":
        from_hub(source, asked["name"], asked["split"])
    elif layout == "Parquet":
        from_batches(from_parquet(source))
    elif layout == "Arrow":
        from_batches(from_arrow(source))
    else:
        from_batches(from_saved(Path(source), asked["split"]))
    say("end")
    PROTOCOL.flush()


if __name__ == "__main__":
    main()
