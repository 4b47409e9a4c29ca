"""Going on with a run that ended before its last step, or whose numbers were lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ftui.errors import UsageError
from ftui.runs.checkpoints import Checkpoint, checkpoints, last_whole
from ftui.runs.history import History, Try
from ftui.runs.model import Run, RunState
from ftui.runs.numbers import lost
from ftui.runs.store import state
from ftui.runs.tail import read_history


@dataclass(frozen=True)
class Resumption:
    """Where a run would go on."""

    checkpoint: Checkpoint | None
    """None: there is none to go on from, it begins again."""
    passed_over: tuple[Checkpoint, ...]
    """Newer checkpoints that are of no use."""
    reached: int
    """The step that the run had come to."""
    anew: str = ""
    """Why it begins again though there is a checkpoint; empty where that is not so."""
    again: bool = True
    """Whether there was a try before."""
    aside: str = ""
    """The folder in which what is of no use was put, once it was; seen from the run's."""

    @property
    def words(self) -> str:
        """`goes on from step 120; it had come to 166`."""
        if not self.again:
            return "begins: it was never started before"
        if self.checkpoint is None:
            why = self.anew or "there is no whole checkpoint to go on from"
            return f"begins again from nothing: {why}{self.as_try.kept}"
        anew = "; the optimizer begins anew" if self.checkpoint.weights_only else ""
        words = f"goes on from step {self.checkpoint.step:,}; it had come to {self.reached:,}"
        return f"{words}{anew}{self.as_try.kept}"

    @property
    def short_words(self) -> str:
        """What to do, said to a person: `go on from step 120`, `begin it again from nothing`."""
        if not self.again:
            return "start it"
        step = self.checkpoint.step if self.checkpoint else 0
        return f"go on from step {step:,}" if step else "begin it again from nothing"

    @property
    def as_try(self) -> Try:
        """The try that it would be, for its launch to tell."""
        step = self.checkpoint.step if self.checkpoint else 0
        return Try(again=self.again, from_step=step, aside=self.aside)

    @property
    def place(self) -> str:
        """The checkpoint, seen from the run folder; empty when there is none."""
        return f"out/{self.checkpoint.path.name}" if self.checkpoint else ""


def resumption(run: Run, history: History | None = None) -> Resumption:
    """Where a run would go on. Raises UsageError when it runs, or is done; RunNotFound, OSError.

    `history` spares reading all events again.
    """
    history = history or read_history(run)
    standing = state(run, history)
    if standing is RunState.CREATED:
        return Resumption(None, (), 0, again=False)
    if not standing.ended:
        raise UsageError(f"{run.name} is running", hint=f"watch it: ftui watch {run.name}")
    if standing is RunState.DONE:
        raise UsageError(f"{run.name} is done: there is nothing left to train")
    found, fallen = checkpoints(run), lost(history)
    if fallen is not None:
        found = [_without_numbers(one, fallen.last_good + 1) for one in found]
    whole = last_whole(found)
    after = whole.step if whole else -1
    useless = tuple(one for one in found if one.step > after)
    return Resumption(whole, useless, history.step)


def _without_numbers(checkpoint: Checkpoint, since: int) -> Checkpoint:
    """The checkpoint, with its problem where its numbers may be lost."""
    if checkpoint.step < since or checkpoint.problem:
        return checkpoint
    return replace(checkpoint, problem=f"its numbers are lost, as from step {since:,} on")
