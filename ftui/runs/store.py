"""The run folders: made, listed, found by name, their records read and written, their state."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any

from ftui import paths
from ftui.errors import RunNotFound
from ftui.runs import process
from ftui.runs.history import History
from ftui.runs.members import Living, members
from ftui.runs.model import ProcessId, Run, RunRecord, RunState
from ftui.runs.numbers import lost
from ftui.runs.tail import read_history
from ftui.runs.words import WORDS, shuffled

VERSION = 1
LATEST = "latest"
WEIGHTS = (
    "adapter_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "adapter_model.bin",
)
"""What axolotl leaves in out/ when training ends: an adapter, a model, a model in shards."""

_NAMED = 6
"""So many runs are named where several are meant."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def create(preset_name: str) -> Run:
    """Reserve an empty folder under a fresh name: preset, month and day, a word.

    It is no run, and not listed, until it holds run.json. Raises OSError.
    """
    folder = paths.runs_dir()
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names(preset_name):
        run = Run(folder / name)
        try:
            run.folder.mkdir()
        except FileExistsError:
            continue
        return run
    raise AssertionError("there is always a next name")


def list_runs() -> list[Run]:
    """Every run, the one that was started last first. Folders without a readable record are left
    out."""
    found: list[tuple[float, str, Run]] = []
    for run in _candidates():
        try:
            found.append((read_record(run).begun, run.name, run))
        except RunNotFound:
            continue
    return [run for _, _, run in sorted(found, reverse=True)]


def folders() -> list[Run]:
    """All that has a run's name, in no order; it is a run when there is a record in it."""
    folder = paths.runs_dir()
    if not folder.is_dir():
        return []
    return [Run(path) for path in folder.iterdir() if _NAME.fullmatch(path.name)]


def _candidates() -> list[Run]:
    """Folders that have a run's name and a record."""
    return [run for run in folders() if _has_record(run)]


def _has_record(run: Run) -> bool:
    """Whether it is a run; one that may not be looked into is, for all that can be known."""
    try:
        return run.record_file.is_file()
    except PermissionError:
        return True


def find(name: str, *, whole: bool = False) -> Run:
    """The run of that name, or the newest for `latest`. Raises RunNotFound with the nearest.

    Unless the `whole` name is wanted, the beginning or the last words of it do where only one run
    has them: `nano-sql`, `amber`. The newest is one that was started, unless none was: `--dry-run`
    only writes files.
    """
    if name == LATEST:
        runs = list_runs()
        if not runs:
            raise RunNotFound("there are no runs yet", hint="start one: ftui")
        return next((run for run in runs if run.events_file.exists()), runs[0])
    run = Run(paths.runs_dir() / name)
    if _NAME.fullmatch(name) and _has_record(run):
        return run
    names = [run.name for run in _candidates()]
    fitting = [each for each in names if _abbreviates(name, each)]
    if len(fitting) == 1 and not whole:
        return Run(paths.runs_dir() / fitting[0])
    if len(fitting) > 1 and not whole:
        shown = ", ".join(sorted(fitting)[:_NAMED]) + (", …" if len(fitting) > _NAMED else "")
        raise RunNotFound(f"{len(fitting)} runs are called {name!r} for short", hint=shown)
    near = fitting or difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "see them all: ftui runs"
    raise RunNotFound(f"there is no run {name!r}", hint=hint)


def _abbreviates(short: str, name: str) -> bool:
    return bool(short) and (name.startswith(short) or name.endswith(f"-{short}"))


def read_record(run: Run) -> RunRecord:
    """run.json. Keys of a newer ftui are passed over. Raises RunNotFound if it cannot be read."""
    try:
        raw = _parsed(run.record_file.read_text(encoding="utf-8"))
        known = {field.name: raw[field.name] for field in _FIELDS if field.name in raw}
        known["command"] = tuple(known.get("command", ()))
        for key in ("trainer", "supervisor"):
            known[key] = ProcessId(**known[key]) if known.get(key) else None
        known["launched"] = float(known.get("launched", 0.0))
        return _sound(RunRecord(**{**known, "name": run.name, "created": float(known["created"])}))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunNotFound(
            "its record cannot be read",
            where=str(run.record_file),
            why=_why(error),
            hint="the run's other files are plain and can be read without it",
        ) from error


