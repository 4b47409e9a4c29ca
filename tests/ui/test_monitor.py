"""The monitor: everything it says comes from the run's files, and it matters to no run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from ftui.errors import ExitCode
from ftui.runs.model import Run, RunState
from ftui.tui.screens.monitor import MonitorScreen
from ftui.tui.widgets.run_head import RunHead
from tests.ui.conftest import screen_text, shows, until, words_of
from tests.ui.monitors import NAME, Stage, make_run, say, tell, train


@pytest.fixture
def run() -> Run:
    """A run that trains."""
    return make_run()


async def pane_shows(pilot: Pilot[Any], pane: str, *words: str) -> None:
    """The words are in a pane, which a narrow terminal has behind a tab."""
    while pilot.app.size.width < 100 and f"▸ {pane}" not in screen_text(pilot.app):
        await pilot.press("tab")
    await shows(pilot, *words)


# ── Before the first step ────────────────────────────────────────────────────────────────────


async def test_it_says_what_is_waited_for_since_when_and_the_last_word(
    run: Run, size: tuple[int, int]
) -> None:
    say(run, "loading the [b]model[/b]", "")
    async with Stage(run).run_test(size=size) as pilot:
        words = ("◌ starting", "10 min", "loading the [b]model[/b]", "x stop")
        await shows(pilot, "◌ Waiting for the first step", *words)


# ── While it trains ──────────────────────────────────────────────────────────────────────────


async def test_the_curve_the_numbers_and_the_log_at_each_size(
    run: Run, size: tuple[int, int]
) -> None:
    train(run, 212)
    async with Stage(run).run_test(size=size) as pilot:
        text = await shows(pilot, "● training", NAME)
        for words in ("local", "step 212 / 375", "56 %", "41 s left", "loss 1.10 ↓", "eval 1.25"):
            assert words in text, words
        assert any("\u2801" <= character <= "\u28ff" for character in text)
        assert text.count("◆") == 2, "the mark and its legend"
        assert all(len(line) <= size[0] for line in text.splitlines())
        await pane_shows(pilot, "numbers", "2.0e-3", "0.61", "8.1k")
        await pane_shows(pilot, "log", "step 212 of the log")


async def test_what_happens_is_seen_live_and_a_torn_line_waits_for_its_end(run: Run) -> None:
    train(run, 10)
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "step 10 / 375")
        event = '{"v":1,"ts":1003,"event":"log","step":11,"max_steps":375,"values":{"loss":0.5}}'
        with run.events_file.open("a") as file:
            file.write(event[:40])
        say(run, "a line in between")
        await shows(pilot, "a line in between", "step 10 / 375")
        with run.events_file.open("a") as file:
            file.write(event[40:] + "\n")
        await shows(pilot, "step 11 / 375", "loss 0.50")


async def test_any_number_of_viewers_see_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(run, 50)
    still = SimpleNamespace(time=lambda: 1020.0, monotonic=lambda: 0.0)
    monkeypatch.setattr("ftui.runs.lookout.time", still)  # they look one after the other
    screens = []
    for _ in range(2):
        async with Stage(run).run_test(size=(120, 40)) as pilot:
            screens.append(await shows(pilot, "step 50 / 375", "step 50 of the log"))
    assert screens[0] == screens[1]


async def test_a_diverged_loss_is_said_not_hidden(run: Run) -> None:
    train(run, 20)
    tell(run, "log", 21, at=1006, loss="nan", grad_norm="nan")
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "step 21 / 375", "loss not a number", "✗")


# ── Its keys ─────────────────────────────────────────────────────────────────────────────────


async def test_stop_asks_once_and_esc_is_no(run: Run) -> None:
    train(run, 20)
    app = Stage(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "● training")
        await pilot.press("x")
        await shows(pilot, f"Stop {NAME}?")
        await pilot.press("x", "escape")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert app.stopped == []
        await pilot.press("x", "enter")
        await until(pilot, lambda: app.stopped == [run])


async def test_while_it_stops_another_x_ends_it_at_once(run: Run) -> None:
    train(run, 20)
    tell(run, "stop_requested", 20, at=1006)
    app = Stage(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "● stopping")
        await pilot.press("x")
        await until(pilot, lambda: app.stopped == [run])


async def test_a_yes_to_what_somebody_else_asked_meanwhile_ends_nothing_at_once(run: Run) -> None:
    train(run, 20)
    app = Stage(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "● training")
        await pilot.press("x")
        await shows(pilot, f"Stop {NAME}?")
        tell(run, "stop_requested", 20, at=1006)
        screen = app.screen_stack[0]
        await until(pilot, lambda: "stopping" in screen.query_one(RunHead).render().plain)
        await pilot.press("enter")
        await shows(pilot, "● stopping")
        assert app.stopped == []


async def test_detaching_leaves_the_run_and_says_how_to_come_back(run: Run) -> None:
    train(run, 20)
    app = Stage(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "● training")
        await pilot.press("d")
        await pilot.pause()
    assert app.return_value is ExitCode.OK
    assert app.stopped == []
    assert f"ftui watch {NAME}" in app.said


async def test_the_curve_keys_and_the_log_keys_reach_their_pane(run: Run) -> None:
    train(run, 200)
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "smoothed 0.8")
        await pilot.press("right_square_bracket")
        await shows(pilot, "smoothed 0.9")
        await pilot.press("left_square_bracket", "left_square_bracket")
        await shows(pilot, "smoothed 0.5")
        await pilot.press("plus")
        await shows(pilot, "last 188 steps")
        await pilot.press("0", "l")
        assert "last 188" not in await shows(pilot, "log scale")
        await pilot.press("f")
        await shows(pilot, "paused")
        await pilot.press("ampersand", *"step 19 of", "enter")
        await shows(pilot, "only “step 19 of” · 1 of 200 lines")
        await pilot.press("ampersand", "escape", "slash", *"step 150 of", "enter")
        await shows(pilot, "step 150 of the log", "1 of 1")
        await pilot.press("w")
        await shows(pilot, "wrapped")


async def test_a_narrow_terminal_shows_the_keys_of_its_pane_only(run: Run) -> None:
    train(run, 20)
    async with Stage(run).run_test(size=(80, 24)) as pilot:
        text = await shows(pilot, "▸ curve", "zoom")
        assert "& filter" not in text
        await pilot.press("tab", "tab")
        text = await shows(pilot, "▸ log", "& filter")
        assert "zoom" not in text
        await pilot.click("PaneTabs", offset=(2, 0))
        await shows(pilot, "▸ curve")


# ── Its files ────────────────────────────────────────────────────────────────────────────────


async def test_a_record_that_cannot_be_read_is_said_and_its_return_noticed(run: Run) -> None:
    text = run.record_file.read_text()
    run.record_file.write_text("{")
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✗", "the run's other files are plain")
        assert f"{run.record_file}: its record cannot be read" in words_of(pilot.app, "#waiting")
        run.record_file.write_text(text)
        await shows(pilot, "Waiting for the first step")


@pytest.mark.parametrize("standing", list(RunState))
def test_every_state_has_a_word_and_a_glyph(standing: RunState) -> None:
    from ftui.tui.widgets.run_words import state_word

    glyph, word = state_word(standing).plain.split(" ", 1)
    assert len(glyph) == 1
    assert word == standing.value
