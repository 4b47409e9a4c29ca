"""Going on with a run that ended before its last step, or whose numbers were lost on the way."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from ftui.errors import UsageError
from ftui.runs.checkpoints import Checkpoint, checkpoints, last_whole
from ftui.runs.failure import lost_numbers
from ftui.runs.model import Run, RunState
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

    @property
    def words(self) -> str:
        """`goes on from step 120; it had come to 166`."""
        if self.checkpoint is None:
            return f"begins again: {self.anew or 'there is no whole checkpoint to go on from'}"
        anew = "; the optimizer begins anew" if self.checkpoint.weights_only else ""
        return f"goes on from step {self.checkpoint.step:,}; it had come to {self.reached:,}{anew}"

    @property
    def place(self) -> str:
        """The checkpoint, seen from the run folder; empty when there is none."""
        return f"out/{self.checkpoint.path.name}" if self.checkpoint else ""


def resumption(run: Run) -> Resumption:
    """Where a run would go on. Raises UsageError when it runs, or is done; OSError."""
    history = read_history(run)
    standing = state(run, history)
    if standing is RunState.CREATED:
        return Resumption(None, (), 0)
    if not standing.ended:
        raise UsageError(f"{run.name} is running", hint=f"watch it: ftui watch {run.name}")
    lost = lost_numbers(run, history)
    if standing is RunState.DONE and lost is None:
        raise UsageError(f"{run.name} is done: there is nothing left to train")
    found = checkpoints(run)
    if lost is not None and lost.bad_since is not None:
        found = [_without_numbers(one, lost.bad_since) for one in found]
    whole = last_whole(found)
    after = whole.step if whole else -1
    useless = tuple(one for one in found if one.step > after)
    return Resumption(whole, useless, history.step)


def done_for_good(run: Run, standing: RunState | None) -> bool:
    """Whether nobody will want to go on with it: it is done, and its numbers were not lost.

    False where that cannot be read.
    """
    if standing is RunState.DONE:
        with contextlib.suppress(OSError):
            return lost_numbers(run, read_history(run)) is None
    return False


def _without_numbers(checkpoint: Checkpoint, since: int) -> Checkpoint:
    """The checkpoint, with its problem where its numbers may be lost."""
    if checkpoint.step < since or checkpoint.problem:
        return checkpoint
    return replace(checkpoint, problem=f"its numbers are lost, as from step {since:,} on")
