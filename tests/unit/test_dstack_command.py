"""dstack on the command line: files alone, what is asked of a machine, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dstack._internal.core.models.configurations import parse_apply_configuration

from ftui.errors import UsageError
from ftui.targets.dstack.options import Options, parse
from ftui.targets.world import survey

FTUI = str(Path(sys.executable).with_name("ftui"))
NANO = ("--preset", "nano-sql-lora", "--target", "dstack")


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The HOME of somebody who never logged in to dstack."""
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    monkeypatch.setenv("FTUI_SERVE_PYTHON", sys.executable)
    monkeypatch.delenv("DSTACK_PROJECT", raising=False)
    return tmp_path


def ftui(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FTUI, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("max_price", "1000.5", "at most 1000"),
        ("max_price", "inf", "at most 1000"),
        ("max_duration", "31d", "from 3m to 30d"),
        ("max_duration", "721h", "from 3m to 30d"),
        ("max_duration", "2m", "from 3m to 30d"),
        ("max_duration", "0h", "from 3m to 30d"),
    ],
)
def test_slips_of_the_keyboard(name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse({name: text})


def test_the_largest_and_the_smallest_that_may_be_asked_for() -> None:
    assert parse({"max_price": "1000", "max_duration": "30d"}) == Options(
        max_price=1000.0, max_duration="30d"
    )
    assert parse({"max_duration": "180s"}).max_duration == "180s"


def test_a_dry_run_writes_what_dstack_apply_takes(person: Path) -> None:
    done = ftui(*NANO, "--dry-run", "--machine", "gpu=L4", "--machine", "max_price=0.5")
    assert done.returncode == 0, done.stderr
    assert "not logged in to dstack" in done.stderr

    run = Path(done.stdout.strip())
    raw = yaml.safe_load((run / "train.dstack.yml").read_text())
    parse_apply_configuration(raw)
    assert raw["max_price"] == 0.5
    for mapping in raw["files"]:
        here, _, there = mapping.partition(":")
        assert (run / here).is_file()
        assert here == there
    for place in ("config.yml", "train.dstack.yml", "job.sh", "train.sh"):
        assert str(person) not in (run / place).read_text()
    assert "dstack apply -f train.dstack.yml" in (run / "train.sh").read_text()
    record = json.loads((run / "run.json").read_text())
    assert record["extra"]["dstack"]["options"]["gpu"] == "L4"


def test_without_a_login_nothing_is_made(person: Path) -> None:
    done = ftui(*NANO, "-y", "--plain")
    assert done.returncode == 3
    assert "not logged in to dstack" in done.stderr
    assert "dstack project add" in done.stderr
    assert not (person / "home" / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--machine", "gpus=2", *NANO), "did you mean gpu?"),
        (("--machine", "max_price=much", *NANO), "a number of dollars an hour"),
        (("--machine", "gpu", *NANO), "no KEY=VALUE"),
        (("--machine", "gpu=A100", "--preset", "nano-sql-lora"), "--target dstack"),
    ],
)
def test_a_wish_that_makes_no_sense(person: Path, arguments: tuple[str, ...], words: str) -> None:
    done = ftui(*arguments, "--dry-run")
    assert done.returncode == 2
    assert words in done.stderr
    assert not (person / "home" / "runs").exists()


def test_several_machines_without_a_gpu(person: Path) -> None:
    done = ftui(*NANO, "--machine", "nodes=2", "--dry-run")
    assert done.returncode == 2
    assert "on GPUs alone" in done.stderr
    assert list((person / "home" / "runs").iterdir()) == []  # what was written is gone again


def test_the_wizard_says_where_dstack_would_train(person: Path) -> None:
    def words() -> str:
        return next(one.words for one in survey().targets if one.name == "dstack")

    assert words() == "not logged in to dstack"
    login = person / "person" / ".dstack" / "config.yml"
    login.parent.mkdir(parents=True)
    login.write_text("projects: [{name: main, url: 'http://one', token: secret, default: true}]")
    assert words() == "project main, http://one"


def test_wishes_as_a_person_types_them() -> None:
    typed = {"gpu": "A100,H100", "max_price": "2", "install": "Yes", "max_duration": "90m"}
    assert parse(typed) == Options(gpu="A100,H100", max_price=2.0, install=True, max_duration="90m")
    assert parse({}) == Options()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gpu", "A100\nname: x"),
        ("gpu", ""),
        ("gpu", "24GB"),
        ("gpu", "A100:80"),
        ("spot_policy", "never"),
        ("max_price", "nan"),
        ("max_price", "inf"),
        ("max_price", "0"),
        ("max_duration", "off"),
        ("idle_duration", "5 minutes"),
        ("install", "perhaps"),
        ("create_secrets", "WANDB_API_KEY"),
        ("nodes", "0"),
        ("nodes", "two"),
        ("nodes", "65"),
        ("colour", "red"),
    ],
)
def test_wishes_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"--machine {name}"):
        parse({name: text})