def _sound(record: RunRecord) -> RunRecord:
    """The record itself. Raises ValueError where it holds what no ftui has written."""
    words = (record.preset, record.title, record.target)
    processes = [one for one in (record.trainer, record.supervisor) if one is not None]
    if not (
        all(isinstance(word, str) for word in words)
        and all(map(math.isfinite, (record.created, record.launched)))
        and isinstance(record.settings, dict)
        and all(type(one.pid) is int and one.pid > 0 for one in processes)
        and all(isinstance(one.started, (int, float)) for one in processes)
    ):
        raise ValueError("a value in it is of the wrong kind")
    return record


def write_record(run: Run, record: RunRecord) -> None:
    """Write run.json so that a reader never sees half of it. Raises OSError."""
    raw = {"v": VERSION, **dataclasses.asdict(record)}
    text = json.dumps(raw, indent=2, ensure_ascii=False, default=str)  # YAML has dates
    paths.write_atomic(run.record_file, text + "\n")


def has_weights(run: Run) -> bool:
    """Whether axolotl left an adapter or a model in the output folder."""
    return any((run.output_dir / name).is_file() for name in WEIGHTS)


def state(run: Run, history: History | None = None, found: Living | None = None) -> RunState:
    """Where the run stands, by what its files say and whether its processes are alive.

    `history` spares reading all events again. It may be a moment old: an end that it has not seen
    yet is looked up. `found` spares looking at all processes for each of many runs.
    """
    return state_of(run, read_record(run), history or read_history(run), found)


def state_of(
    run: Run, record: RunRecord, history: History, found: Living | None = None
) -> RunState:
    """The same for who has read the record already."""
    if history.exit_code is None:
        # The supervisor still has the end to write down when the trainer is gone; and workers go
        # on training when both are.
        known = (record.trainer, record.supervisor)
        if any(one and process.alive(one) for one in known) or members(run, found):
            return _running(run, history)
        history = read_history(run)
    standing = _ended(run, record, history)
    if standing in (RunState.DONE, RunState.STOPPED) and lost(history) is not None:
        return RunState.NUMBERS_LOST
    return standing


def _ended(run: Run, record: RunRecord, history: History) -> RunState:
    """How a run ended, whatever became of its numbers."""
    finished = history.saved or (history.train_ended and history.exit_code == 0)
    cut_short = history.step < history.max_steps and _asked_to_stop(run, history)
    if finished and not cut_short and has_weights(run):
        return RunState.DONE
    if _asked_to_stop(run, history) and not _unheard(record, history):
        return RunState.STOPPED
    if history.exit_code is not None:
        return RunState.STOPPED if history.exit_code == 0 and has_weights(run) else RunState.FAILED
    return RunState.CREATED if record.trainer is None else RunState.INTERRUPTED


def may_be_at_work(run: Run) -> bool:
    """Whether it is elsewhere and nobody has heard of its end. Raises RunNotFound, OSError."""
    return _unheard(read_record(run), read_history(run))


def _unheard(record: RunRecord, history: History) -> bool:
    """Whether it is elsewhere and nobody has heard of its end: it may be at work, and cost."""
    return record.is_elsewhere and history.exit_code is None


def _asked_to_stop(run: Run, history: History) -> bool:
    """The file is there a moment before the event, and where a full disk has no room for one."""
    return history.stop_requested or run.stop_file.exists()


def _running(run: Run, history: History) -> RunState:
    if _asked_to_stop(run, history):
        return RunState.STOPPING
    return RunState.TRAINING if history.training else RunState.STARTING


def _names(preset_name: str) -> Iterator[str]:
    """Names to try: every word once, then the words with numbers."""
    base = re.sub(r"[^a-z0-9.]+", "-", preset_name.lower()).strip("-.") or "run"
    day = time.strftime("%m%d")
    words = shuffled(WORDS)
    yield from (f"{base}-{day}-{word}" for word in words)
    number = 2
    while True:
        yield from (f"{base}-{day}-{word}-{number}" for word in words)
        number += 1


def _parsed(text: str) -> Any:
    """orjson is four times as fast, which thousands of runs need, but reads no NaN."""
    import orjson

    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return f"{error}" if isinstance(error, ValueError) else "it lacks what every record has"


_FIELDS: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(RunRecord)
