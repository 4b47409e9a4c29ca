"""A minute without any network, with Modal's real client and container runtime."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftui.runs import store
from ftui.runs.model import RunState
from tests.standins import secrets
from tests.standins.modal_server.lab import Lab, lab
from tests.standins.modal_server.people import (
    LIMIT,
    come_to,
    come_to_end,
    end_follower,
    launched,
    let,
    log_of,
)
from tests.standins.modal_server.wire import Network
from tests.standins.runs import failure_words, history, state, told_in_order, wait_for

CUT_SECONDS = 60.0
STEPS = 10


@pytest.fixture(scope="module")
def modal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("modal")) as made:
        yield made


@pytest.fixture
def network(modal: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """All that this machine has of the way to Modal; nothing is at work afterwards."""
    for name in secrets.NAMES:
        monkeypatch.delenv(name, raising=False)
    modal.play_scripted(STEPS)
    made = Network(modal)
    with made.laid() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield made
        for run in store.list_runs():
            end_follower(run)
    modal.mend()


def test_a_minute_without_a_network_loses_and_doubles_nothing(modal: Lab, network: Network) -> None:
    run = launched()
    let(modal, run, 2)
    come_to(run, 2)

    network.cut()
    mended_at = time.monotonic() + CUT_SECONDS
    let(modal, run, 6)
    truth = modal.container(run) / "truth"
    wait_for(lambda: "log:6" in truth.read_text(), "steps that nobody hears of", LIMIT)
    wait_for(lambda: history(run).silence is not None, "a word on the silence", LIMIT)
    assert history(run).step == 2
    assert state(run) is RunState.TRAINING
    assert "nothing is heard from Modal since" in log_of(run), "it is told while it lasts"
    time.sleep(max(0.0, mended_at - time.monotonic()))
    network.mend()

    come_to(run, 6)
    wait_for(lambda: history(run).silence is None, "the end of the silence", LIMIT)
    let(modal, run, STEPS)
    come_to_end(run)
    assert state(run) is RunState.DONE, failure_words(run)
    assert told_in_order(run) == truth.read_text().split()
    steps = [point.step for point in history(run).series["loss"]]
    assert steps == list(range(1, STEPS + 1))
    log = log_of(run)
    silences = re.findall(r"nothing is heard from Modal since \d\d:\d\d:\d\d", log)
    assert len(silences) == log.count("Modal answers again") >= 1
    weights = Path("out") / "adapter_model.safetensors"
    assert (run.folder / weights).read_bytes() == (modal.kept(run) / weights).read_bytes()
    assert "each verified by its sha256" in log
    assert modal.at_work() == []
    assert modal.deployed() == []
