"""Endpoints that serve a run: who is told of them, and whose log is whose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.errors import TargetUnavailable, UsageError
from ftui.plain import runs as plain
from ftui.runs import endpoints, process, store
from ftui.runs.cleanup import Level, clean
from ftui.runs.endpoints import Served
from ftui.runs.listing import Listing
from ftui.runs.model import ProcessId, Run, RunRecord
from ftui.serve import place
from ftui.serve.place import end_left, last_words
from ftui.targets.endpoint import own_log

LEFT = Served("modal", "ftui-amber-serve")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    found = Run(tmp_path / "home" / "runs" / "amber")
    found.folder.mkdir(parents=True)
    store.write_record(found, RunRecord("amber", "nano", "", "local", 1.0, {}))
    found.events_file.write_text('{"v": 1, "ts": 2, "event": "exit", "values": {"code": 0}}\n')
    return found


def me() -> ProcessId:
    found = process.identify(os.getpid())
    assert found is not None
    return found


def test_one_that_stays_is_left_and_one_that_somebody_takes_away_is_not(run: Run) -> None:
    assert endpoints.left(run) == ()
    endpoints.note(run, LEFT)
    kept = Served("modal", "ftui-amber-1a2b", 2.0, me())
    endpoints.note(run, kept)
    assert endpoints.left(run) == (LEFT,)
    assert set(endpoints.known(run)) == {LEFT, kept}
    orphan = replace(kept, keeper=replace(me(), started=me().started - 60))
    endpoints.note(run, orphan)  # its keeper's number is another process's by now
    assert set(endpoints.left(run)) == {LEFT, orphan}
    for one in (LEFT, orphan):
        endpoints.forget(run, one.name)
    assert not (run.folder / endpoints.FOLDER).exists()
    endpoints.forget(run, LEFT.name)


def test_what_is_no_record_is_passed_over(run: Run) -> None:
    endpoints.note(run, LEFT)
    huge = f'{{"target": "modal", "name": "x", "until": 1{"0" * 400}, "keeper": null}}'
    texts = (("a", "{"), ("b", "[]"), ("c", '{"target": "x"}'), ("d", huge))
    for name, text in ((f"{name}.json", text) for name, text in texts):
        (run.folder / endpoints.FOLDER / name).write_text(text)
    assert endpoints.known(run) == (LEFT,)


@pytest.mark.parametrize(
    ("until", "words"),
    [(None, "modal"), (1.0, "modal, its time is up"), (4e9, "modal until 2096-10-0")],
)
def test_it_is_said_when_it_ends_by_itself(until: float | None, words: str) -> None:
    assert replace(LEFT, until=until).words.startswith(words)


# ── What is seen of it ───────────────────────────────────────────────────────────────────────


def test_the_list_of_runs_shows_it_and_how_to_end_it(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = Listing()
    assert listing.look()[0].endpoint == ""
    endpoints.note(run, LEFT)
    [entry] = listing.look()  # though nothing else of the run has changed
    assert entry.endpoint == "◆ modal"
    assert entry.contains(["endpoint", "amber"])
    plain.listing((), sort="newest", as_json=False)
    told = capsys.readouterr()
    assert "◆ endpoint" in told.out
    assert "◆ modal: ftui export amber --end ends it" in told.err
    plain.listing((), sort="newest", as_json=True)
    [document] = json.loads(capsys.readouterr().out)
    assert document["endpoints"] == [{"target": "modal", "name": LEFT.name, "until": None}]
    endpoints.forget(run, LEFT.name)
    assert listing.look()[0].endpoint == ""


def test_a_run_is_not_removed_while_its_folder_is_the_only_word_on_an_endpoint(run: Run) -> None:
    endpoints.note(run, LEFT)
    with pytest.raises(UsageError, match="has an endpoint in place") as caught:
        clean(run, Level.EVERYTHING)
    assert "ftui export amber --end" in caught.value.hint
    clean(run, Level.LEFTOVERS)
    assert endpoints.left(run) == (LEFT,)
    endpoints.forget(run, LEFT.name)
    clean(run, Level.EVERYTHING)
    assert not run.folder.exists()


# ── Ending what was left ─────────────────────────────────────────────────────────────────────


class Place:
    """A target that ends endpoints as a test says."""

    title = "Modal"

    def __init__(self) -> None:
        self.answers: list[bool | TargetUnavailable] = []
        self.ended: list[str] = []

    def export(self, run: Run, key: str, hours: float | None, tell: Callable[[str], None]) -> None:
        raise AssertionError

    def end_export(self, run: Run, name: str) -> bool:
        answer = self.answers.pop(0)
        if isinstance(answer, TargetUnavailable):
            raise answer
        endpoints.forget(run, name)
        self.ended.append(name)
        return answer


def test_every_one_that_was_left_is_ended_and_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, told = Place(), list[str]()
    monkeypatch.setattr(place, "get", lambda name: target)
    with pytest.raises(UsageError, match="no endpoint that was left"):
        end_left(run, told.append)
    endpoints.note(run, LEFT)
    endpoints.note(run, Served("modal", "ftui-amber-1a2b", 1.0))
    endpoints.note(run, Served("modal", "ftui-amber-3c4d", 1.0, me()))
    target.answers = [TargetUnavailable("Modal does not answer"), False]
    with pytest.raises(TargetUnavailable, match="does not answer"):
        end_left(run, told.append)
    assert target.ended == [LEFT.name], "the other one, whatever became of the first"
    target.answers = [True]
    end_left(run, told.append)
    assert target.ended == [LEFT.name, "ftui-amber-1a2b"]
    assert "had ended already" in told[0]
    assert "has ended, and costs nothing more" in told[1]
    assert [one.name for one in endpoints.known(run)] == ["ftui-amber-3c4d"]


# ── Logs ─────────────────────────────────────────────────────────────────────────────────────


def test_two_servers_of_one_run_have_a_log_each_and_each_its_own_last_words(run: Run) -> None:
    with own_log(run.folder) as first, own_log(run.folder) as second:
        assert [Path(log.name).name for log in (first, second)] == ["serve.log", "serve-2.log"]
        for log, dollars in ((first, 1), (second, 2)):
            log.write(f"modal: ended; about ${dollars}.00: L4 for 1 h\n")
            log.flush()
            assert last_words(Path(log.name)) == f"ended; about ${dollars}.00: L4 for 1 h"
    assert last_words(None) == ""
    with own_log(run.folder) as again:
        assert Path(again.name).name == "serve.log"
        assert Path(again.name).read_text() == "", "what an earlier server said is gone"


def test_a_log_is_a_server_s_own_for_as_long_as_that_writes_into_it(run: Run) -> None:
    waits = [sys.executable, "-c", "import sys; sys.stdin.read(); print('bye')"]
    with own_log(run.folder) as log:
        server = subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=log)
    with server, own_log(run.folder) as other:
        assert Path(other.name).name == "serve-2.log"
        server.communicate(timeout=60)
    with own_log(run.folder) as later:
        assert Path(later.name).name == "serve.log"
