"""Machines for hire: which is the cheapest, what is asked for, and what ends a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ftui.errors import UsageError
from ftui.estimate.estimate import Estimate, estimate
from ftui.estimate.market import listed, usual_market, with_ours
from ftui.plan.flags import plan_from_flags
from ftui.plan.gpus import find, usual_name
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.models import known_models
from ftui.plan.offer import Market, Offer
from ftui.plan.plan import Needs, Plan, start
from ftui.plan.presets import find as find_preset
from ftui.plan.wish import Wish, wish_field
from ftui.targets import get
from ftui.targets.base import Offering
from ftui.targets.dstack import options as dstack_options
from ftui.targets.dstack.offers import card
from ftui.targets.modal import gpu as modal_gpu
from ftui.targets.modal import options as modal_options
from ftui.targets.world import survey
from ftui.text import duration
from ftui.tui.services import Services

PRESET = find_preset("llama3-8b-qlora")
LLAMA = next(one for one in known_models() if one.id == PRESET.settings["base_model"])


def plan(target: str, gpus: int = 1, **machine: str) -> Plan:
    chosen = start(PRESET)
    return dataclasses.replace(chosen, target=target, gpus=gpus, machine=machine)


@pytest.fixture(scope="module")
def found() -> Estimate:
    return estimate(PRESET.settings, LLAMA)


# The cheapest


def test_the_cheapest_is_the_least_price_of_those_that_fit(found: Estimate) -> None:
    small, card = Gpu("small", 4.0, "sm_80"), find("A10")
    offers = [Offer(small, 1, 0.1), Offer(card, 1, 1.1), Offer(card, 1, 0.5, spot=True)]
    assert found.cheapest(offers) == offers[2]
    assert found.cheapest(offers[:1]) is None
    assert found.cheapest([]) is None


def test_a_machine_whose_price_nobody_knows_is_not_the_cheapest(found: Estimate) -> None:
    known, unknown = Offer(find("A10"), 1, 1.1), Offer(find("A10"), 1, None)
    assert found.cheapest([unknown, known]) == known
    assert found.cheapest([unknown]) is None


def test_a_machine_that_costs_nothing_is_the_cheapest(found: Estimate) -> None:
    own, hired = Offer(find("A10"), 1, 0.0, place="ssh"), Offer(find("A10"), 1, 1.1)
    assert found.cheapest([hired, own]) == own


def test_a_machine_without_a_gpu_holds_nothing(found: Estimate) -> None:
    assert found.fittings([Offer(None, 0, 0.2)]) == ()


def test_the_usual_cards_have_list_prices_for_all_their_gpus_and_ones_own_comes_first() -> None:
    market = usual_market(4)
    t4 = next(one for one in market.offers if one.gpu == find("T4"))
    assert t4.dollars == pytest.approx(4 * 0.59)
    mine = Hardware(8, 64.0, (Gpu("NVIDIA Mine", 24.0, "sm_86"),))
    first = with_ours(market, mine, 1).offers[0]
    assert first.gpu is not None
    assert (first.gpu.name, first.dollars) == ("NVIDIA Mine", None)


@pytest.mark.parametrize(
    ("told", "usual"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("A100-40GB", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("RTX-PRO-6000", "RTX PRO 6000"),
        ("Some card", "Some card"),
    ],
)
def test_a_drivers_and_a_clouds_names_are_those_of_the_table(told: str, usual: str) -> None:
    assert usual_name(told) == usual


def test_a_gpu_under_a_drivers_name_has_a_speed_and_a_price(found: Estimate) -> None:
    driver = Gpu("NVIDIA H100 80GB HBM3", 79.6, "sm_90")
    assert found.speed(driver) == found.speed(find("H100"))
    assert listed(driver, 1).dollars == listed(find("H100"), 1).dollars


# What is asked for


def test_a_wish_is_asked_of_its_own_target_and_its_default_is_no_wish() -> None:
    def known(text: str) -> None:
        if text == "bad":
            raise UsageError("bad")

    field = wish_field("modal", Wish("gpu", "GPU type", "", "any", known))
    asked = field.write(plan("modal"), " H100 ")
    assert asked.machine == {"gpu": "H100"}
    assert (field.read(asked), field.read(plan("modal"))) == ("H100", "any")
    assert field.write(asked, "any") == plan("modal")
    assert field.read(plan("local")) == ""
    with pytest.raises(UsageError):
        field.write(plan("modal"), "bad")


@pytest.mark.parametrize(
    ("name", "usual"), [("dstack", dstack_options.Options()), ("modal", modal_options.Options())]
)
def test_every_wish_shows_the_default_that_the_target_has(name: str, usual: object) -> None:
    target = get(name)
    assert isinstance(target, Offering)
    assert target.wishes
    for wish in target.wishes:
        field = wish_field(name, wish)
        default = getattr(usual, wish.name)
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        assert wish.usual == shown or not default, "a word stands for what is worked out"
        with pytest.raises(UsageError):
            field.write(plan(name), "$ no such thing")


def test_what_somebody_asks_for_is_the_offer_that_they_chose() -> None:
    card = find("H100")
    spot = Offer(card, 1, 1.0, spot=True, wishes={"gpu": "H100", "spot": "yes"})
    demand = Offer(card, 1, 2.0, wishes={"gpu": "H100", "spot": "no"})
    market = Market((spot, demand), "")
    assert market.asked_for({"gpu": "H100", "spot": "no", "hours": "2"}) == demand
    assert market.asked_for({"gpu": "H100"}) is None
    assert Market((Offer(None, 0, 1.0),), "").asked_for({}) is None


def test_the_machine_of_a_plan_is_the_gpu_that_is_asked_for() -> None:
    assert get("modal").hardware(plan("modal", gpu="H200")).gpus == (modal_gpu.find("H200").gpu,)
    assert get("modal").hardware(plan("modal")).gpus == (modal_gpu.find("L4").gpu,)
    assert get("dstack").hardware(plan("dstack", gpu="A100:80GB")).gpus == (find("A100 80GB"),)
    assert get("dstack").hardware(plan("dstack")).gpus == ()
    assert get("dstack").hardware(plan("dstack", gpu="Nova9")).gpus == ()
    assert get("modal").hardware(plan("modal", gpus=0)).gpus == ()
    assert get("modal").hardware(plan("modal", gpu="FOO")).gpus == ()


@pytest.mark.parametrize(
    "raw",
    [("L4", 24), ("T4", 16), ("A10G", 24), ("L40S", 48), ("RTX4090", 24), ("H200", 141), ("X1", 9)],
)
def test_the_card_of_a_dstack_offer_is_the_machine_of_who_chooses_it(raw: tuple[str, int]) -> None:
    gpu = card(raw[0], float(raw[1]))
    asked = plan("dstack", gpu=f"{raw[0]}:{raw[1]}GB")
    assert get("dstack").hardware(asked).gpus == (gpu,)


def test_what_is_too_large_for_every_gpu_of_modal_is_a_problem_and_no_crash() -> None:
    needs = Needs(gpus=1, gpu_memory_gib=500.0)
    large = dataclasses.replace(plan("modal"), preset=dataclasses.replace(PRESET, needs=needs))
    assert get("modal").hardware(large).gpus == ()
    assert any("500 GiB" in problem.what for problem in get("modal").problems(large))


def test_as_many_gpus_are_rented_as_are_asked_for() -> None:
    hardware = get("modal").hardware(plan("modal", gpus=4, gpu="H100"))
    used = hardware.used_by(4)
    assert used is not None
    assert [gpu.name for gpu in used] == ["H100"] * 4
    assert hardware.is_rented
    assert not get("local").hardware().is_rented


def test_what_ends_a_run_at_the_latest_is_told_with_its_price() -> None:
    modal, dstack = get("modal"), get("dstack")
    assert isinstance(modal, Offering)
    assert isinstance(dstack, Offering)
    an_hour = modal_gpu.dollars("H100", 2)
    told = modal.limits(plan("modal", gpus=2, gpu="H100", max_dollars="10"))
    hours = f"{duration(36000 / an_hour)} ($10.00 at ${an_hour:.2f}/h)"
    saving = f"half an hour at most to save (${an_hour / 2:.2f})"
    assert told == f"{hours}, all tries together, and {saving}"
    assert modal.limits(plan("modal")).startswith("12 h ($")
    one = dstack.limits(plan("dstack", spot_policy="on-demand", max_price="2.5"))
    assert one == "12h, saving 15 min before ($30.00 at no more than $2.50/h)"
    two = dstack.limits(plan("dstack", gpus=2))
    tries = "12h a try and 13h for all tries, saving 15 min before"
    assert two == f"{tries} ($104.00 at no more than $8.00/h)"


def test_the_price_of_an_unknown_offer_sorts_last() -> None:
    offers = sorted([Offer(None, 0, None), Offer(None, 0, 3.0)], key=lambda one: one.price)
    assert Market(tuple(offers), "").offers[0].dollars == 3.0


# Flags


def flagged(*machine: str, gpus: str | None = None, preset: str = "nano-sql-lora") -> Plan:
    return plan_from_flags(
        survey(), preset=preset, config=None, target="modal", gpus=gpus, machine=machine
    )


def test_who_names_a_gpu_gets_one() -> None:
    assert flagged("gpu=H100").gpus == 1
    assert flagged("gpu=H100", gpus="4").gpus == 4
    assert flagged("max_hours=2").gpus == 0


@pytest.mark.parametrize(
    ("machine", "gpus", "words"),
    [
        (["gpu=H100"], "0", "--gpus 0"),
        (["gpu=H100", "gpu=A10"], None, "given twice"),
        (["gpu"], None, "no KEY=VALUE"),
    ],
)
def test_a_wish_that_contradicts_another_is_refused(
    machine: list[str], gpus: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        flagged(*machine, gpus=gpus)


@pytest.mark.parametrize("wish", ["max_hours=1e9", "max_hours=0.0001", "max_dollars=1e9"])
def test_a_limit_that_is_a_slip_of_the_keyboard_is_refused(wish: str) -> None:
    name, _, value = wish.partition("=")
    with pytest.raises(UsageError):
        modal_options.parse({name: value})


@pytest.mark.parametrize(
    ("target", "kinds"),
    [("local", {"train", "serve"}), ("dstack", set()), ("modal", set())],
)
def test_training_elsewhere_needs_no_runtime_here(
    target: str, kinds: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    for name in ("FTUI_TRAIN_PYTHON", "FTUI_SERVE_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    assert {str(kind) for kind in Services().missing(plan(target))} == kinds
