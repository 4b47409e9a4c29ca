"""The curve: what it draws is what was logged, in bounded memory and a few milliseconds."""

from __future__ import annotations

import math
import time
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Size

from ftui.runs.events import Event, Point
from ftui.runs.history import History
from ftui.tui.widgets import ticks
from ftui.tui.widgets.buckets import Buckets
from ftui.tui.widgets.canvas import Canvas, Glyphs
from ftui.tui.widgets.chart import Chart
from tests.ui.conftest import screen_text, until

ALL_GLYPHS: tuple[Glyphs, ...] = ("braille", "block", "ascii")
losses = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


class Stage(App[None]):
    """A chart and nothing else."""

    def __init__(self, history: History, glyphs: Glyphs = "braille") -> None:
        super().__init__()
        self.history = history
        self.chart = Chart(glyphs=glyphs)

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_mount(self) -> None:
        self.chart.show(self.history)


def falling(points: int, max_steps: int = 0) -> History:
    """A loss that falls from 2 towards 0.5, logged at every step."""
    history = History(step=points, max_steps=max_steps or points)
    history.series["loss"] = [
        Point(step, 0.5 + 1.5 * math.exp(-3 * step / points)) for step in range(1, points + 1)
    ]
    return history


def plot_of(text: str) -> list[str]:
    """The rows between the legend and the axis, without their labels."""
    rows = text.splitlines()
    axis = next(number for number, row in enumerate(rows) if row.strip()[:3] in ("───", "---"))
    left = len(rows[axis]) - len(rows[axis].lstrip())
    return [row[left:] for row in rows[1:axis]]


def heights(plot: list[str], marks: str = " ") -> list[int]:
    """The row of the lowest mark in each column that has one."""
    width = max(len(row) for row in plot)
    columns = ([row.ljust(width)[x] not in marks for row in plot] for x in range(width))
    return [max(y for y, hit in enumerate(column) if hit) for column in columns if any(column)]


def has_lines(app: App[Any], count: int) -> bool:
    """Whether the screen is so high."""
    return screen_text(app).count("\n") == count - 1


async def drawn(history: History, *keys: str, glyphs: Glyphs = "braille", **change: Any) -> str:
    """The chart of a history as text at 80x20."""
    app = Stage(history, glyphs)
    async with app.run_test(size=(80, 20)) as pilot:
        for name, value in change.items():
            setattr(app.chart, name, value)
        await pilot.pause()
        return screen_text(app)


# ── The curve ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("glyphs", ALL_GLYPHS)
async def test_a_falling_loss_falls_on_the_screen(glyphs: Glyphs) -> None:
    rows = heights(plot_of(await drawn(falling(300), glyphs=glyphs)))
    assert rows == sorted(rows), "never up again"
    assert rows[-1] - rows[0] >= 8, "and through most of the height"
    assert len(rows) >= 70, "over the whole width"


async def test_ascii_needs_nothing_but_ascii() -> None:
    history = falling(300)
    history.series["eval_loss"] = [Point(100, 1.2)]
    history.checkpoints = [Point(150, 0.0)]
    history.series["loss"].append(Point(300, math.nan))
    assert (await drawn(history, glyphs="ascii")).isascii()


async def test_the_axis_reaches_to_the_last_step_of_the_plan() -> None:
    plot = plot_of(await drawn(falling(100, max_steps=400)))
    reached = max(len(row.rstrip()) for row in plot)
    assert 0.2 < reached / 76 < 0.3, "a quarter of the steps is a quarter of the width"


async def test_evaluations_and_checkpoints_are_marked_where_they_happened() -> None:
    history = falling(400)
    history.series["eval_loss"] = [Point(200, 1.0)]
    history.checkpoints = [Point(100, 0.0)]
    text = await drawn(history)
    plot = plot_of(text)
    at = next(row.index("◆") for row in plot if "◆" in row)
    assert at == pytest.approx(len(plot[0].ljust(76)) / 2, abs=2)
    axis = next(row for row in text.splitlines() if "───" in row)
    assert (axis.index("│") - axis.index("─")) / axis.count("─") == pytest.approx(0.25, abs=0.02)
    assert "◆ eval" in text
    assert "│ checkpoint" in text


