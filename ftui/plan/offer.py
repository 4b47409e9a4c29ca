"""A machine that can be rented, and what an hour of it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ftui.plan.hardware import Gpu


@dataclass(frozen=True)
class Offer:
    """So many GPUs of one kind in one machine; `gpu` is None where it has none."""

    gpu: Gpu | None
    count: int
    dollars: float | None
    """An hour of the whole machine; None where nobody knows, as of one's own."""
    spot: bool = False
    """Whether it may be taken away again."""
    place: str = ""
    """Whose it is, and where: `aws us-east-1`."""
    wishes: Mapping[str, str] = field(default_factory=dict)
    """What has to be asked for to get it (`Plan.machine`): `{"gpu": "A100"}`."""

    @property
    def price(self) -> float:
        """Dollars to sort by: where nobody knows, more than any."""
        return math.inf if self.dollars is None else self.dollars


@dataclass(frozen=True)
class Market:
    """What a target offers for a plan now, the cheapest first."""

    offers: tuple[Offer, ...]
    source: str
    """Where the prices are from, and of when: `dstack's offers of 14:05`."""
    listed: bool = False
    """Whether these are a list's prices, because nobody tells those of now."""

    def asked_for(self, machine: Mapping[str, str]) -> Offer | None:
        """The offer that somebody who asks for such a machine has chosen."""
        asked = {name: value.casefold() for name, value in machine.items()}
        for offer in self.offers:
            wishes = {name: value.casefold() for name, value in offer.wishes.items()}
            if wishes and wishes.items() <= asked.items():
                return offer
        return None
