"""Where a run's model is to be served before one talks with it, with what that costs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from ftui.errors import FtuiError, RunNotFound
from ftui.plan.step import Option
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.serve.place import HOURS, Serve, Where
from ftui.targets import TARGETS, get
from ftui.targets.base import Serving, Target
from ftui.targets.local import LocalTarget
from ftui.targets.renting import Priced
from ftui.text import duration
from ftui.tui import theme
from ftui.tui.background import in_background
from ftui.tui.widgets.options import Options

HERE = LocalTarget.name
_CAP = f"ends after {duration(HOURS * 3600)}"


def rented_for(run: Run, *, anywhere: bool) -> tuple[Target, ...]:
    """The target that trained a run, if it serves on machines of its own; or all that do."""
    try:
        own = read_record(run).target
    except RunNotFound:
        own = ""
    found = (get(name) for name in TARGETS if anywhere or name == own)
    return tuple(target for target in found if isinstance(target, Serving))


class WhereScreen(ModalScreen[Serve | None]):
    """Returns how the run is served where it was chosen; None for nowhere."""

    CSS_PATH = "../styles/where.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "back", key_display="esc"),
    ]

    def __init__(self, run: Run, targets: Sequence[Target]) -> None:
        super().__init__()
        self._run = run
        self._targets = {target.name: target for target in targets}

    def compose(self) -> ComposeResult:
        """This machine, and each of the others."""
        with Vertical(classes="dialog"):
            yield Static("Where is the model to be served?", classes="dialog-title")
            yield Options(id="places")
            yield Static(
                "A rented machine costs from its start until you leave the chat, or until its time "
                "is over, whatever becomes of ftui.",
                classes="quiet",
            )
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Ask each target what it costs."""
        self._show(dict.fromkeys(self._targets, "asking what it costs …"))
        self.query_one(Options).focus()
        self._ask()

    def _show(self, terms: Mapping[str, str]) -> None:
        """Each place, and what there is to say of it."""
        here = Option(HERE, LocalTarget.title, "costs nothing")
        others = (Option(name, target.title, terms[name]) for name, target in self._targets.items())
        places = self.query_one(Options)
        current = places.choice.value if places.choice is not None else HERE
        places.fill((here, *others), current)

    @work(exclusive=True)
    async def _ask(self) -> None:
        asked = (
            in_background(partial(terms_of, target, self._run)) for target in self._targets.values()
        )
        told = await asyncio.gather(*asked)
        self._show(dict(zip(self._targets, told, strict=True)))

    @on(Options.OptionSelected)
    def _chosen(self, event: Options.OptionSelected) -> None:
        self.dismiss(Where(event.option_id or HERE).serve)


def terms_of(target: Target, run: Run) -> str:
    """What it costs there and when it ends, or why it cannot be served; may ask a server."""
    if not isinstance(target, Priced):
        return f"a rented machine · {_CAP}"
    try:
        return f"{target.serving_terms(run)} · {_CAP}"
    except FtuiError as error:
        return f"{theme.FAILED} {error.what}"