async def test_a_loss_that_is_not_a_number_is_seen_and_the_rest_still_drawn() -> None:
    history = falling(60)
    points = history.series["loss"]
    points[30:40] = [Point(point.step, math.nan) for point in points[30:40]]
    points[45] = Point(46, math.inf)
    plot = plot_of(await drawn(history))
    assert plot[-1].count("✗") >= 10
    assert len(heights(plot, " ✗")) > 40


@pytest.mark.parametrize("value", [0.0, 0.7, -3.0, 1e-9, 1e12])
async def test_a_loss_that_never_changes_is_a_level_line(value: float) -> None:
    history = History(max_steps=50)
    history.series["loss"] = [Point(step, value) for step in range(50)]
    assert len(set(heights(plot_of(await drawn(history))))) == 1


async def test_nothing_logged_yet_is_an_empty_plot_with_axes() -> None:
    text = await drawn(History(max_steps=10))
    assert not "".join(plot_of(text)).strip()
    assert "10" in text


# ── What keys change ─────────────────────────────────────────────────────────────────────────


async def test_smoothing_makes_the_bright_line_calmer() -> None:
    noisy = History(max_steps=70)
    noisy.series["loss"] = [Point(step, 1.0 + (step % 2)) for step in range(70)]
    app = Stage(noisy)
    async with app.run_test(size=(80, 20)) as pilot:
        rough = [column.smooth for column in app.chart._loss.columns(0, 70, 152, 0.0)]
        calm = [column.smooth for column in app.chart._loss.columns(0, 70, 152, 0.9)]
        assert max(rough[20:]) - min(rough[20:]) == 1.0
        assert max(calm[20:]) - min(calm[20:]) < 0.2
        before = screen_text(app)
        app.chart.change_smoothing(+2)
        await pilot.pause()
        assert screen_text(app) != before
        app.chart.change_smoothing(-100)
        await pilot.pause()
        assert "smoothed 0\n" in screen_text(app)


async def test_zoom_follows_the_newest_steps_and_comes_back() -> None:
    app = Stage(falling(1000))
    async with app.run_test(size=(80, 20)) as pilot:
        whole = screen_text(app)
        app.chart.change_zoom(+2)
        await pilot.pause()
        assert "last 250 steps" in screen_text(app)
        assert app.chart.window == (750, 1000)
        app.history.series["loss"].append(Point(1100, 0.1))
        app.chart.show(app.history)
        assert app.chart.window == (825, 1100)
        app.chart.zoom = 0
        await pilot.pause()
        assert "last" not in screen_text(app)
        assert screen_text(app).splitlines()[0] == whole.splitlines()[0]


async def test_a_logarithmic_axis_has_its_decades_evenly_spaced() -> None:
    history = History(max_steps=90)
    history.series["loss"] = [Point(step, 10 ** (1 - step / 30)) for step in range(91)]
    rows = (await drawn(history, log_y=True)).splitlines()
    places = [
        next(y for y, row in enumerate(rows) if row.split()[:1] == [word])
        for word in ("10.00", "1.00", "0.10", "0.01")
    ]
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps) - min(gaps) <= 1


async def test_a_resumed_run_is_drawn_without_what_was_done_twice() -> None:
    history = History()
    for step in range(1, 101):
        history.add(Event("log", step, step=step, max_steps=100, values={"loss": 9.0}))
    app = Stage(history)
    async with app.run_test(size=(80, 20)) as pilot:
        history.add(Event("train_begin", 200, step=50, max_steps=100))
        history.add(Event("log", 201, step=51, max_steps=100, values={"loss": 1.0}))
        app.chart.show(history)
        await pilot.pause()
        assert app.chart.window == (0, 100)
        assert sum(app.chart._loss.count) == 51


async def test_every_size_is_survived() -> None:
    app = Stage(falling(50))
    async with app.run_test(size=(80, 20)) as pilot:
        for size in ((1, 1), (10, 3), (24, 6), (30, 7), (300, 90)):
            await pilot.resize_terminal(*size)
            await until(pilot, partial(has_lines, app, size[1]))


