"""Rented machines: what is asked of them, what is on offer beside the need, and the choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

from textual.pilot import Pilot

from ftui.errors import TargetUnavailable, UsageError
from ftui.plan.gpus import find
from ftui.plan.hardware import Hardware
from ftui.plan.offer import Market, Offer
from ftui.plan.plan import Plan
from ftui.plan.step import TargetChoice, World
from ftui.plan.steps import STEPS, begin
from ftui.plan.wish import Wish, wish_field
from ftui.runs.model import Run
from ftui.targets.remote.rented import Rented
from ftui.tui.app import Wizard
from ftui.tui.services import Facts
from tests.ui.conftest import LIMIT, screen_text, shows, until
from tests.ui.stage import MACHINE, Stage, StageApp, facts, preset, world

SMALL, LARGE = find("T4"), find("H100")


def known(name: str) -> None:
    if name not in ("T4", "H100"):
        raise UsageError(f"there is no {name} here")


def hired(plan: Plan) -> Hardware:
    named = plan.machine.get("gpu")
    return Rented(cores=0, memory_gib=0.0, place="shop").of(
        find(named) if named else None, plan.gpus
    )


WISH = Wish("gpu", "GPU type", "T4 or H100.", "any", known)
SHOP = TargetChoice("shop", "The shop", "by the hour", (wish_field("shop", WISH),), hired)
SPOT, DEMAND = {"spot": "yes"}, {"spot": "no"}
OFFERS = (
    Offer(SMALL, 1, 0.25, spot=True, place="north", wishes={"gpu": "T4", **SPOT}),
    Offer(LARGE, 1, 2.5, place="south [b]east[/b]", wishes={"gpu": "H100", **DEMAND}),
    Offer(SMALL, 1, 70.0, place="west", wishes={"gpu": "T4", **DEMAND, "most": "70"}),
)


def survey() -> World:
    return dataclasses.replace(world(), targets=(*world().targets, SHOP))


def told(plan: Plan) -> Facts:
    return dataclasses.replace(facts(plan), hardware=hired(plan), limits="12 h", problems=[])


def on_offer(plan: Plan) -> Market:
    return Market(OFFERS, "the shop's offers of 14:05")


class ShopApp(StageApp):
    """The app in front of the shop; it notes the plans that it is to write the files of."""

    asked: list[Plan]


def stage(
    tmp_path: Path,
    market: Callable[[Plan], Market] = on_offer,
    gpus: int = 1,
    machine: Mapping[str, str] | None = None,
) -> ShopApp:
    plan = begin(preset("small-lora"), MACHINE)
    plan = dataclasses.replace(plan, target="shop", gpus=gpus, machine=machine or {})
    asked: list[Plan] = []

    def prepare(plan: Plan, config: str) -> Run:
        asked.append(plan)
        return Run(tmp_path / "small-lora-1123-amber")

    services = Stage(tmp_path).services(survey=survey, facts=told, market=market, prepare=prepare)
    app = ShopApp(Wizard(plan), services)
    app.asked = asked
    return app


async def to_hardware(pilot: Pilot[Any]) -> None:
    for step in STEPS[:-1]:
        await shows(pilot, step.question)
        await pilot.press("enter")
    await shows(pilot, STEPS[-1].question)


async def test_a_rented_machine_is_asked_for_in_the_hardware_step(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = stage(tmp_path)
    async with app.run_test(size=size) as pilot:
        await to_hardware(pilot)
        text = await shows(pilot, "GPU type", "any", "The shop rents a machine")
        assert max(map(len, text.splitlines())) <= size[0]
        await pilot.press("tab", "tab", *["backspace"] * 3, *"T40")
        await shows(pilot, "there is no T40 here")
        await pilot.press("backspace", "enter")
        await shows(pilot, "ftui · review", "shop · T4", "at the latest after 12 h")


async def test_the_wishes_of_a_target_are_its_own_and_come_back_with_it(tmp_path: Path) -> None:
    async with stage(tmp_path, machine={"gpu": "H100"}).run_test(size=(120, 40)) as pilot:
        await to_hardware(pilot)
        await shows(pilot, "GPU type", "shop, 1 × H100")
        await pilot.press("up")
        await shows(pilot, "This machine trains")
        assert "GPU type" not in screen_text(pilot.app)
        await pilot.press("enter")
        await shows(pilot, "ftui · review")
        await pilot.press("escape")
        await shows(pilot, "● This machine", "local, 1 GPU")
        await pilot.press("down")
        await shows(pilot, "GPU type", "H100")
        await pilot.press("enter")
        await shows(pilot, "ftui · review", "shop · H100")


async def test_what_is_on_offer_stands_beside_the_need_the_cheapest_that_fits_marked(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = stage(tmp_path)
    async with app.run_test(size=size) as pilot:
        await to_hardware(pilot)
        await pilot.press("m")
        text = await shows(pilot, "the shop's offers of 14:05", "What would need less")
        assert max(map(len, text.splitlines())) <= size[0]
        small, large = (
            next(line for line in text.splitlines() if price in line)
            for price in ("$0.25/h", "$2.50/h")
        )
        assert "✓" in small
        assert "least" in small
        assert "✓" in large
        assert "least" not in large
        assert text.count("▸") == 1, "one pointer, in the list that has the keys"
        await pilot.press("tab", "down")
        text = await shows(pilot, "1 × H100, on demand, south", "[b]east[/b]")
        assert "▸" in next(line for line in text.splitlines() if "$2.50/h" in line)
        assert text.count("▸") == 1


async def test_a_machine_that_is_chosen_is_asked_for(tmp_path: Path) -> None:
    async with stage(tmp_path).run_test(size=(120, 40)) as pilot:
        await to_hardware(pilot)
        await pilot.press("m")
        await shows(pilot, "the shop's offers of 14:05", "tab machines")
        await pilot.press("tab", "down", "enter")
        await shows(pilot, "chosen: gpu H100, spot no", "● ✓ fits      H100")
        await pilot.press("escape")
        await shows(pilot, "shop, 1 × H100", "H100 ✓ fits")


async def test_a_machine_chosen_from_the_review_is_an_answer_of_the_wizard_too(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path).run_test(size=(120, 40)) as pilot:
        await to_hardware(pilot)
        await pilot.press("enter")
        await shows(pilot, "ftui · review", "This machine · shop")
        await pilot.press("m")
        await shows(pilot, "the shop's offers of 14:05", "tab machines")
        await pilot.press("tab", "down", "enter")
        await shows(pilot, "chosen: gpu H100")
        await pilot.press("escape")
        await shows(pilot, "ftui · review", "shop · H100", "H100 ✓ fits")
        await pilot.press("escape")
        await shows(pilot, "shop, 1 × H100")


async def test_hours_and_dollars_are_those_of_the_offer_that_is_chosen(tmp_path: Path) -> None:
    async with stage(tmp_path).run_test(size=(200, 60)) as pilot:
        await to_hardware(pilot)
        await shows(pilot, "Offers", "3, from $0.25/h")
        await pilot.press("enter")
        await shows(pilot, "ftui · review", "Time", "on T4, a few cents")
        await pilot.press("m")
        await shows(pilot, "the shop's offers of 14:05", "1 × T4, spot, north: ")
        await pilot.press("tab", "down", "down", "enter", "escape")
        text = await shows(pilot, "ftui · review", "shop · T4", "on T4, $")
        assert "(list" not in text


async def test_what_an_earlier_choice_asked_for_goes_with_it(tmp_path: Path) -> None:
    app = stage(tmp_path, machine={"most": "1", "zone": "any"})
    async with app.run_test(size=(120, 40)) as pilot:
        await to_hardware(pilot)
        await pilot.press("m")
        await shows(pilot, "the shop's offers of 14:05", "tab machines")
        await pilot.press("tab", "down", "down", "enter")
        await shows(pilot, "chosen: gpu T4, spot no, most 70")
        await pilot.press("up", "enter")
        await shows(pilot, "chosen: gpu H100, spot no")
        await pilot.press("escape")
        await shows(pilot, "shop, 1 × H100")
        await pilot.press("enter")
        await shows(pilot, "ftui · review")
        await pilot.press("w")
        await until(pilot, lambda: bool(app.asked))
    assert app.asked[0].machine == {"gpu": "H100", "spot": "no", "most": "1", "zone": "any"}


async def test_many_offers_leave_what_would_need_less_in_sight(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    def many(plan: Plan) -> Market:
        offers = (Offer(LARGE, 1, 2 + n / 10, wishes={"gpu": f"H{n}"}) for n in range(40))
        return Market(tuple(offers), "the shop's offers of 14:05")

    async with stage(tmp_path, market=many).run_test(size=size) as pilot:
        await to_hardware(pilot)
        await pilot.press("m")
        await shows(pilot, "the shop's offers of 14:05", "What would need less", "half the rank")


async def test_a_rented_machine_without_a_gpu_is_not_judged(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with stage(tmp_path, gpus=0).run_test(size=size) as pilot:
        await to_hardware(pilot)
        await pilot.press("enter")
        text = await shows(pilot, "ftui · review", "Memory", "GiB of system memory", "93 (3 × 31")
        assert "this machine's" not in text
        await pilot.press("m")
        await shows(pilot, "Prices: Modal's list of", "What would need less")


async def test_until_the_offers_come_the_usual_cards_are_shown_and_it_is_said(
    tmp_path: Path,
) -> None:
    answered = Event()

    def slow(plan: Plan) -> Market:
        answered.wait(LIMIT)
        return on_offer(plan)

    async with stage(tmp_path, market=slow).run_test(size=(120, 40)) as pilot:
        await to_hardware(pilot)
        await pilot.press("m")
        await shows(pilot, "asking shop what it has on offer", "Prices: Modal's list of")
        answered.set()
        await shows(pilot, "the shop's offers of 14:05")


async def test_who_cannot_be_asked_is_said_so_beside_the_list_prices(tmp_path: Path) -> None:
    def closed(plan: Plan) -> Market:
        raise TargetUnavailable("the shop is closed", hint="come back")

    async with stage(tmp_path, market=closed).run_test(size=(120, 40)) as pilot:
        await to_hardware(pilot)
        await pilot.press("m")
        await shows(pilot, "▲ the shop is closed", "Prices: Modal's list of", "RTX 4090")
        await pilot.press("escape", "enter")
        await shows(pilot, "ftui · review", "Time", "(list")


async def test_nothing_on_offer_is_said_so(tmp_path: Path) -> None:
    def empty(plan: Plan) -> Market:
        return Market((), "the shop's offers of 14:05")

    async with stage(tmp_path, market=empty).run_test(size=(120, 40)) as pilot:
        await to_hardware(pilot)
        await pilot.press("m")
        await shows(pilot, "▲ shop has nothing on offer for this now")
