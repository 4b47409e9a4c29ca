"""Runs side by side: what differs, what they came to, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ftui import paths
from ftui.cli import cli
from ftui.errors import ExitCode
from ftui.runs import store
from ftui.runs.compare import Side, compare, facts
from ftui.runs.events import Event, Point
from ftui.runs.history import History
from ftui.runs.model import Run, RunRecord, RunState


def side(name: str, settings: Mapping[str, Any], history: History | None = None) -> Side:
    record = RunRecord(name, "nano", "", "local", 1.0, settings)
    return Side(Run(Path("/runs") / name), record, RunState.DONE, history or History())


def differing(*settings: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    sides = [side(f"run-{number}", each) for number, each in enumerate(settings)]
    return {each.place: each.values for each in compare(sides).differences}


def test_only_what_differs_is_told_by_its_dotted_place() -> None:
    first = {"lr": 1e-3, "adapter": "lora", "datasets": [{"path": "a", "type": "alpaca"}]}
    other = {"lr": 2e-3, "adapter": "lora", "datasets": [{"path": "b", "type": "alpaca"}]}
    assert differing(first, other) == {"lr": (1e-3, 2e-3), "datasets.0.path": ("a", "b")}


def test_what_one_of_them_lacks_differs_and_null_is_unset() -> None:
    assert differing({"rank": 8}, {"eval": None}, {"extra": {"deep": [1, 2]}}) == {
        "rank": (8, None, None),
        "extra.deep": (None, None, [1, 2]),
    }


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0.001, 1e-3, True),
        (["q", "k"], ["q", "k"], True),
        (["q", "k"], ["k", "q"], False),
        ([1], [True], False),
        (float("nan"), float("nan"), True),
        ({}, {}, True),
        ("1", 1, False),
    ],
)
def test_when_two_values_are_the_same(one: Any, other: Any, same: bool) -> None:
    assert bool(differing({"a": one}, {"a": other})) is not same


def test_places_in_the_run_s_own_folder_are_left_out() -> None:
    def settings(name: str) -> dict[str, Any]:
        folder = f"/runs/{name}"
        return {
            "output_dir": "out",
            "dataset_prepared_path": f"{folder}/other",
            "lora_model_dir": f"{folder}/out",
            "data": "/runs/shared.jsonl",
        }

    assert differing(settings("run-0"), settings("run-1")) == {}
    assert differing({"x": "/runs/run-0/a"}, {"x": "/runs/run-1/b"}) != {}


def test_what_they_came_to() -> None:
    history = History()
    history.extend([Event("train_begin", 100.0, 0, 40), Event("step", 190.0, 30, 40)])
    history.series["loss"] = [Point(10, 2.0), Point(20, 0.5), Point(30, 0.75)]
    history.series["eval_loss"] = [Point(15, 1.0), Point(30, float("nan"))]
    good, bare = compare([side("good", {}, history), side("bare", {})]).outcomes
    assert (good.step, good.max_steps, good.seconds) == (30, 40, 90.0)
    assert (good.loss, good.best_loss) == (0.75, 0.5)
    assert (good.eval_loss, good.best_eval_loss) == (None, 1.0)
    assert (bare.loss, bare.best_eval_loss, bare.seconds) == (None, None, None)


def test_facts_that_no_run_has_are_left_out() -> None:
    history = History(step=30, max_steps=40)
    history.series["loss"] = [Point(30, 0.123456)]
    labels = dict(facts(compare([side("a", {}, history), side("b", {})])))
    assert labels["loss"] == ("0.1235", "—")
    assert labels["steps"] == ("30 / 40", "0 / 0")
    assert "eval loss" not in labels


# ── The command ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    for name, rate in (("slow", 1e-4), ("fast", 1e-2)):
        run = Run(paths.runs_dir() / name)
        run.folder.mkdir(parents=True)
        settings = {"learning_rate": rate, "adapter": "lora"}
        store.write_record(run, RunRecord(name, "nano", "", "local", 1.0, settings))


def test_the_command_prints_it(two_runs: None) -> None:
    result = CliRunner().invoke(cli, ["runs", "--compare", "slow", "fast"])
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["run", "slow", "fast"] in lines
    assert ["learning_rate", "0.0001", "0.01"] in lines
    assert "adapter" not in result.stdout


def test_the_command_gives_it_as_data(two_runs: None) -> None:
    result = CliRunner().invoke(cli, ["runs", "--compare", "slow", "fast", "--json"])
    document = json.loads(result.stdout)
    assert [each["name"] for each in document["runs"]] == ["slow", "fast"]
    assert document["settings"] == [{"place": "learning_rate", "values": [1e-4, 1e-2]}]


def test_one_run_alone_is_compared_with_nothing(two_runs: None) -> None:
    result = CliRunner().invoke(cli, ["runs", "--compare", "slow", "slow"])
    assert result.exit_code
    assert getattr(result.exception, "exit_code", None) == ExitCode.USAGE
