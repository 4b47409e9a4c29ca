"""One of several dstack projects that a person is logged in to."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ftui.plan.plan import Plan, start
from ftui.plan.presets import find
from ftui.plan.wish import wish_field
from ftui.runs.store import read_record
from ftui.targets.dstack.submit import project_of, remember
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from tests.unit.command import ftui


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with two projects; dstack's own command line would take `main`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "ftui"))
    monkeypatch.delenv("DSTACK_PROJECT", raising=False)
    (tmp_path / ".dstack").mkdir()
    logged_in(tmp_path, {"name": "main", "default": True}, {"name": "lab"})


def plan(**machine: str) -> Plan:
    return replace(start(find("nano-sql-lora")), target="dstack", machine=machine)


@pytest.mark.parametrize(("machine", "project"), [({}, "main"), ({"project": "lab"}, "lab")])
def test_the_person_is_told_whose_machines_they_are(machine: dict[str, str], project: str) -> None:
    assert f"project {project}, " in DstackTarget().hardware(plan(**machine)).words


def test_a_project_without_a_login_is_refused_with_those_that_there_are() -> None:
    problems = DstackTarget().problems(plan(project="moon"))
    assert [problem.what for problem in problems] == ["no login to the dstack project 'moon'"]
    assert "main, lab" in problems[0].hint


def logged_in(folder: Path, *projects: dict[str, object]) -> None:
    shared = {"url": "http://127.0.0.1:9", "token": "t"}
    listed = [{**shared, **project} for project in projects]
    (folder / ".dstack" / "config.yml").write_text(yaml.safe_dump({"projects": listed}))


def test_where_none_is_the_default_one_the_person_chooses(tmp_path: Path) -> None:
    logged_in(tmp_path, {"name": "main"}, {"name": "lab"})
    problems = DstackTarget().problems(plan())
    assert [problem.what for problem in problems] == [
        "none of your dstack projects is the default one"
    ]
    assert "--machine project=NAME (main, lab)" in problems[0].hint
    assert DstackTarget().problems(plan(project="lab")) == []
    logged_in(tmp_path, {"name": "main"})  # the only one is meant
    assert DstackTarget().problems(plan()) == []


def test_a_token_that_cannot_be_sent_is_told_without_showing_it(tmp_path: Path) -> None:
    logged_in(tmp_path, {"name": "main", "token": "tök"})
    [problem] = DstackTarget().problems(plan())
    assert problem.what == "the token of the dstack project 'main' has characters that no token has"
    assert "tök" not in problem.hint


def test_the_run_is_in_it_wherever_it_is_asked_about() -> None:
    asked, target = plan(project="lab"), DstackTarget()
    run = prepare(asked, target)
    target.write(run, asked)
    assert project_of(read_record(run)) == "lab"
    remember(run, {"project": "main", "name": "x", "id": "1"})  # where it was taken is where it is
    assert project_of(read_record(run)) == "main"


def test_by_hand_it_is_in_it_too() -> None:
    asked, target = plan(project="lab"), DstackTarget()
    run = prepare(asked, target)
    target.write(run, asked)
    words = shlex.split(run.script_file.read_text().splitlines()[-1])
    assert words[:5] == ["exec", "dstack", "apply", "--project", "lab"]
    assert "export DSTACK_PROJECT=lab" in (run.folder / "train.dstack.yml").read_text()


def fields(asked: Plan) -> set[str]:
    """What the wizard asks about the machine."""
    shown = [wish_field("dstack", wish) for wish in DstackTarget.wishes]
    return {field.label for field in shown if field.read(asked)}


def test_the_wizard_asks_for_it_where_there_are_several(tmp_path: Path) -> None:
    assert "Project" in fields(plan())
    logged_in(tmp_path, {"name": "main"})
    assert "Project" not in fields(plan())
    assert "Project" in fields(plan(project="main"))  # what was said is shown


def test_the_wizard_asks_only_what_matters_for_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert not {"Volume", "Secrets"} & fields(plan())
    rows = [{"path": "/volume/rows.jsonl", "type": "alpaca"}]
    assert "Volume" in fields(replace(plan(), settings={**plan().settings, "datasets": rows}))
    of_the_hub = replace(start(find("llama3-8b-qlora")), target="dstack")
    assert "Secrets" not in fields(of_the_hub)  # there is nothing to make one of
    monkeypatch.setenv("HF_TOKEN", "x")
    assert "Secrets" in fields(of_the_hub)
    assert "Secrets" not in fields(plan())  # no hub is asked


def test_a_stop_of_a_run_that_ftui_did_not_start_says_who_ends_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    asked, target = plan(), DstackTarget()
    run = prepare(asked, target)
    target.write(run, asked)
    ended = ftui(capfd, "stop", run.name)
    assert "there is nothing to stop" in ended.err
    assert "if you started it by hand, dstack's own commands end it" in ended.err


def test_what_is_no_name_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    asked = ("--preset", "nano-sql-lora", "--target", "dstack", "-y", "--dry-run")
    ended = ftui(capfd, *asked, "--machine", "project=a b")
    assert ended.code == 2
    assert "--machine project=a b: 'a b' is not the name of a project" in ended.err
