"""Will it fit: what a training needs of a GPU's memory, which GPUs have it, and what needs less."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from ftui.errors import FtuiError
from ftui.text import printable
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.widgets.lines import Notice, TopLine
from ftui.tui.widgets.machines import Machines
from ftui.tui.widgets.memory_tables import term_table
from ftui.tui.widgets.options import Options

if TYPE_CHECKING:
    from ftui.data.tokens import Tokens
    from ftui.estimate.estimate import Estimate
    from ftui.estimate.ways import Way
    from ftui.plan.hardware import Hardware
    from ftui.plan.offer import Market
    from ftui.plan.plan import Plan

Settings = Mapping[str, Any]
OnChange = Callable[[Mapping[str, Any]], None]
"""Hears the keys that a person chose to change; None takes a key out."""
OnMachine = Callable[[Mapping[str, str]], None]
"""Hears what is asked of a machine (`Plan.machine`), with the one that a person chose."""


@dataclass(frozen=True)
class Subject:
    """A training, and where it is to run."""

    plan: Plan
    settings: Settings
    """The plan's, or as they were edited."""
    hardware: Hardware
    tokens: Tokens | None = None
    """What was counted of its data."""

    @property
    def folder(self) -> Path:
        """Where a relative base model is looked for."""
        return self.plan.preset.path.parent

    @property
    def gpus(self) -> int:
        """How many train together."""
        return self.plan.all_gpus

    @property
    def on_cpu(self) -> bool:
        """Whether a processor trains it, and no GPU."""
        return not self.gpus

    @property
    def longest(self) -> int | None:
        """Tokens of its longest row, where that is known."""
        return self.tokens.lengths.longest if self.tokens else None


