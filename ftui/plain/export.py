"""Leaves the endpoint of a run's model in place on a target, and says how to call it."""

from __future__ import annotations

import os
import shlex
from typing import Any

from ftui.errors import ExitCode, TargetUnavailable, UsageError
from ftui.plain import console
from ftui.plain.files import told
from ftui.runs.model import Run
from ftui.serve.place import end_left
from ftui.targets import TARGETS, get
from ftui.targets.renting import Exported, Exporting
from ftui.text import duration

KEY_FROM = "FTUI_SERVE_KEY"
"""The variable that holds the key, unless another one is named."""
_SHORTEST_KEY = 16
"""Characters. The endpoint is open to the whole internet."""

_CALL = """\
curl -L {url}/chat/completions \\
  -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
  -d '{{"model": "tuned", "messages": [{{"role": "user", "content": "Hello"}}]}}'

import os
from openai import OpenAI  # pip install openai

client = OpenAI(base_url="{url}", api_key=os.environ["{key}"])
messages = [{{"role": "user", "content": "Hello"}}]
answer = client.chat.completions.create(model="tuned", messages=messages)
print(answer.choices[0].message.content)"""


def export(run: Run, target: str, hours: float | None, key_from: str, *, as_json: bool) -> int:
    """Put the endpoint in place. Raises UsageError, RunFailed, TargetUnavailable, RunNotFound."""
    place = get(target)
    if not isinstance(place, Exporting):
        able = ", ".join(name for name in TARGETS if isinstance(get(name), Exporting))
        raise UsageError(f"{target} leaves no endpoint in place", hint=f"--serve {able}")
    key = _key(key_from)
    try:
        exported = place.export(run, key, hours, lambda words: console.say(f"◌ {words}"))
    except OSError as error:
        where, why = str(error.filename or run.folder), (error.strerror or str(error)).lower()
        raise TargetUnavailable(
            "the endpoint could not be put in place", where=where, why=why
        ) from error
    if as_json:
        console.document(_document(run, target, exported, key_from))
    else:
        _tell(run, place.title, exported, key_from)
    return ExitCode.OK


def end(run: Run) -> int:
    """End what was left in place. Raises UsageError where there is nothing, TargetUnavailable."""
    with told(run):
        end_left(run, lambda words: console.say(f"✓ {words}"))
    return ExitCode.OK


def _key(name: str) -> str:
    """The key that a variable holds. Raises UsageError where it is none; it is not told which."""
    key = os.environ.get(name, "")
    hint = f"export {name}=$(openssl rand -hex 32), and keep it: nobody shows it again"
    if not key:
        raise UsageError(f"the endpoint needs a key, and {name} is not set", hint=hint)
    if len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        what = f"{name} makes no key: {_SHORTEST_KEY} or more letters, digits and signs, no spaces"
        raise UsageError(what, why="anyone on the internet can try to guess it", hint=hint)
    return key


def _document(run: Run, target: str, exported: Exported, key_from: str) -> dict[str, Any]:
    return {
        "run": run.name,
        "target": target,
        "url": f"{exported.url}/v1",
        "models": list(exported.models),
        "key_from": key_from,
        "machine": exported.machine,
        "usd_per_hour": round(exported.dollars, 2),
        "usd_per_hour_idle": 0,
        "prices": exported.prices,
        "idle_seconds": exported.idle_seconds,
        "hours": exported.hours,
        "end": f"ftui export {shlex.quote(run.name)} --end",
        "log": exported.log,
    }


def _tell(run: Run, title: str, exported: Exported, key_from: str) -> None:
    idle = duration(exported.idle_seconds)
    by_itself = "never by itself"
    if exported.hours:
        hours = duration(exported.hours * 3600)
        by_itself = f"by itself after {hours}; if nobody asks then, at the next question"
    busy = f"${exported.dollars:.2f}/h ({exported.machine}; {exported.prices})"
    console.say(f"✓ {run.name} can be asked on {title}")
    console.table(
        [
            ("  address", f"{exported.url}/v1"),
            ("  models", ", ".join(exported.models)),
            ("  key", f"what ${key_from} holds; to change it, run this again with another one"),
            (
                "  costs",
                f"$0 while nobody asks; else {busy}",
            ),
            ("", f"from a question until {idle} after the last one. The first answer takes"),
            ("", "minutes, and whoever knows the address can wake it, with a wrong key too"),
            ("  ends", by_itself),
            ("", f"now: ftui export {run.name} --end, or {exported.end}"),
            ("  log", exported.log),
        ]
    )
    console.line()
    console.line(_CALL.format(url=f"{exported.url}/v1", key=key_from))
