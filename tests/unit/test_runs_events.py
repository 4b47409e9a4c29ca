"""Events: any line may come; what they add up to is what the monitor shows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.runs import events
from ftui.runs.events import Event, Point, parse
from ftui.runs.history import History


def line(kind: str, step: int = 0, ts: float = 0.0, **values: object) -> str:
    event = {"v": 1, "ts": ts, "event": kind, "step": step, "max_steps": 10, "values": values}
    return json.dumps(event)


def history(*lines: str) -> History:
    told = History()
    told.extend(event for event in map(parse, lines) if event is not None)
    return told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"v": 1, "ts": 3, "event": "lo',
        "null",
        "[1]",
        '{"v": 2, "event": "log"}',
        '{"event": "log"}',
        '{"v": 1, "event": 7}',
        "\x00\x00",
        "[" * 100_000,
    ],
)
def test_torn_foreign_and_newer_lines_are_no_events(text: str) -> None:
    assert parse(text) is None


def test_odd_numbers_do_no_harm() -> None:
    event = parse(
        '{"v":1,"event":"log","ts":NaN,"step":1e999,"max_steps":"x","values":{"a":1e999}}'
    )
    assert event is not None
    assert (event.time, event.step, event.max_steps) == (0.0, 0, 0)
    huge = parse('{"v":1,"event":"log","values":{"loss":' + "9" * 400 + "}}")
    assert huge is not None
    told = History()
    told.add(huge)
    assert told.series == {}


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    event = parse(text)
    assert event is None or isinstance(event, Event)


def test_not_a_number_is_seen_in_the_series() -> None:
    told = history(line("log", 1, grad_norm="nan"), line("log", 2, grad_norm="-inf"))
    first, second = told.series["grad_norm"]
    assert math.isnan(first.value)
    assert second.value == -math.inf


def test_a_loss_that_stands_in_for_no_number_is_none() -> None:
    """transformers tells 0 where the loss was NaN; a run that fell apart must not look best."""
    told = history(
        line("log", 1, loss=0.0, grad_norm="nan"), line("log", 2, loss=0.0, grad_norm=0.1)
    )
    lost, perfect = told.series["loss"]
    assert math.isnan(lost.value)
    assert perfect.value == 0.0


def test_series_carry_axolotls_names() -> None:
    told = history(
        line("train_begin", ts=5),
        line("log", 1, ts=6, loss=2.0, **{"tokens/train_per_sec_per_gpu": 700}),
        line("eval", 1, eval_loss=1.9, note="text is no point"),
        line("log", 2, ts=7, loss=1.5),
        line("save", 2, path="out/checkpoint-2"),
    )
    assert told.series["loss"] == [Point(1, 2.0), Point(2, 1.5)]
    assert set(told.series) == {"loss", "tokens/train_per_sec_per_gpu", "eval_loss"}
    assert told.latest("loss") == 1.5
    assert told.latest("grad_norm") is None
    assert [point.step for point in told.checkpoints] == [2]
    assert (told.step, told.max_steps, told.seconds, told.last_time) == (2, 10, 2.0, 7.0)


@pytest.mark.parametrize("code", [1, None], ids=["ended", "vanished"])
def test_time_is_that_of_all_tries_without_the_pauses_between(code: int | None) -> None:
    told = history(line("launched", ts=90))
    assert told.seconds is None
    told.extend([Event("train_begin", 100.0, 0, 10), Event("log", 120.0, 4, 10)])
    assert told.seconds == 20.0
    told.extend([Event("exit", 125.0, values={"code": code})] if code is not None else [])
    trained = told.seconds or 0.0
    assert trained == (25.0 if code else 20.0)
    told.add(Event("launched", 5000.0, values={"again": True, "from_step": 4}))
    assert told.seconds == trained
    told.extend([Event("train_begin", 5010.0, 4, 10), Event("log", 5016.0, 6, 10)])
    assert told.seconds == trained + 6
    told.extend([Event("exit", 5017.0, values={"code": 0}), Event("stop_requested", 9000.0)])
    assert told.seconds == trained + 7


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ""),
        ({"pid": 7, "again": "yes", "from_step": "4"}, ""),
        ({"again": True, "from_step": 1200}, "goes on from step 1,200"),
        ({"again": True, "from_step": 4, "aside": "out.2"},
         "goes on from step 4; what came after it is kept in out.2"),
        ({"again": True, "from_step": 0, "aside": ""}, "begins again from nothing"),
    ],
)  # fmt: skip
def test_a_launch_says_where_its_try_begins(values: dict[str, Any], words: str) -> None:
    assert history(line("launched", **values)).newest_try.words == words


def test_time_left_follows_the_pace_of_the_steps() -> None:
    told = history(line("train_begin", ts=100))
    assert told.seconds_left is None
    told.extend([Event("step", 108.0, 4, 10), Event("eval", 110.0, 4, 10)])
    assert told.seconds_left == pytest.approx(2.0 * 6)


def test_a_resumed_run_takes_back_the_steps_that_are_done_again() -> None:
    told = history(
        line("train_begin", ts=100),
        *(line("log", step, ts=100 + step, loss=1.0) for step in range(1, 8)),
        line("stop_requested"),
        line("exit", code=0),
        line("launched", pid=2),
        line("train_begin", 5, ts=200),
        line("log", 6, ts=202, loss=0.5),
    )
    assert [point.step for point in told.series["loss"]] == [1, 2, 3, 4, 5, 6]
    assert told.latest("loss") == 0.5
    assert told.exit_code is None
    assert not told.stop_requested
    assert told.seconds_left == pytest.approx(2.0 * 4)


def test_an_appended_event_ends_a_torn_line_first(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(line("log", 1, loss=1.0) + '\n{"v": 1, "ev')
    events.append(file, "stop_requested")
    events.append(file, "exit", code=-9)
    told = history(*file.read_text().split("\n"))
    assert told.latest("loss") == 1.0
    assert told.stop_requested
    assert told.exit_code == -9


def test_a_full_disk_is_told_to_the_caller() -> None:
    with pytest.raises(OSError, match="No space left"):
        events.append(Path("/dev/full"), "exit", code=0)


# What it costs


def test_the_cost_is_what_was_told_last_and_goes_on_at_the_pace_of_the_steps() -> None:
    told = history(
        line("train_begin", ts=0.0),
        line("log", 2, ts=60.0, loss=1.0),
        line("cost", ts=60.0, dollars=0.5, an_hour=3.0),
        line("log", 5, ts=3600.0, loss=1.0),
    )
    assert told.cost is not None
    assert (told.cost.dollars, told.cost.an_hour) == (0.5, 3.0)
    # An hour for five of ten steps: 59 minutes since the event, and an hour to come.
    assert told.dollars_in_all == pytest.approx(0.5 + 3.0 * (59 + 60) / 60)
    assert told.cost_words == "$0.50 of about $6.45"


def test_a_run_that_has_ended_tells_its_cost_alone_and_ones_own_machine_none() -> None:
    ended = history(line("log", 10, loss=1.0), line("cost", dollars=3.05, an_hour=0))
    assert ended.cost_words == "$3.05"
    assert history(line("log", 10, loss=1.0)).cost_words == ""


def test_an_odd_cost_does_no_harm() -> None:
    assert history(line("cost", dollars="much", an_hour=None)).cost_words == "$0.00"
