"""The list of runs: quick, and never of another opinion than a look at everything."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ftui import paths
from ftui.cli import cli
from ftui.runs import last_lines, listing, store
from ftui.runs.events import Event, parse
from ftui.runs.last_lines import read_end
from ftui.runs.listing import Entry, Listing, ago, chosen
from ftui.runs.members import Living
from ftui.runs.model import ProcessId, Run, RunRecord, RunState
from ftui.runs.tail import read_history

FILES = 400
SEED = 5
GONE = ProcessId(pid=2**22 - 1, started=1.0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))


def made(name: str, created: float = 1.0, **more: Any) -> Run:
    """A run whose trainer is gone."""
    run = Run(paths.runs_dir() / name)
    run.output_dir.mkdir(parents=True)
    record = RunRecord(
        name=name,
        preset="nano",
        title="",
        target="local",
        created=created,
        settings={},
        trainer=GONE,
    )
    store.write_record(run, replace(record, **more))
    return run


def line(kind: str, step: int = 0, max_steps: int = 0, **values: Any) -> str:
    event = {"v": 1, "ts": 1.0, "event": kind, "step": step, "max_steps": max_steps}
    return json.dumps({**event, "values": values}) + "\n"


def ended(run: Run, *, steps: int = 10, code: int = 0, weights: bool = True) -> Run:
    told = [line("launched"), line("train_begin", 0, steps)]
    told += [line("log", step, steps, loss=1 / step) for step in range(1, steps + 1)]
    if weights:
        (run.output_dir / "adapter_model.safetensors").write_text("")
        told += [line("train_end", steps, steps), line("saved")]
    run.events_file.write_text("".join([*told, line("exit", code=code)]))
    return run


# ── The last lines say the same as all of them ───────────────────────────────────────────────


def history_of_a_run(chance: random.Random) -> Iterator[str]:
    """What plugin and supervisor write, in up to three tries that end in every way; torn lines."""
    max_steps, reached = chance.choice((3, 30, 300)), 0
    for _ in range(chance.randint(1, 3)):
        yield line("launched", pid=1)
        if chance.random() < 0.8:
            reached = chance.randint(0, reached)
            yield line("train_begin", reached, max_steps, output_dir="out")
            yield from steps(chance, reached, max_steps)
            reached = max_steps
            yield from ending(chance, max_steps)
        if chance.random() < 0.85:
            yield line("exit", code=chance.choice((0, 0, 1, -9)), why="x" * chance.randint(0, 900))
        if chance.random() < 0.1:
            yield line("stop_requested")


def steps(chance: random.Random, first: int, last: int) -> Iterator[str]:
    every = chance.choice((1, 7, 1000))
    asked = chance.randint(first, 3 * last)
    for step in range(first + 1, last + 1):
        yield line("step", step, last)
        if step == asked:
            yield line("stop_requested")
            if chance.random() < 0.5:
                return
        if step % every == 0:
            loss = chance.choice((*[0.5] * 8, "nan", "broken"))
            norm = {"grad_norm": chance.choice((*[0.1] * 8, "nan", "inf"))}
            norm = norm if chance.random() < 0.95 else {}
            yield line("log", step, last, loss=loss, note="y" * 100, **norm)
        if chance.random() < 0.02:
            yield line("save", step, last, path=f"out/checkpoint-{step}")
        if chance.random() < 0.02:
            yield '{"v": 1, "event": "launched'  # torn: the next line is lost with it


def ending(chance: random.Random, max_steps: int) -> Iterator[str]:
    if chance.random() < 0.8:
        yield line("train_end", max_steps, max_steps)
    if chance.random() < 0.7:
        yield line("saved")
    if chance.random() < 0.1:
        yield line("evaluating", 0, 0) * 100


def test_a_look_at_the_end_agrees_with_a_look_at_everything() -> None:
    chance = random.Random(SEED)
    expected, short = {}, 0
    for number in range(FILES):
        run = made(f"run-{number}")
        text = "".join(history_of_a_run(chance))
        run.events_file.write_text(text[: chance.choice((len(text), len(text) - 5))])
        if chance.random() < 0.6:
            (run.output_dir / "adapter_model.safetensors").write_text("")
        if chance.random() < 0.1:
            run.stop_file.touch()
        history = read_history(run)
        loss = history.latest("loss")
        expected[run] = (store.state(run), history.step, history.max_steps, str(loss))
        short += read_end(run) is not None
    found = {
        entry.run: (entry.state, entry.step, entry.max_steps, str(entry.loss))
        for entry in Listing().look()
    }
    assert found == expected
    assert {state for state, *_ in expected.values()} >= {
        RunState.DONE,
        RunState.STOPPED,
        RunState.FAILED,
        RunState.INTERRUPTED,
        RunState.NUMBERS_LOST,
    }
    assert short > FILES / 8, "else nothing was tried"


def test_of_a_run_that_is_done_only_the_end_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ended(made("long"), steps=2_000)
    parsed: list[str] = []

    def noted(text: str) -> Event | None:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(last_lines, "parse", noted)
    [entry] = Listing().look()
    assert (entry.state, entry.step, entry.loss) == (RunState.DONE, 2_000, 1 / 2_000)
    assert len(parsed) < 10


def test_processes_are_looked_at_once_for_all_and_only_when_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[Living] = []

    def none() -> Living:
        looks.append({})
        return {}

    monkeypatch.setattr(listing, "living", none)
    for number in range(3):
        ended(made(f"ended-{number}"))
    Listing().look()
    assert not looks
    for number in range(3):
        made(f"gone-{number}")
    states = {entry.state for entry in Listing().look()}
    assert states == {RunState.DONE, RunState.INTERRUPTED}
    assert len(looks) == 1


# ── Looking again ────────────────────────────────────────────────────────────────────────────


def test_what_has_not_changed_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended(made("one"))
    looker = Listing()
    before = looker.look()
    monkeypatch.setattr(listing, "read_record", lambda run: pytest.fail("it was read again"))
    assert looker.look() == before
    monkeypatch.undo()
    monkeypatch.setenv("FTUI_HOME", str(run.folder.parent.parent))
    with run.events_file.open("a") as file:
        file.write(line("launched") + line("train_begin", 4, 20) + line("log", 5, 20, loss=3.0))
    [entry] = looker.look()
    assert (entry.state, entry.step, entry.max_steps, entry.loss) == (
        RunState.INTERRUPTED,
        5,
        20,
        3.0,
    )
    with run.events_file.open("a") as file:
        file.write(line("log", 20, 20, loss=1.0) + line("saved") + line("exit", code=0))
    [entry] = looker.look()
    assert (entry.state, entry.step, entry.loss) == (RunState.DONE, 20, 1.0)


def test_a_run_that_is_gone_is_gone() -> None:
    run, looker = ended(made("one")), Listing()
    open_one = made("two")
    assert len(looker.look()) == 2
    for each in (run, open_one):
        each.folder.rename(each.folder.with_name(f".{each.name}"))
    assert looker.look() == []


def test_what_cannot_be_read_is_listed_with_a_word() -> None:
    ended(made("fine"))
    made("torn").record_file.write_text('{"v": 1, "na')
    made("odd").events_file.mkdir()
    (paths.runs_dir() / "empty").mkdir()
    (paths.runs_dir() / "notes.txt").write_text("mine")
    found = {entry.run.name: entry for entry in Listing().look()}
    assert found.keys() == {"fine", "torn", "odd"}
    for name in ("torn", "odd"):
        assert found[name].word == "unreadable"
        assert found[name].problem
    assert chosen(list(found.values()), words=["unread"])


# ── Order and words ──────────────────────────────────────────────────────────────────────────


def entry(name: str, state: RunState, started: float, loss: float | None) -> Entry:
    return Entry(Run(Path(name)), state, "p", "local", started=started, loss=loss)


def test_orders() -> None:
    entries = [
        entry("b", RunState.DONE, 1.0, 0.5),
        entry("a", RunState.FAILED, 2.0, float("nan")),
        entry("d", RunState.TRAINING, 3.0, 0.1),
        entry("c", RunState.DONE, 4.0, None),
    ]
    order = {sort: "".join(e.run.name for e in chosen(entries, sort)) for sort in listing.SORTS}
    assert order == {"newest": "cdab", "name": "abcd", "loss": "dbca", "state": "dacb"}
    assert [e.run.name for e in chosen(entries, "newest", ["DONE", "b"])] == ["b"]


def test_every_state_has_its_place_in_the_order() -> None:
    for state in RunState:
        listing.SORTS["state"](entry("a", state, 1.0, None))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (119, "1 min ago"),
        (7199, "1 h ago"),
        (86_400, "1 day ago"),
        (3 * 86_400 + 5, "3 days ago"),
    ],
)
def test_how_long_ago(seconds: float, words: str) -> None:
    assert ago(1000.0, 1000.0 + seconds) == words


# ── The command ──────────────────────────────────────────────────────────────────────────────


def test_the_json_is_the_contract() -> None:
    run = ended(made("nano-sql", created=time.time() - 7300))
    (ended(made("other"))).record_file.write_text("{")
    result = CliRunner().invoke(cli, ["runs", "sql", "--json"])
    assert json.loads(result.stdout) == [
        {
            "name": "nano-sql",
            "state": "done",
            "glyph": "✓",
            "target": "local",
            "step": 10,
            "max_steps": 10,
            "loss": 0.1,
            "started": store.read_record(run).created,
            "folder": str(run.folder),
            "endpoints": [],
        }
    ]


def test_the_plain_list_is_sorted_and_filtered() -> None:
    ended(made("nano-a", created=time.time() - 7300))
    ended(made("nano-b", created=time.time()), code=1, weights=False)
    ended(made("large", preset="big"))
    result = CliRunner().invoke(cli, ["runs", "nano", "--sort", "name"])
    assert [text.split() for text in result.stdout.splitlines()] == [
        ["✓", "done", "nano-a", "local", "10/10", "loss", "0.100", "2", "h", "ago"],
        ["✗", "failed", "nano-b", "local", "10/10", "loss", "0.100", "just", "now"],
    ]
    nothing = CliRunner().invoke(cli, ["runs", "nothing"])
    assert (nothing.stdout, nothing.stderr) == ("", "None of 3 runs contains nothing.\n")


def test_no_runs_names_the_command_that_makes_the_first() -> None:
    result = CliRunner().invoke(cli, ["runs"])
    assert result.stdout == ""
    assert listing.FIRST_RUN in result.stderr
