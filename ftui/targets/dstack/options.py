"""What a person can say about a run on dstack beside its plan. Everything has a safe default."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftui.errors import UsageError
from ftui.plan.plan import Plan
from ftui.targets.remote.wishes import kept, parsed

KEY = "dstack"
"""Where run.json keeps it, under `extra`."""

SPOT = ("auto", "spot", "on-demand")
_DURATION = (r"\d+[smhdw]", "a duration, such as 30m or 12h")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LEAST_SECONDS, _MOST_SECONDS = 180, 30 * 86400
LEAST_GRACE_SECONDS, _MOST_GRACE_SECONDS = 60, 900
_MOST_DOLLARS = 1000.0
"""Whoever asks for a longer time, or a dearer machine, has slipped on the keyboard."""
_CARD = r"[A-Za-z][A-Za-z0-9._+-]*"
_FORMS: Mapping[str, tuple[str, str]] = {
    "project": (r"[A-Za-z0-9][\w.-]*", "the name of a project that you are logged in to"),
    "install": ("", "yes or no"),
    "gpu": (rf"{_CARD}(?:,{_CARD})*(?::\d+GB)?", "a GPU's name, as A100 or A100:80GB"),
    "spot_policy": ("|".join(SPOT), f"one of {', '.join(SPOT)}"),
    "max_price": ("", f"a number of dollars an hour, at most {_MOST_DOLLARS:.0f}"),
    "max_duration": (_DURATION[0], "a duration from 3m to 30d, such as 12h"),
    "idle_duration": _DURATION,
    "retry_duration": _DURATION,
    "create_secrets": ("", "yes or no"),
    "volume": (r"[a-z][a-z0-9-]{1,40}", "the name of a volume of the project"),
    "nodes": (r"[1-9]|[1-5]\d|6[0-4]", "a number of machines, at most 64"),
}
"""By option: how it is written, and that in words."""
_SWITCHES = ("install", "create_secrets")
_YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}
_GPU_DOLLARS = 4.0
"""$/h of one GPU that nobody is surprised by: an H100 costs less, eight of them do not."""
_CPU_DOLLARS = 1.0


@dataclass(frozen=True)
class Options:
    """How the machine is chosen and when it is given back. Durations as dstack writes them."""

    project: str = ""
    """One that the person is logged in to; empty = the one that dstack itself would take."""
    install: bool = False
    """Whether axolotl is installed by hand on dstack's own image, instead of axolotl's image."""
    gpu: str = ""
    """A GPU's name, such as `A100` or `A100:80GB`; empty = any that has the memory."""
    spot_policy: str = "auto"
    max_price: float = 0.0
    """$/h; 0 = four dollars a GPU, or one dollar where there is none."""
    max_duration: str = "12h"
    idle_duration: str = "5m"
    """How long an unused machine is kept. dstack's own default is three days."""
    retry_duration: str = "1h"
    """How long another machine is looked for when there is none, or it was taken away."""

    create_secrets: bool = False
    """Whether secrets that the project lacks are made of this environment's variables."""

    nodes: int = 1
    """Machines that train together, each with so many GPUs."""

    volume: str = ""
    """A volume of the project that is mounted at paths.VOLUME; empty = none."""

    @property
    def all_seconds(self) -> int:
        """How long all tries may take together, from the submission: one that gets its machine as
        late as possible has its whole time."""
        return seconds(self.retry_duration) + seconds(self.max_duration)

    @property
    def grace_seconds(self) -> int:
        """How long before the end of a try its training saves and ends, for the results to come
        home: a tenth of it, within limits."""
        tenth = seconds(self.max_duration) // 10
        return min(max(tenth, LEAST_GRACE_SECONDS), _MOST_GRACE_SECONDS)

    def price_cap(self, gpus: int) -> float:
        """The most that an hour of one machine may cost, in dollars."""
        return self.max_price or (_GPU_DOLLARS * gpus if gpus else _CPU_DOLLARS)


def read(extra: Mapping[str, Any]) -> Options:
    """The options in run.json's `extra`; what is missing or of the wrong kind is the default."""
    return kept(Options, extra, KEY)


def parse(wishes: Mapping[str, str]) -> Options:
    """What a person typed, such as `{"gpu": "A100", "max_price": "2"}`. Raises UsageError."""
    return parsed(Options, wishes, "dstack", _value)


def of(plan: Plan) -> Options:
    """What a plan asks of its machines, or its preset does. Raises UsageError."""
    wanted = plan.preset.needs.machines
    return parse({"nodes": str(wanted), **plan.machine} if wanted > 1 else plan.machine)


def seconds(duration: str) -> int:
    """A duration as dstack writes it. Raises UsageError."""
    form, words = _DURATION
    if not re.fullmatch(form, duration, re.ASCII):
        raise UsageError(f"{duration!r} is not {words}")
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _value(name: str, text: str) -> Any:
    if name in _SWITCHES and text.lower() in _YES_OR_NO:
        return _YES_OR_NO[text.lower()]
    if name == "max_price":
        with contextlib.suppress(ValueError):
            if 0 < float(text) <= _MOST_DOLLARS:
                return float(text)
    elif name not in _SWITCHES and re.fullmatch(_FORMS[name][0], text, re.ASCII):
        if name == "nodes":
            return int(text)
        if name != "max_duration" or _LEAST_SECONDS <= seconds(text) <= _MOST_SECONDS:
            return text
    wanted = _FORMS[name][1]
    raise UsageError(f"{text!r} is not {wanted}", where=f"--machine {name}={text}")
