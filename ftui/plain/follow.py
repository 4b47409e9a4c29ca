"""A run in plain lines: its history, then what comes, until it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ftui.errors import ExitCode
from ftui.plain import console
from ftui.runs.events import Event, History
from ftui.runs.failure import failure_words
from ftui.runs.model import Run, RunState
from ftui.runs.stop import Answer
from ftui.runs.store import read_record, state
from ftui.runs.tail import EventFollower, LogFollower
from ftui.targets import get
from ftui.targets.resume import resume as resume_run
from ftui.text import duration

POLL_SECONDS = 0.25
LINES_A_RUN = 40


def until_ended(run: Run) -> int:
    """Print the run's lines until it ends. Ctrl+C leaves the run alone: it is not ours to end."""

    history = History()
    printer = Printer(history)
    for event in _events(run, history):
        printer.show(event)
    end = state(run, history)
    console.line(ending(run, end, history))
    return ExitCode.OK if end is RunState.DONE else ExitCode.RUN_FAILED


def ending(run: Run, end: RunState, history: History) -> str:
    """How a run ended, in words, with what to do next."""

    took = duration(history.last_time - history.started) if history.started else ""
    head = f"{end.glyph} {end.value}  {run.name}"
    if end is RunState.DONE:
        return f"{head}  {history.step} steps in {took}  weights in {run.output_dir}"
    if end is RunState.CREATED:
        return f"{head}  nothing runs yet: sh {run.script_file}"
    if end is RunState.STOPPED:
        again = f"\n  → go on with it: ftui resume {run.name}" if history.step else ""
        return f"{head}  at step {history.step} of {history.max_steps}{again}"
    return f"{head}\n  {failure_words(run)}\n  → the whole log: {run.log_file}"


class Printer:
    """Turns events into a moderate number of lines, however many steps there are."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._next_step = 0

    def show(self, event: Event) -> None:
        """Print a line if this event deserves one."""
        match event.kind:
            case "train_begin":
                begun = f"from step {event.step} of " if event.step else ""
                console.line(f"● training  {begun}{event.max_steps} steps")
            case "log" if "loss" in event.values and event.step >= self._next_step:
                self._next_step = event.step + max(event.max_steps // LINES_A_RUN, 1)
                console.line(self._loss_line(event))
            case "eval" if "eval_loss" in event.values:
                console.line(f"  step {event.step:>6}  eval loss {event.values['eval_loss']:.4f}")
            case "save":
                console.line(f"  step {event.step:>6}  checkpoint saved")

    def _loss_line(self, event: Event) -> str:
        loss = event.values["loss"]
        parts = [f"  step {event.step:>6}/{event.max_steps}"]
        parts.append(f"loss {loss:.4f}" if isinstance(loss, float) else f"loss {loss}")
        left = self._history.seconds_left
        if left is not None:
            parts.append(f"{duration(left)} left")
        return "  ".join(parts)


def _events(run: Run, history: History) -> Iterator[Event]:
    """Every event of the run, old and new, until the run has ended and all is read."""

    follower = EventFollower(run)
    while True:
        standing = state(run, history)
        ended = standing.ended or standing is RunState.CREATED
        events = follower.poll()
        for event in events:
            history.add(event)
            yield event
        if ended and not events:
            return
        if not events:
            time.sleep(POLL_SECONDS)


def print_log(run: Run, *, follow: bool) -> int:
    """Print train.log, without progress bars and control codes."""
    log, events, history = LogFollower(run), EventFollower(run), History()
    while True:
        history.extend(events.poll())
        standing = state(run, history)
        ended = standing.ended or standing is RunState.CREATED
        lines = log.poll()
        for text in lines:
            console.line(text)
        if not lines and (ended or not follow):
            return ExitCode.OK
        if not lines:
            time.sleep(POLL_SECONDS)


def stop(run: Run) -> None:
    """Ask for a clean end and say what that means. Raises OSError."""
    answer = get(read_record(run).target).stop(run)
    if answer is Answer.NOT_RUNNING:
        standing = state(run)
        console.say(f"{standing.glyph} {run.name} is {standing}: there is nothing to stop")
        return
    glyph = "▲" if answer is Answer.ENDED else "●"
    more = "" if answer is Answer.ENDED else ". Again: at once, unsaved"
    console.say(f"{glyph} {run.name}: {answer.value}{more}")


def resume(run: Run) -> None:
    """Go on from the last whole checkpoint, and say which that is and which were passed over."""
    found = resume_run(run)
    for torn in found.passed_over:
        console.say(f"▲ {torn.path.name} is passed over: {torn.problem}")
    console.say(f"● {run.name} {found.words}")
