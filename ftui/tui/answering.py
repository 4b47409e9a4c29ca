"""A typed answer on its way into the plan: read beside the screen, and asked about where needed."""

from __future__ import annotations

import contextlib
import dataclasses
from threading import Event
from typing import TYPE_CHECKING, Any

from ftui.errors import FtuiError, Interrupted
from ftui.tui.background import in_background

if TYPE_CHECKING:
    from textual.app import App

    from ftui.data.dataset import Groups, Reader
    from ftui.plan.plan import Plan
    from ftui.plan.step import Step, World
    from ftui.tui.widgets.fields import FieldRow


async def answered(app: App[Any], step: Step, plan: Plan, answer: str, world: World) -> Plan | None:
    """The plan with the answer; None when the person would not say what its rows are.

    To be called from a worker; the reading ends when that is cancelled. Raises FtuiError when the
    answer cannot be taken.
    """
    from ftui.data.dataset import Undecided

    stopped = Event()
    world = dataclasses.replace(world, read=_stoppable(world.read, stopped))
    try:
        return await in_background(lambda: step.apply(plan, answer, world))
    except Undecided as undecided:
        from ftui.tui.screens.rows import RowsScreen

        format = await app.push_screen_wait(RowsScreen(undecided))
        if format is None:
            return None
        return await in_background(lambda: step.apply(plan, answer, world.reading_as(format)))
    finally:
        stopped.set()


async def looked_at(row: FieldRow, plan: Plan, world: World) -> Plan:
    """The plan with what was typed into a field, once that was looked at.

    To be called from a worker; the reading ends when that is cancelled. Raises FtuiError, after
    pointing at the field.
    """
    look, stopped = row.field.look, Event()
    if look is None:
        return plan
    world = dataclasses.replace(world, read=_stoppable(world.read, stopped))
    try:
        return await in_background(lambda: look(plan, world))
    except FtuiError:
        row.point()
        raise
    finally:
        stopped.set()


def _stoppable(read: Reader, stopped: Event) -> Reader:
    """A reader that gives up, in whatever thread it is, once nobody waits for the rows."""

    def rows(source: str) -> Groups:
        with contextlib.closing(read(source)) as groups:
            for each in groups:
                if stopped.is_set():
                    raise Interrupted("the reading was stopped")
                yield each

    return rows
