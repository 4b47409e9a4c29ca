"""Why a run ended badly: from evidence, in plain words, and what to change where that mends it.

Whoever knows best is asked first: the supervisor that could not start the trainer, the kernel that
killed it, the log, the numbers of the training, the exit code. Where nobody says why, neither do
we.
"""

from __future__ import annotations

from collections.abc import Callable

from ftui.runs.failures import endings, matching
from ftui.runs.failures.diagnosis import Diagnosis
from ftui.runs.failures.exception import last_exception
from ftui.runs.failures.not_a_number import numbers_lost
from ftui.runs.failures.story import Story, read_story
from ftui.runs.failures.table import SIGNATURES
from ftui.runs.model import Run


def diagnose(run: Run) -> Diagnosis:
    """Why this run ended badly, or was lost; for one that did neither, the answer means nothing.

    Raises OSError when the run's events cannot be read.
    """
    story = read_story(run)
    found = (ask(story) for ask in _WITNESSES)
    return next((one for one in found if one is not None), None) or endings.lost(story)


def _from_log(story: Story) -> Diagnosis | None:
    return _known(story, echoes=False)


def _from_echo(story: Story) -> Diagnosis | None:
    return _known(story, echoes=True)


def _known(story: Story, *, echoes: bool) -> Diagnosis | None:
    """What the newest signature in the log means."""
    found = matching.find(story.log, SIGNATURES, echoes=echoes)
    if found is None:
        return None
    change = found.signature.change(story.trial)
    return Diagnosis(
        found.signature.cause,
        what=found.says,
        why=found.signature.why,
        hint=found.signature.hint,
        evidence=found.line,
        changes=change.settings if change else {},
        reason=change.reason if change else "",
        resumes=change.resumes if change else True,
        signature=found.signature.name,
    )


def _from_numbers(story: Story) -> Diagnosis | None:
    return numbers_lost(story.history, story.trial)


_WITNESSES: tuple[Callable[[Story], Diagnosis | None], ...] = (
    endings.never_began,
    endings.killed_for_memory,
    endings.killed,
    _from_log,
    _from_numbers,
    last_exception,
    _from_echo,
    endings.disk_full,
    endings.crashed_by_signal,
    endings.by_exit_code,
)
