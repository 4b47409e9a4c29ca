"""A run in plain lines: its history, then what comes, until it ends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ftui.errors import ExitCode
from ftui.plain import console
from ftui.plain.files import told
from ftui.runs.events import Event
from ftui.runs.failure import what_went_wrong
from ftui.runs.history import History
from ftui.runs.lookout import Lookout
from ftui.runs.model import Run, RunState
from ftui.runs.stop import Answer
from ftui.runs.store import read_record, state
from ftui.runs.tail import EventFollower, LogFollower, read_history
from ftui.runs.tripwires import Trip, Tripwire
from ftui.targets import get
from ftui.targets.base import Offering
from ftui.targets.take_up import Rescue
from ftui.text import duration, shorten

if TYPE_CHECKING:
    from ftui.runs.failures import Diagnosis

POLL_SECONDS = 0.25
LINES_A_RUN = 40
STARTS = "the first step comes when axolotl has loaded its libraries, the model and the data"


def until_ended(run: Run) -> int:
    """Print the run's lines until it ends. Ctrl+C leaves the run alone: it is not ours to end."""
    history = History()
    printer = Printer(history)
    with told(run):
        for event in _events(run, history, printer):
            printer.show(event)
        end = state(run, history)
        wrong = what_went_wrong(run, end, history)
    console.line(ending(run, end, history, wrong))
    if end is RunState.DONE:
        return ExitCode.OK
    return ExitCode.UNAVAILABLE if history.unavailable else ExitCode.RUN_FAILED


def ending(run: Run, end: RunState, history: History, wrong: Diagnosis | None) -> str:
    """How a run ended, in words, with what to do next. `wrong`: what went wrong with it."""
    head = f"{end.glyph} {end.value}  {run.name}"
    if end is RunState.CREATED:
        return f"{head}  nothing runs yet: sh {run.script_file}"
    if end is RunState.DONE:
        return f"{head}  {_took(history)}  weights in {run.output_dir}"
    lines = [head]
    if end in (RunState.STOPPED, RunState.NUMBERS_LOST):
        lines = [f"{head}  at step {history.step} of {history.max_steps}", history.stop_reason]
    if end is RunState.NUMBERS_LOST:
        lines.append("its weights are worth nothing")
    if wrong is not None:
        told = wrong.what in history.stop_reason
        lines += [f"→ {wrong.advice}" if told else wrong.words, *_evidence(wrong)]
    return "\n  ".join(filter(None, [*lines, *_next_commands(run, end, history, wrong)]))


def _took(history: History) -> str:
    took = f" in {duration(history.seconds)}" if history.seconds is not None else ""
    cost = f", {history.cost_words}" if history.cost_words else ""
    return f"{history.step} steps{took}{cost}"


def _evidence(wrong: Diagnosis) -> list[str]:
    """The line of the log that says so, where the words are not the line itself."""
    line = wrong.evidence
    if line is None or wrong.what.startswith(shorten(line.text, 40).rstrip("…")):
        return []
    number = f":{line.number}" if line.number else ""
    return [f"train.log{number}: {shorten(line.text, 200)}"]


def _next_commands(
    run: Run, end: RunState, history: History, wrong: Diagnosis | None
) -> Iterator[str]:
    if wrong is not None and wrong.changes:
        yield f"→ see the change, and go on with it: ftui resume {run.name} --fix"
    elif history.step:
        yield f"→ go on with it: ftui resume {run.name}"
    if wrong is not None:
        yield f"→ the whole log: {run.log_file}"


