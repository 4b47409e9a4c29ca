"""A preset that several machines train together: what is asked for, estimated and told of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dstack._internal.core.models.configurations import parse_apply_configuration

from ftui.errors import PresetError, UsageError
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.plan import Plan, start
from ftui.plan.presets import find, load
from ftui.plan.step_preset import shortage
from ftui.plan.steps import step
from ftui.plan.wish import wish_field
from ftui.runs.store import read_record
from ftui.targets import get
from ftui.targets.dstack import hire, options
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from tests.unit.command import ftui

BIG = "llama3-70b-lora-nodes"
NODES = wish_field("dstack", next(wish for wish in hire.WISHES if wish.name == "nodes"))
H100 = Gpu("H100", 79.6, "sm_90")


def plan(**machine: str) -> Plan:
    return replace(start(find(BIG)), target="dstack", machine=machine)


def test_the_preset_says_how_many_and_a_person_may_say_another_number() -> None:
    asked = plan()
    assert (asked.machines, asked.gpus, asked.all_gpus) == (2, 4, 8)
    assert options.of(asked).nodes == 2
    assert NODES.read(asked) == "2"
    for text, wanted in (("4", {"nodes": "4"}), ("1", {"nodes": "1"}), ("2", {}), ("", {})):
        changed = NODES.write(plan(nodes="3"), text)
        assert changed.machine == wanted
        assert options.of(changed).nodes == changed.machines == int(text or 2)
    with pytest.raises(UsageError):
        NODES.write(asked, "many")


def test_other_presets_want_one() -> None:
    small = replace(start(find("llama3-8b-qlora")), target="dstack")
    assert (small.machines, NODES.read(small)) == (1, "1")
    assert NODES.write(small, "1").machine == {}


def test_the_document_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    target, asked = DstackTarget(), plan()
    run = prepare(asked, target)
    target.write(run, asked)
    told = yaml.safe_load((run.folder / "train.dstack.yml").read_text())
    parse_apply_configuration(told)  # dstack takes it
    assert told["nodes"] == 2
    assert told["resources"]["gpu"] == "nvidia:48GB..:4"
    record = read_record(run)
    assert (record.gpus, record.machines) == (4, 2)
    assert "for each of 2 machines" in target.limits(asked)


@pytest.mark.parametrize("name", ["local", "modal"])
def test_a_target_of_one_machine_says_so(name: str) -> None:
    problems = get(name).problems(replace(plan(), target=name))
    told = [problem for problem in problems if "wants 2 machines with 4 GPUs each" in problem.what]
    assert len(told) == 1
    assert "dstack" in told[0].hint


def test_the_wizard_says_what_it_needs() -> None:
    enough = Hardware(cores=64, memory_gib=2000.0, gpus=(H100,) * 8)
    assert shortage(find(BIG).needs, enough).startswith("needs 2 machines with 4 GPUs with 48 GiB")
    assert step("hardware").summary(plan()) == "dstack, 2 machines with 4 GPUs"
    assert step("hardware").summary(plan(gpu="H100")) == "dstack, 2 machines with 4 × H100"


def test_the_estimate_divides_it_among_all_gpus(capfd: pytest.CaptureFixture[str]) -> None:
    told = ftui(capfd, "fit", BIG, "--json").document
    assert told["gpus"] == 8
    assert told["fits"]["L40S"]
    assert told["gib_per_gpu"]["high"] <= find(BIG).needs.gpu_memory_gib
    of_each = ftui(capfd, "fit", BIG, "--gpus", "2", "--json").document
    assert of_each["gpus"] == 4
    assert not of_each["fits"]["L40S"], "one machine is not enough"
    assert of_each["gib_per_gpu"]["expected"] > told["gib_per_gpu"]["expected"]
    assert "8 GPUs of 2 machines" in ftui(capfd, "fit", BIG).out


@pytest.mark.parametrize("needs", ["{gpus: 8, machines: 0}", "{machines: 2}"])
def test_a_preset_that_makes_no_sense_is_refused(tmp_path: Path, needs: str) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(f"title: t\nfor: f\naxolotl: {{base_model: org/model}}\nneeds: {needs}\n")
    with pytest.raises(PresetError, match="'machines' is 1, or more"):
        load(file)
