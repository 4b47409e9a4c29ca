"""A run with an adapter, and a person who serves it on a stand-in dstack server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ftui import paths
from ftui.errors import FtuiError
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import write_record
from ftui.serve.place import Where
from ftui.targets.dstack.serve import start
from tests.standins.adapter import make_run
from tests.standins.dstack_server import DstackServer
from tests.standins.openai_server import OpenAIServer, Reply

NAME = "serve-amber"
"""What the run's service is called."""
QUESTION = [{"role": "user", "content": "Hello"}]


@contextmanager
def logged_in(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[DstackServer]:
    """A server that the person is logged in to, and a model in its containers.

    Everything of theirs is in the folder, and nothing waits for long.
    """
    patch.setenv("HOME", str(folder / "person"))
    patch.setenv("FTUI_HOME", str(folder / "ftui"))
    patch.delenv("DSTACK_PROJECT", raising=False)
    patch.setattr(start, "_POLL_SECONDS", 0.02)
    patch.setattr(start, "_LAST_WORDS_SECONDS", 0.2)
    with (
        OpenAIServer(lambda request: Reply([f"I am {request['model']}"])) as model,
        DstackServer(model_port=model.port) as server,
    ):
        server.log_in(folder / "person")
        yield server


@pytest.fixture
def dstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DstackServer]:
    """A server that knows the person."""
    with logged_in(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture
def run(dstack: DstackServer) -> Run:
    """A run with an adapter, of that person."""
    return trained()


@pytest.fixture
def serving_it(run: Run) -> Callable[[], Any]:
    """Serves the run for as long as a context lasts."""
    return lambda: Where("dstack", 0.5).serve(run, lambda _: None)


def trained() -> Run:
    """A run with an adapter, trained here."""
    run = make_run()
    write_record(run, RunRecord(run.name, "nano-sql-lora", "Nano writes SQL", "local", 0.0, {}))
    return run


def records() -> list[Path]:
    """The services that ftui has on record."""
    return sorted(paths.servers_dir().glob("*.dstack"))


async def refused(run: Run) -> FtuiError:
    """Why a run is not served."""
    with pytest.raises(FtuiError) as caught:
        async with Where("dstack").serve(run, lambda _: None):
            pass
    return caught.value
