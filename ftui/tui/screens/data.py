"""The data as the model will see it: each token of a row learnt or only read, and the figures.

ftui reads the rows itself, and axolotl counts them with the very config that would run: what is
shown is what is trained.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from ftui.errors import FtuiError, Interrupted
from ftui.text import printable
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.services import SHOWN, datasets
from ftui.tui.widgets import mask_view
from ftui.tui.widgets.data_figures import DataFigures
from ftui.tui.widgets.lines import TopLine, explain
from ftui.tui.widgets.mask_view import MaskView
from ftui.tui.widgets.pane_tabs import PaneTabs

if TYPE_CHECKING:
    from ftui.data.entries import Look
    from ftui.data.tokens import Shown, Tokens
    from ftui.plan.hardware import Gpu
    from ftui.plan.plan import Plan

_TICK = 0.25
"""Seconds between looks at how far the reading is."""
_PANES = ("tokens", "figures")


class DataScreen(Screen["Tokens | None"]):
    """The rows of a plan; closes with what axolotl counted, when it came that far."""

    CSS_PATH = "../styles/data.tcss"
    HELP = (
        "The first rows as they are trained, after the chat template and the tokenizer. What is "
        "tinted and has ┃ before it is learnt: the model is graded on it. What has · is only read. "
        "■ marks a token that ends a turn: without one that is learnt, a model never learns to "
        "stop. Beside it: how many rows are trained on, how long they are, and what is wrong."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        # Priority: the arrows would scroll whatever has the focus.
        Binding("left,p", "go(-1)", "row before", key_display="←", priority=True),
        Binding("right,n", "go(1)", "next row", key_display="→", priority=True),
        Binding("tab", "next_pane", "tokens or figures"),
        Binding("escape", "back", "back"),
    ]
    app: FtuiApp

    def __init__(self, plan: Plan, text: str = "", tokens: Tokens | None = None) -> None:
        """`text` is the plan's config as it was edited, `tokens` what was counted of it before."""
        super().__init__()
        self._plan = plan
        self._text = text
        self._tokens = tokens
        self._looks: Sequence[Look] = ()
        self._sources: Sequence[str] = ()
        self._number = 0
        self._waiting = "looking at the config"
        """What the tokens wait for; nothing once they are there, or cannot be had."""
        self._since = time.monotonic()
        self._read = 0
        """Rows that ftui has read itself, as long as it reads."""
        self._reading = False
        self._left = Event()

    def compose(self) -> ComposeResult:
        """The tokens of a row on the left, the figures on the right; or one at a time."""
        yield TopLine("ftui · what the model will see")
        yield PaneTabs(_PANES, id="tabs")
        with Horizontal(id="body"):
            with Vertical(id="tokens"):
                yield Static("", id="head", markup=False)
                yield Static(mask_view.LEGEND, id="legend", classes="quiet", markup=False)
                yield MaskView(id="mask")
                yield Static("", id="waiting", markup=False)
            yield DataFigures(id="figures")
        yield Footer()

    def on_mount(self) -> None:
        """Paint first; then read and count."""
        self.query_one(DataFigures).glyphs = self.app.glyphs
        self._show_pane("tokens")
        self._show()
        self.set_interval(_TICK, self._tick)
        self.call_after_refresh(self._load)

    def on_unmount(self) -> None:
        """Nobody needs what is still being read."""
        self._left.set()

    # ── Reading and counting ─────────────────────────────────────────────────────────────────

    @work
    async def _load(self) -> None:
        """Find out which config it is; then read its rows, and have axolotl count them."""
        plan, services = self._plan, self.app.services
        try:
            facts = await in_background(lambda: services.facts(plan))
            self._text = text = self._text or facts.config
            named = [*datasets(text), *datasets(text, "test_datasets")]
        except FtuiError as error:
            self._fail(error)
            return
        self._sources = [str(each.get("path", "")) for each in named]
        self.query_one(TopLine).right = f"{facts.place} · {facts.hardware.words}"
        self._look(text)
        if self._tokens is None:
            self._count(text, facts.hardware.used_by(plan.all_gpus))
        else:
            self._counted(self._tokens)

    @work
    async def _look(self, text: str) -> None:
        look, self._reading = self.app.services.look, True
        try:
            self._looks = await in_background(lambda: look(text, self._has_read))
        except Interrupted:
            return
        except FtuiError as error:
            self._fail(error)
        finally:
            self._reading = False
        self._show_figures()

    def _has_read(self, rows: int) -> None:
        """Note how far the reading is; called from its thread. Ends it when nobody waits."""
        self._read = rows
        if self._left.is_set():
            raise Interrupted("the reading was stopped")

    @work
    async def _count(self, text: str, gpus: Sequence[Gpu] | None) -> None:
        self._waiting = "starting axolotl"
        count = self.app.services.count
        try:
            self._counted(await count(text, gpus, self._has_counted, show=SHOWN))
        except FtuiError as error:
            self._fail(error)

    def _has_counted(self, told: Mapping[str, Any]) -> None:
        from ftui.data.summary import progress_words

        self._waiting = progress_words(told)

    def _counted(self, tokens: Tokens) -> None:
        self._tokens, self._waiting = tokens, ""
        self._show()

    def _fail(self, error: FtuiError) -> None:
        """Say why there are no tokens to show; what else is known stays."""
        self._waiting = ""
        self.query_one("#waiting", Static).update(explain(error))
        self._show_figures()

    # ── Showing ──────────────────────────────────────────────────────────────────────────────

    @property
    def _rows(self) -> Sequence[Shown]:
        return self._tokens.shown if self._tokens else ()

    def _tick(self) -> None:
        """Say for how long, and what, is waited for."""
        if self._waiting:
            seconds = int(time.monotonic() - self._since)
            self.query_one("#waiting", Static).update(
                Content.assemble(
                    (f"{theme.WAITING} {printable(self._waiting)} … {seconds} s", "$secondary"),
                    "\n  → esc stops it",
                )
            )
        if self._waiting or self._reading:
            self._show_figures()

    def _show(self) -> None:
        rows = self._rows
        for name in ("#head", "#legend", "#mask"):
            self.query_one(name).display = bool(rows)
        self.query_one("#waiting").display = not rows
        if rows:
            self._show_row(rows[self._number])
        elif self._tokens is not None:
            self.query_one("#waiting", Static).update("There is no row to show.")
        self._show_figures()
        self._tick()
        self.refresh_bindings()

    def _show_row(self, row: Shown) -> None:
        """One row, and what becomes of it."""
        assert self._tokens is not None
        errors = {(each.dataset, each.row): each.message for each in self._tokens.errors}
        place = f"{self._number + 1} of {len(self._rows)}"
        source = dict(enumerate(self._sources)).get(row.dataset, "the dataset")
        why = errors.get((row.dataset, row.row), "")
        self.query_one("#head", Static).update(mask_view.head(row, place, Path(source).name, why))
        self.query_one(MaskView).show(row)

    def _show_figures(self) -> None:
        reading = f"reading row by row … {self._read:,}" if self._reading else ""
        if self._waiting and not reading:
            reading = "the rest comes when axolotl has counted"
        self.query_one(DataFigures).show(self._looks, self._tokens, self._text, reading)

    def _show_pane(self, name: str) -> None:
        """Narrow terminals show one pane at a time; wider ones show both."""
        self.query_one(PaneTabs).chosen = name
        for pane in _PANES:
            self.set_class(pane == name, f"-pane-{pane}")
        self.query_one(MaskView if name == "tokens" else DataFigures).focus()

    @on(PaneTabs.Chosen)
    def _pane_chosen(self, event: PaneTabs.Chosen) -> None:
        self._show_pane(event.name)

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A row further only where there is one."""
        if action == "go":
            [by] = parameters
            assert isinstance(by, int)
            return 0 <= self._number + by < len(self._rows) or None
        return True

    def action_go(self, by: int) -> None:
        """Show the row after this one, or before it."""
        self._number += by
        self._show()

    def action_next_pane(self) -> None:
        """To the figures, or back to the tokens."""
        self.query_one(PaneTabs).next()

    def action_back(self) -> None:
        """Close; what is still under way is ended."""
        self.workers.cancel_node(self)
        self.dismiss(self._tokens)
