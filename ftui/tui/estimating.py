"""The estimate of the training that a screen is about: a note on it, and the screen of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftui.errors import FtuiError
from ftui.tui.app import FtuiApp
from ftui.tui.widgets.memory_note import MemoryNote

if TYPE_CHECKING:
    from ftui.data.tokens import Tokens
    from ftui.plan.hardware import Hardware
    from ftui.plan.offer import Market
    from ftui.plan.plan import Plan
    from ftui.tui.screens.memory import OnChange, OnMachine, Subject


class Estimating:
    """Keeps its notes true to what is on the screen; quick enough for every keystroke."""

    def __init__(self, app: FtuiApp, *notes: MemoryNote) -> None:
        self._app, self._notes = app, notes
        self._subject: Subject | None = None
        self._shown: tuple[Subject, Market | None] | None = None

    def follow(self, subject: Subject) -> None:
        """Another training is on the screen: say what it needs, without asking anybody."""
        if subject.hardware.is_rented and not subject.on_cpu:
            self._app.markets.ask_once(subject.plan, self._again)
        market = self._app.markets.known(subject.plan)
        if (subject, market) == self._shown:
            return
        self._subject, self._shown = subject, (subject, market)
        try:
            found = self._app.services.estimate(
                subject.settings, subject.folder, subject.gpus, subject.longest, hub=False
            )
        except FtuiError as error:
            for note in self._notes:
                note.fail(error)
            return
        for note in self._notes:
            note.show(found, subject, market)

    def _again(self) -> None:
        """The prices came."""
        if self._subject is not None and all(note.is_attached for note in self._notes):
            self.follow(self._subject)

    def follow_plan(self, plan: Plan, hardware: Hardware) -> None:
        """The same of answers."""
        from ftui.config.build import for_cpu
        from ftui.tui.screens.memory import Subject

        settings = plan.settings if plan.gpus else for_cpu(plan.settings)
        self.follow(Subject(plan, settings, hardware))

    def follow_text(self, text: str, plan: Plan, hardware: Hardware, tokens: Tokens | None) -> None:
        """The same of a config; one that is no YAML now leaves the note as it is."""
        from ftui.plan.yaml_source import YamlProblem, mapping
        from ftui.tui.screens.memory import Subject

        try:
            settings = mapping(text).data
        except YamlProblem:
            return
        self.follow(Subject(plan, settings, hardware, tokens))

    def open(self, on_change: OnChange, on_machine: OnMachine) -> None:
        """Show it on a screen of its own.

        `on_change` hears the keys that are changed there, `on_machine` what is asked of a machine.
        """
        from ftui.tui.screens.memory import MemoryScreen

        if self._subject is not None:
            self._app.push_screen(MemoryScreen(self._subject, on_change, on_machine))