class MemoryScreen(Screen[None]):
    """The terms, the GPUs, and below them the changes; enter makes the highlighted one."""

    CSS_PATH = "../styles/memory.tcss"
    HELP = (
        "What the training needs on each GPU at its fullest moment, term by term. ✓ fits: even the "
        "upper end of the estimate does. ▲ tight: what is expected fits. Below are changes that "
        "need less, the least harmful first; enter makes the highlighted one. Where machines are "
        "rented, tab goes to what is on offer, and enter chooses one."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other_list", "machines"),
        Binding("escape", "back", "back"),
    ]
    app: FtuiApp

    def __init__(self, subject: Subject, on_change: OnChange, on_machine: OnMachine) -> None:
        super().__init__()
        self._subject, self._on_change, self._on_machine = subject, on_change, on_machine
        self._found: Estimate | None = None
        self._machines = Machines(id="machines")
        self._wishes = subject.plan.machine
        """What is asked of the machine beside the choice of one."""
        self._ways: tuple[Way, ...] = ()

    def compose(self) -> ComposeResult:
        """Empty until the estimate is there."""
        yield TopLine("ftui · will it fit?")
        with VerticalScroll(id="body", can_focus=False):
            with Horizontal(id="tables"):
                with Vertical(id="needs"):
                    yield Static("Working it out", id="told", markup=False)
                    yield Static("", id="terms", markup=False)
                yield self._machines
            yield Static("", id="ways-title", markup=False)
            yield Options(id="ways", one_of_several=True)
            yield Static("", id="about", classes="quiet", markup=False)
        yield Notice(id="problem")
        yield Footer()

    def on_mount(self) -> None:
        """Paint first: the model hub may be asked."""
        self.call_after_refresh(self._estimate)
        if self._subject.hardware.is_rented and not self._subject.on_cpu:
            self.call_after_refresh(self._ask_market)

    @work
    async def _ask_market(self) -> None:
        """What is on offer now; until that is known, and where nobody tells it, the usual cards."""
        plan = self._subject.plan
        self._take(self.app.markets.known(plan))
        self._machines.say(f"{theme.WAITING} asking {plan.target} what it has on offer")
        try:
            market = await self.app.markets.ask(plan)
        except FtuiError as error:
            self._machines.say(f"{theme.WARNING} {error}")
        else:
            self._take(market)
            nothing = f"{theme.WARNING} {plan.target} has nothing on offer for this now"
            self._machines.say("" if market and market.offers else nothing)
        self.refresh_bindings()

    def _take(self, market: Market | None) -> None:
        """Show what is on offer; what is asked for beside the choice stays whatever is chosen."""
        self._machines.offer(market)
        chosen = market.asked_for(self._wishes) if market else None
        if chosen is not None:
            own = self._wishes.items() - chosen.wishes.items()
            self._wishes = dict(sorted(own))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is another list where machines are on offer."""
        return action != "other_list" or self._machines.can_choose

    def action_other_list(self) -> None:
        """From the changes to the machines, and back."""
        self.focus_next()

    @work(exclusive=True)
    async def _estimate(self) -> None:
        subject = self._subject
        try:
            found = await in_background(
                lambda: self.app.services.estimate(
                    subject.settings, subject.folder, subject.gpus, subject.longest, hub=True
                )
            )
        except FtuiError as error:
            self.query_one("#told", Static).update("Nobody can say what it needs.")
            self.query_one(Notice).show(error)
            return
        self._show(found)

    def _show(self, found: Estimate) -> None:
        from ftui.estimate.words import cpu_words, memory_words

        self.query_one(TopLine).right = found.model.title
        gpus = found.training.gpus
        on_cpu = self._subject.on_cpu
        told = cpu_words(found.memory) if on_cpu else memory_words(found.memory, gpus)
        self.query_one("#told", Static).update(f"About {told}\nfullest {found.memory.moment}")
        self._found = found
        self._show_terms()
        self._machines.show(found, self._subject)
        self.query_one("#about", Static).update(_about(found))
        self._show_ways(found)

    def on_resize(self) -> None:
        """Bars and prices where there is room for them; called after the classes are set."""
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self._show_terms()
        self._machines.draw()

    def _show_terms(self) -> None:
        if self._found is not None:
            roomy = not self.has_class("-narrow")
            self.query_one("#terms", Static).update(term_table(self._found, bars=roomy))

    def _show_ways(self, found: Estimate) -> None:
        from ftui.estimate.ways import NEEDS_GPU
        from ftui.plan.step import Option

        left_out = NEEDS_GPU if self._subject.on_cpu else ()
        self._ways = tuple(way for way in found.ways() if way.id not in left_out)
        title = "What would need less" if self._ways else "Nothing that ftui knows needs less."
        self.query_one("#ways-title", Static).update(title)
        listed = self.query_one("#ways", Options)
        listed.display = bool(self._ways)
        listed.fill(
            [
                Option(
                    way.id,
                    f"{way.memory.expected:6.1f} GiB  {way.words}",
                    f"{way.costs} · {way.yaml}",
                )
                for way in self._ways
            ],
            "",
        )
        listed.focus()

    @on(Options.OptionSelected, "#ways")
    def _change(self, event: Options.OptionSelected) -> None:
        """Make the change, and work it out anew."""
        from ftui.estimate.ways import changed

        way = next((one for one in self._ways if one.id == event.option_id), None)
        if way is None:
            return
        settings = changed(self._subject.settings, way.keys)
        self._subject = replace(self._subject, settings=settings)
        self._on_change(way.keys)
        self.query_one(Notice).say(f"changed: {way.yaml}", "kept when you go back with esc")
        self._estimate()

    @on(Machines.Chosen)
    def _choose(self, event: Machines.Chosen) -> None:
        """Ask for that machine."""
        assert self._found is not None
        plan = replace(self._subject.plan, machine={**self._wishes, **event.offer.wishes})
        self._subject = replace(self._subject, plan=plan)
        self._on_machine(plan.machine)
        asked = ", ".join(f"{name} {value}" for name, value in event.offer.wishes.items())
        self.query_one(Notice).say(f"chosen: {printable(asked)}", "kept when you go back with esc")
        self._machines.show(self._found, self._subject)

    async def action_back(self) -> None:
        """Back to the question or the review."""
        await self.app.action_back()


def _about(found: Estimate) -> str:
    from ftui.estimate.words import serving_words

    nearest = found.nearest()
    told = []
    if found.training.gpus > 1:
        shared = found.strategy()
        told.append(f"{shared.name}: {shared.why}.")
    told.append(f"Served by vLLM afterwards: {serving_words(found.serving())}.")
    if nearest is not None:
        told.append(f"The nearest measurement: {nearest.words}")
    told += [f"Assumed: {assumption}." for assumption in found.assumptions]
    return "\n".join(told)