# ── Bounded memory, few milliseconds ─────────────────────────────────────────────────────────


@given(losses, st.integers(1, 50))
def test_buckets_keep_every_extreme_and_the_mean(values: list[float], every: int) -> None:
    buckets = Buckets(limit=16)
    for number, value in enumerate(values):
        buckets.add(number * every, value)
    assert len(buckets.count) <= 16
    columns = buckets.columns(0, len(values) * every, 1, 0.5)
    assert len(columns) == 1
    assert columns[0].low == min(values)
    assert columns[0].high == max(values)
    assert columns[0].mean == pytest.approx(sum(values) / len(values), abs=1e-3)


@given(losses)
def test_smoothing_is_the_unbiased_moving_average(values: list[float]) -> None:
    buckets = Buckets()
    for step, value in enumerate(values):
        buckets.add(step, value)
    average = weight = 0.0
    for value in values:
        average, weight = 0.9 * average + 0.1 * value, 0.9 * weight + 0.1
    columns = buckets.columns(0, len(values), len(values) + 1, 0.9)
    assert columns[-1].smooth == pytest.approx(average / weight, abs=1e-3)
    assert len(columns) == len(values)


@pytest.mark.parametrize("points", [1_000, 100_000])
async def test_a_refresh_takes_milliseconds_however_long_the_run(points: int) -> None:
    history = falling(points)
    app = Stage(history)
    async with app.run_test(size=(120, 34)):
        times = []
        for number in range(9):
            history.series["loss"].append(Point(points + number, 0.5))
            begun = time.thread_time()
            app.chart.show(history)
            app.chart._draw(Size(120, 34))
            times.append(time.thread_time() - begun)
        assert sorted(times)[4] < 0.05, "STYLE measured 50 ms for 100k points"
        assert len(app.chart._loss.count) <= app.chart._loss.limit


# ── Parts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("glyphs", ALL_GLYPHS)
@given(data=st.data())
def test_a_line_has_no_hole(glyphs: Glyphs, data: st.DataObject) -> None:
    canvas = Canvas(12, 6, glyphs)
    x0 = data.draw(st.integers(0, canvas.width - 2))
    x1 = data.draw(st.integers(x0 + 1, canvas.width - 1))
    y0, y1 = (data.draw(st.integers(0, canvas.height - 1)) for _ in range(2))
    set_dots: set[tuple[int, int]] = set()
    column = canvas.column

    def note(x: int, top: int, bottom: int) -> None:
        set_dots.update((x, y) for y in range(top, bottom + 1))
        column(x, top, bottom)

    canvas.column = note  # type: ignore[method-assign]
    canvas.line(x0, y0, x1, y1)
    reached, frontier = {(x0, y0)}, [(x0, y0)]
    while frontier:
        x, y = frontier.pop()
        near = {(x + i, y + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & set_dots - reached
        reached |= near
        frontier += near
    assert (x1, y1) in reached


@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e9), st.integers(1, 20))
def test_ticks_are_few_round_and_inside(low: float, span: float, most: int) -> None:
    high = low + span
    marks = ticks.nice(low, high, most)
    assert len(marks) <= most + 1
    assert all(low - span * 1e-4 <= mark <= high + span * 1e-4 for mark in marks)


def test_labels_tell_their_marks_apart() -> None:
    assert ticks.labels([0, 0.5, 1]) == ["0.0", "0.5", "1.0"]
    assert ticks.labels([0, 1000, 2000]) == ["0", "1,000", "2,000"]
    assert ticks.labels([0.001, 0.0015]) == ["0.0010", "0.0015"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.4123, "0.41"), (0.00213, "2.1e-3"), (8123.0, "8.1k"), (12.34, "12.3"), (0, "0"),
     (1_500_000, "1.5M"), (math.nan, "not a number"), (-math.inf, "infinite"), (0.05, "0.050")],
)  # fmt: skip
def test_numbers_are_written_short(value: float, words: str) -> None:
    assert ticks.short(value) == words
