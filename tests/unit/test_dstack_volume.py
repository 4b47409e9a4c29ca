"""Data on a volume of a dstack project: mounted, not sent, and not looked at from here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dstack._internal.core.models.configurations import parse_apply_configuration

from ftui import paths
from ftui.data.tokens import Failed
from ftui.errors import UsageError
from ftui.plan.plan import Plan, start
from ftui.plan.presets import find
from ftui.runtimes.dataset_worker import explained
from ftui.targets import get
from ftui.targets.base import Problem
from ftui.targets.dstack import options, parcel
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from tests.unit.command import ftui

ROWS = "/volume/rows.jsonl"
ASKS = ("--preset", "nano-sql-lora", "--set", f"datasets.0.path={ROWS}", "-y", "--dry-run")


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))


def plan(target: str = "dstack", **machine: str) -> Plan:
    datasets = [{"path": ROWS, "type": "alpaca"}]
    asked = start(find("nano-sql-lora")).with_settings(datasets=datasets)
    return replace(asked, target=target, machine=machine)


def told(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if ROWS in problem.what]


def test_it_is_mounted_and_its_data_stay_where_they_are() -> None:
    target, asked = DstackTarget(), plan(volume="my-rows")
    run = prepare(asked, target)
    target.write(run, asked)
    document = yaml.safe_load((run.folder / "train.dstack.yml").read_text())
    assert document["volumes"] == ["my-rows:/volume"]
    parse_apply_configuration(document)  # dstack takes it
    assert not [name for name in document["files"] if "rows" in name]
    assert yaml.safe_load(run.config_file.read_text())["datasets"][0]["path"] == ROWS
    assert told(target.problems(asked)) == []


def test_without_one_nothing_is_mounted() -> None:
    target, asked = DstackTarget(), replace(plan(), settings=start(find("nano-sql-lora")).settings)
    run = prepare(asked, target)
    target.write(run, asked)
    assert "volumes" not in yaml.safe_load((run.folder / "train.dstack.yml").read_text())


@pytest.mark.parametrize("target", ["dstack", "modal", "local"])
def test_data_on_a_volume_that_nobody_mounts_are_a_problem(target: str) -> None:
    [problem] = told(get(target).problems(plan(target)))
    assert "lies on a volume" in problem.what
    assert ("volume=NAME" if target == "dstack" else "dstack") in problem.hint


def test_what_is_here_is_sent_whatever_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "VOLUME", tmp_path / "volume")
    rows = tmp_path / "volume" / "rows.jsonl"
    config = {"datasets": [{"path": str(rows)}]}
    assert parcel.total_bytes(config) == 0
    rows.parent.mkdir()
    rows.write_text("{}\n")
    assert parcel.total_bytes(config) == 3


def test_several_machines_mount_none() -> None:
    asked = replace(plan(volume="my-rows", nodes="2"), gpus=1)
    assert any("cannot mount one volume" in one.what for one in DstackTarget().problems(asked))


@pytest.mark.parametrize("name", ["My_Rows", "a", "x:/data"])
def test_an_odd_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="the name of a volume"):
        options.parse({"volume": name})


def test_axolotl_is_not_blamed_for_rows_that_are_not_here() -> None:
    error = explained(Failed("dataset", "a misconfigured path", "ValueError", ROWS))
    assert "lies on a volume" in error.what


def test_the_checks_say_that_they_cannot_look(capfd: pytest.CaptureFixture[str]) -> None:
    done = ftui(capfd, *ASKS, "--target", "dstack", "--machine", "volume=my-rows")
    assert done.code == 0, done.err
    assert f"{ROWS} lies on a volume: nobody can look at it from here" in done.err
    assert "there is no" not in done.err
    refused = ftui(capfd, "data", ROWS)
    assert refused.code == 2
    assert "lies on a volume, and nobody can look at it from here" in refused.err
    assert "datasets.0.type=TYPE" in refused.err
