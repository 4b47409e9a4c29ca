"""What a person does to the config on the review: edits, fixes, saves and writes it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftui.errors import ConfigError, FtuiError
from ftui.text import counted
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.draft import Draft
from ftui.tui.refusal import refuse_errors
from ftui.tui.widgets.lines import Notice

if TYPE_CHECKING:
    from ftui.plan.hardware import Gpu
    from ftui.plan.plan import Plan


def as_written(plan: Plan, text: str) -> Plan:
    """The plan with the settings of a config that was edited. Raises ConfigError."""
    from ftui.plan.yaml_source import YamlProblem, mapping

    try:
        return dataclasses.replace(plan, settings=mapping(text).data)
    except YamlProblem as problem:
        raise ConfigError(problem.message, where=f"config.yml:{problem.line}") from problem


class Editing:
    """Changes the draft, and tells in `notice` what came of it."""

    def __init__(self, app: FtuiApp, draft: Draft, notice: Notice) -> None:
        self.draft = draft
        self._app = app
        self._notice = notice
        self._tell_left_out(app.drafts.left_out(draft))

    def open_editor(self) -> None:
        """Let the person edit; returns when the editor has ended or stands beside the app."""
        try:
            self._app.services.edit(self._app, self.draft.open())
            self._notice.show(None)
        except FtuiError as error:
            self._notice.show(self._with_what_is_kept(error))

    def _with_what_is_kept(self, error: FtuiError) -> FtuiError:
        """The error of a failed editor; what that saved is not taken, but kept."""
        with contextlib.suppress(FtuiError):
            kept = self.draft.refuse()
            if kept is not None:
                left = f"what it saved is in {kept} until ftui ends"
                why = f"{error.why}; {left}" if error.why else left
                return FtuiError(error.what, where=error.where, why=why, hint=error.hint)
        return error

    def look(self) -> bool:
        """Take what was saved in the editor; whether it is another text."""
        new = False
        try:
            new = self.draft.look()
            if new:
                self._notice.show(None)
            self._tell_left_out(self._app.drafts.saved_elsewhere(self.draft))
        except FtuiError as error:
            self._notice.show(error)
        return new

    def _tell_left_out(self, other: Draft | None) -> None:
        if other is not None:
            self._notice.warn(
                "your edits are left out: they were made for other answers",
                f"they are in {other.path} until ftui ends; e edits this config",
            )

    async def mend(self, gpus: Sequence[Gpu] | None) -> None:
        """Write what is out of date as it is written today."""
        text, services = self.draft.text, self._app.services
        try:
            mended = await in_background(lambda: services.mend(text, gpus))
            self.draft.change(mended)
        except FtuiError as error:
            self._notice.show(error)
            return
        if mended != text:
            self._notice.say("fixed what there is one way to fix", "e shows and edits it")

    def set_keys(self, keys: Mapping[str, Any]) -> None:
        """Change keys of the config; None takes one out. Comments and all else stay."""
        from ftui.config.edit_text import rewrite
        from ftui.estimate.ways import changed
        from ftui.plan.yaml_source import mapping

        text = self.draft.text
        try:
            self.draft.change(rewrite(text, changed(mapping(text).data, keys)))
        except FtuiError as error:
            self._notice.show(error)

    async def save(self, errors: int) -> bool:
        """Write the config, which has so many errors, into the person's own file; whether it is.

        The draft then belongs to a plan that begins with it.
        """
        plan, text, services = self.draft.plan, self.draft.text, self._app.services
        try:
            saved = await in_background(lambda: services.save(plan, text))
        except FtuiError as error:
            self._notice.show(error)
            return False
        self.draft.saved(saved)
        but = f", with {counted(errors, 'error')}" if errors else ""
        self._notice.say(
            f"saved{but}: {plan.preset.path}", "without what a run adds: output, plugin, paths"
        )
        return True

    async def write(self, errors: int) -> None:
        """Write the run's files, start nothing, and say where they are."""
        plan, text, services = self.draft.plan, self.draft.text, self._app.services
        try:
            refuse_errors(errors, "written")
            run = await in_background(lambda: services.prepare(plan, text))
        except FtuiError as error:
            self._notice.show(error)
            return
        self._notice.say(
            f"written, nothing started: {run.folder}", f"train it with {run.script_file}"
        )
