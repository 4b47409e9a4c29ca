"""A run in words: its head line, and what it waits for."""

from __future__ import annotations

import math
import time
from pathlib import Path

from textual.content import Content

from ftui.runs.events import Point
from ftui.runs.history import History
from ftui.runs.model import Run, RunState
from ftui.text import duration, printable, shorten
from ftui.tui.widgets.ticks import short

_STYLES = {
    RunState.TRAINING: "bold $accent",
    RunState.DONE: "bold $success",
    RunState.STOPPING: "bold $warning",
    RunState.STOPPED: "bold $warning",
    RunState.NUMBERS_LOST: "bold $error",
    RunState.FAILED: "bold $error",
    RunState.INTERRUPTED: "bold $error",
}
_WAITING = {
    RunState.CREATED: (
        "Waiting for the trainer to start",
        "The run is prepared; nothing runs yet.",
    ),
    RunState.STARTING: (
        "Waiting for the first step",
        "axolotl loads its libraries, the base model and the data.",
    ),
    RunState.TRAINING: ("Waiting for the first loss", "The first steps are being trained."),
    RunState.STOPPING: ("Stopping", "The trainer was asked to end."),
}


def state_word(state: RunState) -> Content:
    """`● training`."""
    return Content.styled(f"{state.glyph} {state.value}", _STYLES.get(state, "bold $foreground"))


def headline(run: Run, target: str, state: RunState, history: History) -> tuple[Content, Content]:
    """What run this is, and where it stands: two halves of a line, or two lines."""
    name = Content.assemble(
        state_word(state), "   ", (run.name, "bold"), "   ", (target, "$secondary")
    )
    return name, Content("   ").join(_standing(state, history))


def _standing(state: RunState, history: History) -> list[Content]:
    parts = []
    if history.max_steps:
        parts.append(Content(f"step {history.step:,} / {history.max_steps:,}"))
        parts.append(Content(f"{history.step * 100 // history.max_steps} %"))
    left = history.seconds_left
    if state is RunState.TRAINING and left is not None:
        words = f"{duration(left)} left" if history.step < history.max_steps else "saving"
        parts.append(Content.styled(words, "$secondary"))
    loss = history.series.get("loss", [])
    if loss:
        now = short(loss[-1].value) + ("" if state.ended else trend(loss))
        parts.append(Content.assemble(("loss ", "$secondary"), now))
    evaluated = history.latest("eval_loss")
    if evaluated is not None:
        parts.append(Content.assemble(("eval ", "$secondary"), short(evaluated)))
    if history.cost_words:
        parts.append(Content.styled(history.cost_words, "$secondary"))
    return parts


def trend(points: list[Point]) -> str:
    """` ↓`, ` ↑` or ` →`: the newest points against those before them."""
    span = min(len(points) // 2, 20)
    recent = [point.value for point in points[-span:]]
    before = [point.value for point in points[-2 * span : -span]]
    if span < 2 or not all(math.isfinite(value) for value in recent + before):
        return ""
    change = sum(recent) - sum(before)
    if abs(change) < 0.01 * abs(sum(before)):
        return " →"
    return " ↓" if change < 0 else " ↑"


def waiting(
    state: RunState, since: float, last_line: str, begins: str = "", phase: str = ""
) -> Content:
    """What is being waited for, since when, and the log's last word.

    `begins`: where another try begins; nothing for the first. `phase`: where a run elsewhere
    stands, which its target knows better.
    """
    title, why = _WAITING.get(state, _WAITING[RunState.STARTING])
    if state is not RunState.STOPPING:
        why = printable(phase) or why
    lines = [
        Content.assemble(
            (f"{state.glyph} {title}", "bold"), (f"   {duration(time.time() - since)}", "$accent")
        ),
        Content.styled(f"  {why}", "$secondary"),
    ]
    if begins:
        lines.append(Content(f"  It {begins}."))
    if last_line:
        lines += [
            Content(""),
            Content.styled("  the log’s last line", "$secondary"),
            Content(f"  {shorten(printable(last_line), 300)}"),
        ]
    return Content("\n").join(lines)


def nice_path(path: Path) -> str:
    """The path with ~ for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
