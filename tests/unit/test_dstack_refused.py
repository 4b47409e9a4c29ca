"""A launch that is refused leaves no run behind (targets/launch.py)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftui.errors import ConfigError, FtuiError, TargetUnavailable
from ftui.plan.plan import start
from ftui.plan.presets import find
from ftui.runs import events, store
from ftui.runs.model import Run, RunRecord
from ftui.targets.base import GoingOn, NotStarted
from ftui.targets.launch import launch
from ftui.targets.local import LocalTarget
from ftui.targets.prepare import prepare
from tests.standins.dstack_service import logged_in
from tests.unit.command import ftui

REFUSED = TargetUnavailable("no machine for it now")


class Target(LocalTarget):
    """Does something with the folder, then refuses the run."""

    name = "dstack"

    def __init__(
        self, before: Callable[[Run], object], error: FtuiError = REFUSED, *, known: bool = False
    ) -> None:
        self._before, self._error, self._known = before, error, known

    def launch(self, run: Run, going_on: GoingOn | None = None) -> None:
        self._before(run)
        raise self._error

    def is_known(self, record: RunRecord) -> bool:
        return self._known


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    return prepare(start(find("nano-sql-lora")), LocalTarget())


def refused(run: Run, target: Target) -> bool:
    """Whether the run is still there."""
    with pytest.raises(FtuiError, match=target._error.what):
        launch(target, run)
    return run.folder.exists()


def test_nothing_of_it_is_left(run: Run) -> None:
    assert not refused(run, Target(lambda run: (run.folder / "dstack.log").touch()))
    assert store.folders() == []


@pytest.mark.parametrize(
    "target",
    [
        Target(lambda run: None, known=True),
        Target(lambda run: (run.folder / "dstack.log").write_text("Traceback")),
        Target(lambda run: events.append(run.events_file, "launched")),
    ],
    ids=["the other side may have it", "a log says more", "it was launched"],
)
def test_what_may_matter_stays(run: Run, target: Target) -> None:
    assert refused(run, target)


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (NotStarted("its supervisor gave no sign of life"), True),
        (ConfigError("no such optimizer", where="config.yml:3"), True),
        (TargetUnavailable("no machine", where="/some/where/else"), False),
    ],
    ids=["it may be at work", "its config is to be read", "a plain refusal"],
)
def test_an_error_that_speaks_of_the_folder_keeps_it(
    run: Run, error: FtuiError, stays: bool
) -> None:
    assert refused(run, Target(lambda run: None, error)) is stays


def test_a_refusal_that_names_the_folder_by_the_way_leaves_no_run(run: Run) -> None:
    error = TargetUnavailable("no machine", where=str(run.folder))
    assert not refused(run, Target(lambda run: None, error))


def test_a_project_without_machines_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FTUI_SERVE_PYTHON", sys.executable)
    with logged_in(tmp_path, monkeypatch) as server:
        server.offers = []
        done = ftui(capfd, "--preset", "nano-sql-lora", "--target", "dstack", "-y")
    assert done.code == 3
    assert "no machine for this run now" in done.err
    assert "nothing of it is kept" in done.err
    assert store.folders() == []
