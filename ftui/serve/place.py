"""Where a run's model is served: on this machine, or on one of a target that rents machines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from ftui.runs.model import Run
from ftui.serve.server import serve_run
from ftui.targets import get
from ftui.targets.base import Serving
from ftui.targets.endpoint import Endpoint, Phase

HOURS = 1.0
"""A rented machine is given back after so many hours, whoever still talks to it."""

Serve = Callable[[Run, Callable[[Phase], None]], AbstractAsyncContextManager[Endpoint]]
"""Starts a server, tells how far it is, and ends it when the context is left."""


def serving_on(name: str, hours: float = HOURS) -> Serve:
    """How a run is served on a target. Raises UsageError for one that there is not."""
    target = get(name)
    if isinstance(target, Serving):
        return lambda run, on_phase: target.serve(run, on_phase, hours)
    return serve_run
