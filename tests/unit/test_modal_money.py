"""What machines of Modal cost, and what a run on one cost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.errors import UsageError
from ftui.plan.plan import Plan, start
from ftui.plan.presets import find
from ftui.runs import events, store
from ftui.runs.history import Cost
from ftui.runs.model import Run, RunRecord
from ftui.runs.tail import read_history
from ftui.targets.base import Offering
from ftui.targets.modal import gpu, submit
from ftui.targets.modal.api import Api
from ftui.targets.modal.failures import Missing, Unreachable
from ftui.targets.modal.meter import Meter
from ftui.targets.modal.target import ModalTarget

HOUR = {"train": 3.60, "prepare": 0.36}


# ── Offers ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who never logged in to Modal."""
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "modal.toml"))
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def plan_of(gpus: int, machine: Mapping[str, str] = {}) -> Plan:
    return replace(start(find("qwen3-4b-lora")), target="modal", gpus=gpus, machine=machine)


def test_without_a_login_the_prices_are_those_of_the_list(nobody: None) -> None:
    target = ModalTarget()
    assert isinstance(target, Offering)
    market = target.market(plan_of(2))
    assert market.source == "Modal's list of 2026-07-01, cores and memory too"
    by_name = {one.wishes["gpu"]: one for one in market.offers}
    assert by_name["H100"].dollars == pytest.approx(gpu.dollars("H100", 2))
    assert by_name["H100"].count == 2
    assert by_name["H100"].gpu == gpu.find("H100").gpu
    assert [one.dollars for one in market.offers] == sorted(one.dollars for one in market.offers)


def test_only_what_goes_together_is_offered(nobody: None) -> None:
    names = [one.wishes["gpu"] for one in ModalTarget().market(plan_of(8)).offers]
    assert "L4" in names
    assert "A10" not in names


def test_a_machine_without_a_gpu_is_an_offer_too(nobody: None) -> None:
    [offer] = ModalTarget().market(plan_of(0)).offers
    assert (offer.gpu, offer.count, offer.wishes) == (None, 0, {})
    assert offer.dollars == pytest.approx(gpu.dollars("", 0))


def test_what_makes_no_sense_is_refused_before_modal_is_asked(nobody: None) -> None:
    with pytest.raises(UsageError, match="no GPU"):
        ModalTarget().market(plan_of(1, {"gpu": "FOO"}))


def test_rates_that_modal_tells_take_the_place_of_the_list() -> None:
    told = {"gpu_hour_cost_a10g": 2.2, "gpu_hour_cost_rtx6000": 9.0, "cpu_hour_cost": 0.1}
    odd = {"gpu_hour_cost_h100": -1.0, "mem_gib_hour_cost": float("nan"), "gpu_hour_cost_z9": 3.0}
    rates = gpu.LISTED.as_told(told | odd, "Modal's rates of 14:05")
    assert (rates.gpus["A10"], rates.gpus["RTX-PRO-6000"], rates.core) == (2.2, 9.0, 0.1)
    assert rates.gpus["H100"] == gpu.LISTED.gpus["H100"]
    assert rates.gib == gpu.LISTED.gib
    assert gpu.words("a10", 1, rates) == "1 × A10 · $2.73/h (Modal's rates of 14:05)"


def test_a_cap_of_dollars_holds_at_the_rates_of_now(run: Run) -> None:
    wishes = {"options": {"gpu": "H100", "max_dollars": 10.0}}
    record = replace(store.read_record(run), gpus=1, extra={"modal": wishes})
    store.write_record(run, record)
    dear = gpu.LISTED.as_told({"gpu_hour_cost_h100": 20.0}, "Modal's rates of 14:05")
    for rates in (gpu.LISTED, dear):
        wish = submit.wish_for(run, 80.0, {}, rates)
        assert wish.values.max_hours * wish.dollars == pytest.approx(10.0)
        assert wish.dollars == pytest.approx(gpu.dollars("H100", 1, rates))
    asked = plan_of(1, {"gpu": "H100", "max_dollars": "10"})
    limits = ModalTarget().limits(asked)
    assert limits.startswith("2 h 20 min ($10.00 at $4.27/h), all tries together, and ")
    assert limits.endswith("half an hour at most to save ($2.13)")
    assert submit.wish_for(run, 80.0, {}).words.endswith(f"; at most {limits}")


# ── What a run cost ──────────────────────────────────────────────────────────────────────────


class Modal(Api):
    """Has one status.json, or does not answer."""

    def __init__(self) -> None:
        super().__init__("ftui-scripted")
        self.told: dict[str, object] = {}
        self.silent = False

    async def read(self, path: str) -> AsyncIterator[bytes]:
        if self.silent:
            raise Unreachable("Modal does not answer")
        if not self.told:
            raise Missing("nothing there")
        yield json.dumps(self.told).encode()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    made = store.create("scripted")
    store.write_record(made, RunRecord(made.name, "scripted", "Scripted", "modal", 1.0, {}))
    return made


def noted(run: Run, spent: float = 0.0) -> Meter:
    submit.remember(run, {"app": "ftui-x", "an_hour": HOUR, "spent": spent})
    return Meter(run)


def cost(run: Run) -> tuple[float, float]:
    told = read_history(run).cost
    assert isinstance(told, Cost)
    return told.dollars, told.an_hour


def told(run: Run) -> int:
    return run.events_file.read_text().count('"cost"') if run.events_file.exists() else 0


async def test_waiting_costs_nothing_and_work_by_the_second(run: Run) -> None:
    meter, modal = noted(run), Modal()
    await meter.look(modal, "prepare", at_work=False)
    assert cost(run) == (0.0, 0.0)
    modal.told = {"prepare_seconds": 100}
    await meter.look(modal, "prepare", at_work=True)
    assert cost(run) == (0.01, 0.36)
    modal.told |= {"seconds": 1000}
    await meter.look(modal, "train", at_work=True)
    assert cost(run) == (1.01, 3.6)
    modal.told |= {"seconds": 2000}
    await meter.end(modal)
    assert cost(run) == (2.01, 0.0)


async def test_it_is_told_once_while_nothing_changes(run: Run) -> None:
    meter, modal = noted(run), Modal()
    for second in range(50):
        modal.told = {"seconds": second}
        await meter.look(modal, "train", at_work=True)
    assert told(run) == 1


async def test_a_resumed_run_goes_on_counting_from_what_it_cost(run: Run) -> None:
    modal = Modal()
    modal.told = {"seconds": 1000}
    await noted(run, spent=5.0).end(modal)
    assert cost(run) == (6.0, 0.0)


async def test_at_the_end_what_was_read_last_counts_where_modal_is_silent(run: Run) -> None:
    meter, modal = noted(run), Modal()
    modal.told = {"seconds": 1000}
    await meter.look(modal, "train", at_work=True)
    modal.silent = True
    await meter.end(modal)
    assert cost(run) == (1.0, 0.0)


@pytest.mark.parametrize("status", [{"seconds": "many"}, {"seconds": True}, {"else": 1}])
async def test_a_record_that_makes_no_sense_costs_nothing(
    run: Run, status: dict[str, object]
) -> None:
    meter, modal = noted(run), Modal()
    modal.told = status
    await meter.end(modal)
    assert cost(run) == (0.0, 0.0)


async def test_a_run_whose_price_nobody_noted_says_nothing_of_it(run: Run) -> None:
    events.append(run.events_file, "launched")
    modal = Modal()
    await Meter(run).look(modal, "train", at_work=True)
    await Meter(run).end(modal)
    assert told(run) == 0