class Printer:
    """Turns events into a moderate number of lines, however many steps there are."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._next_step = 0
        self._warned: set[tuple[Tripwire, int]] = set()

    def warn(self, trips: Iterable[Trip]) -> None:
        """Print what is wrong with the run, each tripwire once; each time that it stands still."""
        for trip in trips:
            known = (trip.wire, trip.since if trip.wire is Tripwire.STALL else 0)
            if known not in self._warned:
                self._warned.add(known)
                console.line(f"{trip.words}\n  {trip.why}\n  → {trip.hint}")

    def show(self, event: Event) -> None:
        """Print a line if this event deserves one."""
        match event.kind:
            case "launched":
                self._next_step = 0
                self._warned.clear()
                words = self._history.newest_try.words or STARTS
                console.line(f"{RunState.STARTING.glyph} {RunState.STARTING}  {words}")
            case "phase" if "words" in event.values:
                standing = RunState.TRAINING if self._history.training else RunState.STARTING
                console.line(f"{standing.glyph} {shorten(str(event.values['words']), 200)}")
            case "silent" if self._history.silence is not None:
                console.line(f"▲ {shorten(self._history.silence.words, 200)}")
            case "heard":
                console.line(f"● {shorten(str(event.values.get('whom')), 200)} answers again")
            case "train_begin":
                begun = f"from step {event.step} of " if event.step else ""
                console.line(f"● training  {begun}{event.max_steps} steps")
            case "log" if "loss" in event.values and event.step >= self._next_step:
                self._next_step = event.step + max(event.max_steps // LINES_A_RUN, 1)
                console.line(self._loss_line(event))
            case "eval" if "eval_loss" in event.values:
                loss = _figures(event.values["eval_loss"])
                console.line(f"  step {event.step:>6}  eval loss {loss}")
            case "save":
                console.line(f"  step {event.step:>6}  checkpoint saved")

    def _loss_line(self, event: Event) -> str:
        loss = _figures(event.values["loss"])
        parts = [f"  step {event.step:>6}/{event.max_steps}", f"loss {loss}"]
        left = self._history.seconds_left
        if left is not None:
            parts.append(f"{duration(left)} left")
        return "  ".join(parts)


def _figures(value: object) -> str:
    """A loss with four decimals; whatever else an event may hold, as it is."""
    return f"{value:.4f}" if isinstance(value, float) else shorten(str(value), 40)


def _events(run: Run, history: History, printer: Printer) -> Iterator[Event]:
    """Every event of the run, old and new, until the run has ended and all is read."""

    follower, lookout, rescue = EventFollower(run), Lookout(run), Rescue(run)
    while True:
        standing = state(run, history)
        if rescue.look(standing):
            standing = state(run, history)
        ended = standing.ended or standing is RunState.CREATED
        events = follower.poll()
        for event in events:
            history.add(event)
            yield event
        printer.warn(lookout.look(history))
        if ended and not events:
            return
        if not events:
            time.sleep(POLL_SECONDS)


def print_log(run: Run, *, follow: bool) -> int:
    """Print train.log, without progress bars and control codes."""
    if not run.log_file.exists():
        console.say(f"{run.name} has printed nothing yet: there is no {run.log_file}")
    with told(run):
        _print_log(run, follow=follow)
    return ExitCode.OK


def _print_log(run: Run, *, follow: bool) -> None:
    log, events, history = LogFollower(run), EventFollower(run), History()
    ended = not follow  # the log can be read though the record, and with it the state, cannot
    while True:
        if follow:
            history.extend(events.poll())
            standing = state(run, history)
            ended = standing.ended or standing is RunState.CREATED
        lines = log.poll()
        for text in lines:
            console.line(text)
        if not lines and ended:
            return
        if not lines:
            time.sleep(POLL_SECONDS)


def stop(run: Run) -> None:
    """Ask for a clean end and say what that means."""
    target = get(read_record(run).target)
    try:
        answer = target.stop(run)
    except OSError as error:  # a full disk keeps nobody from stopping
        why = (error.strerror or str(error)).lower()
        console.say(f"▲ {run.name}: the request could not be written down ({why})")
        console.say("  it was interrupted: it saves its weights if there is room, then ends")
        return
    with told(run):
        standing, silence = state(run), read_history(run).silence
    if answer is Answer.NOT_RUNNING:
        console.say(f"{standing.glyph} {run.name} is {standing}: there is nothing to stop")
        if standing is RunState.CREATED and isinstance(target, Offering):
            console.say(f"  if you started it by hand, {target.title}'s own commands end it")
        return
    glyph = "▲" if answer is Answer.ENDED or not answer.is_heard else "●"
    more = ". Again: at once, unsaved" if answer in (Answer.ASKED, Answer.ALREADY) else ""
    console.say(f"{glyph} {run.name}: {answer.words(target.title)}{more}")
    if not answer.is_heard and silence is not None:
        console.say(f"  {silence.words}")
