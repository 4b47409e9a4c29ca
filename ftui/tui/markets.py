"""What the targets have on offer, as it was told last."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ftui.errors import FtuiError
from ftui.tui.background import in_background

if TYPE_CHECKING:
    from ftui.plan.offer import Market
    from ftui.plan.plan import Plan
    from ftui.tui.app import FtuiApp


class Markets:
    """One answer a target, project and number of GPUs; a plan of one's own machine has none."""

    def __init__(self, app: FtuiApp) -> None:
        self._app = app
        self._told: dict[tuple[str, str, int, int], Market | None] = {}

    def known(self, plan: Plan) -> Market | None:
        """What was told last; None before that, and where nobody could say."""
        return self._told.get(_key(plan))

    async def ask(self, plan: Plan) -> Market | None:
        """Ask the plan's target. Raises FtuiError."""
        market = await in_background(lambda: self._app.services.market(plan))
        self._told[_key(plan)] = market
        return market

    def ask_once(self, plan: Plan, then: Callable[[], None]) -> None:
        """Ask beside what else goes on, unless that was done before; `then` once it is known."""
        if _key(plan) not in self._told:
            self._told[_key(plan)] = None
            self._app.run_worker(self._ask_quietly(plan, then), group="markets")

    async def _ask_quietly(self, plan: Plan, then: Callable[[], None]) -> None:
        try:
            await self.ask(plan)
        except FtuiError:
            return  # the memory screen and the launch tell it
        then()


def _key(plan: Plan) -> tuple[str, str, int, int]:
    return plan.target, plan.project, plan.gpus, plan.machines
