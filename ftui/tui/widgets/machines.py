"""The machines beside a training's need: what is on offer, or the usual cards, and their prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from ftui.text import printable
from ftui.tui.widgets.memory_tables import gpu_table, offer_rows, offer_words
from ftui.tui.widgets.options import Options

if TYPE_CHECKING:
    from ftui.estimate.estimate import Estimate
    from ftui.plan.offer import Market, Offer
    from ftui.tui.screens.memory import Subject

_MOST, _MOST_NARROW = 12, 8
"""Machines in sight, so that what would need less is, too."""


class Machines(Vertical):
    """A list to choose from where machines are on offer, else a table. Empty until `show`."""

    class Chosen(Message):
        """A person chose a machine that is on offer."""

        def __init__(self, offer: Offer) -> None:
            super().__init__()
            self.offer = offer

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._found: Estimate | None = None
        self._subject: Subject | None = None
        self._market: Market | None = None
        """What the target has on offer; None: it was not asked, rents nothing or has nothing."""
        self._told = ""

    def compose(self) -> ComposeResult:
        """The table or the list, and below it the words."""
        yield Static("", id="gpus", markup=False)
        yield Options(id="offers", one_of_several=True)
        yield Static("", id="market", classes="quiet", markup=False)

    def on_mount(self) -> None:
        """There is no list yet."""
        self.query_one("#offers").display = False

    @property
    def can_choose(self) -> bool:
        """Whether there is a list to choose from."""
        return self._found is not None and self._market is not None

    def say(self, told: str) -> None:
        """Say how asking for offers goes."""
        self._told = told
        self._show_words()

    def offer(self, market: Market | None) -> None:
        """Show what is on offer now."""
        market = market if market is not None and market.offers else None
        if market != self._market:
            self._market = market
            self.draw()

    def show(self, found: Estimate, subject: Subject) -> None:
        """Show where a training fits, and which machine it asks for."""
        self._found, self._subject = found, subject
        self.draw()

    def draw(self) -> None:
        """Bars and prices where there is room for them."""
        if self._found is None:
            return
        roomy = not self.screen.has_class("-narrow")
        table, offers = self.query_one("#gpus", Static), self.query_one("#offers", Options)
        table.display, offers.display = self._market is None, self._market is not None
        if self._market is not None:
            self._fill(offers, self._found, self._market, roomy=roomy)
        else:
            table.update(gpu_table(self._found, self._usual(), roomy=roomy))
        self._show_words()

    def _fill(self, offers: Options, found: Estimate, market: Market, *, roomy: bool) -> None:
        """Show the machines, the highlight where it was."""
        assert self._subject is not None
        here = offers.choice
        rows = offer_rows(found, market, roomy=roomy)
        chosen = market.asked_for(self._subject.plan.machine)
        offers.most = _MOST if roomy else _MOST_NARROW
        offers.fill(rows, str(market.offers.index(chosen)) if chosen else "")
        places = [row.value for row in rows]
        if here is not None and here.value in places:
            offers.highlighted = places.index(here.value)

    def _usual(self) -> Market:
        """The usual cards at list prices, after those of the machine at hand."""
        from ftui.estimate.market import usual_market, with_ours

        assert self._subject is not None
        count, hardware = max(self._subject.gpus, 1), self._subject.hardware
        usual = usual_market(count)
        return usual if hardware.is_rented else with_ours(usual, hardware, count)

    @on(Options.OptionHighlighted, "#offers")
    def _show_words(self) -> None:
        """Whose the highlighted machine is, how asking goes, and where the prices are from."""
        told = [self._told]
        if self._found is not None:
            row = self.query_one("#offers", Options).choice
            if row is not None and self._market is not None and self._subject is not None:
                offer = self._market.offers[int(row.value)]
                told.insert(0, offer_words(self._found, offer, self._subject.tokens))
            told.append(f"Prices: {(self._market or self._usual()).source}.")
        self.query_one("#market", Static).update(printable("\n".join(filter(None, told))))

    @on(Options.OptionSelected, "#offers")
    def _choose(self, event: Options.OptionSelected) -> None:
        event.stop()
        if self._market is not None and event.option_id:
            self.post_message(self.Chosen(self._market.offers[int(event.option_id)]))
