"""Writes a run's modal_app.py: the file that ships with ftui, its first lines filled in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from ftui.runs.model import Run
from ftui.runs.store import read_record

FILE = "modal_app.py"
ENDPOINT = "endpoint"
"""What endpoints read is in this folder of the run's: a training begins the others anew."""
LEFT = "serve"
"""The name of the endpoint that stays; a chat's is made up for it."""
_NAME_LENGTH = 58
"""Of an app on Modal 64 at most; the endpoint's is longer by `-serve`."""
_SECRETS = re.compile(r"^SECRETS: list\[str\] = (\[.*?\])", re.MULTILINE)
_TAIL = re.compile(r"-\d{4}-[a-z]+(-\d+)?-[0-9a-f]{6}$")
"""Day, word and what comes after them, which tell a run from others of its preset."""


@dataclass(frozen=True)
class Values:
    """What is filled in."""

    place: str
    """Its folder on the volume; see place_of."""
    gpu: str
    """As Modal writes it, `H100:2`; empty = none."""
    gpus: int
    retries: int
    max_hours: float
    secrets: tuple[str, ...] = ()
    """Names of secrets that the workspace has."""
    serve_gpu: str = ""
    """What serves the result, as Modal writes it; empty = what it was trained on."""


def place_of(run: Run) -> str:
    """The name of a run on Modal: `nano-1128-amber-3f9a01`. Raises RunNotFound.

    Others of the workspace may have a run of the same name; none was made in the same microsecond.
    It is the same wherever the run folder is.
    """
    made = f"{run.name} {read_record(run).created!r}"
    return f"{run.name}-{hashlib.sha256(made.encode()).hexdigest()[:6]}"


def app_name(place: str) -> str:
    """The name of a run's app: `[A-Za-z0-9._-]`, at most 64 characters with what comes after."""
    name = f"ftui-{place}"
    end = _TAIL.search(name)
    tail = end[0] if end else ""
    return name[: _NAME_LENGTH - len(tail)].removesuffix(tail).rstrip("-.") + tail


def endpoint_app(place: str, name: str = LEFT) -> str:
    """The app of an endpoint; the usual one as `modal deploy modal_app.py::serve_app` has it."""
    return f"{app_name(place)}-{name}"


def endpoint_folder(name: str) -> str:
    """What an endpoint reads, and no other one, seen from the run's folder on the volume."""
    return f"{ENDPOINT}/{name}"


def secrets_in(file: Path) -> tuple[str, ...]:
    """The secrets that a run's modal_app.py names; none where there is no such file."""
    with contextlib.suppress(OSError, ValueError):
        line = _SECRETS.search(file.read_text(encoding="utf-8"))
        return tuple(json.loads(line[1])) if line else ()
    return ()


def text(values: Values) -> str:
    """The text of modal_app.py for a run."""
    filled = {
        "RUN": json.dumps(values.place),
        "APP": json.dumps(app_name(values.place)),
        "GPU": json.dumps(values.gpu),
        "GPUS": str(values.gpus),
        "RETRIES": str(values.retries),
        "MAX_HOURS": f"{values.max_hours:.4g}",
        "SECRETS": json.dumps(list(values.secrets)),
    }
    if values.serve_gpu or values.gpu:
        filled["SERVE_GPU"] = json.dumps(values.serve_gpu or values.gpu)
    found = Path(__file__).with_name(FILE).read_text(encoding="utf-8")
    for name, value in filled.items():
        found = _filled(found, name, value)
    return found


def _filled(source: str, name: str, value: str) -> str:
    """The text with another value of a constant; what is written beside it stays."""
    line = re.compile(rf"^({name}(?:: [^=]+)? = )(?:\"[^\"]*\"|\[\]|[\d.]+)", re.MULTILINE)
    found, count = line.subn(lambda match: match[1] + value, source, count=1)
    assert count == 1, name
    return found
