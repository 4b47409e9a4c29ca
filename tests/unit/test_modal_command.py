"""Modal on the command line: files alone, what is asked of a machine, and what is refused."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ftui.targets.world import survey

FTUI = str(Path(sys.executable).with_name("ftui"))
NANO = ("--preset", "nano-sql-lora", "--target", "modal")
LARGE = ("--preset", "qwen3-4b-lora", "--target", "modal")


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody who never logged in to Modal."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    monkeypatch.setenv("FTUI_SERVE_PYTHON", sys.executable)
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "modal.toml"))
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
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


def test_a_dry_run_writes_all_that_modal_needs(person: Path) -> None:
    done = ftui(*NANO, "--dry-run", "--machine", "max_hours=0.5", "--machine", "retries=1")
    assert done.returncode == 0, done.stderr
    assert "not logged in to Modal" in done.stderr

    run = Path(done.stdout.strip())
    text = (run / "modal_app.py").read_text()
    ast.parse(text)
    assert f'RUN = "{run.name}-' in text
    assert "MAX_HOURS = 0.5" in text
    for name in ("modal_app.py", "config.yml", "train.sh"):
        assert str(person) not in (run / name).read_text()
    assert "exec modal run --detach modal_app.py" in (run / "train.sh").read_text()
    assert (run / "inputs").is_dir()
    record = json.loads((run / "run.json").read_text())
    assert record["extra"]["modal"]["options"]["max_hours"] == 0.5


def test_a_limit_of_dollars_is_written_as_hours(person: Path) -> None:
    done = ftui(*LARGE, "--dry-run", "--machine", "gpu=H100", "--machine", "max_dollars=8.53")
    assert done.returncode == 0, done.stderr
    text = (Path(done.stdout.strip()) / "modal_app.py").read_text()
    assert 'GPU = "H100:1"' in text
    assert "MAX_HOURS = 1.999  #" in text  # at $4.27/h


def test_without_a_login_nothing_is_made(person: Path) -> None:
    done = ftui(*NANO, "-y", "--plain")
    assert done.returncode == 3
    assert "not logged in to Modal" in done.stderr
    assert "modal setup" in done.stderr
    assert not (person / "home" / "runs").exists()


def test_more_gpus_than_go_together(person: Path) -> None:
    done = ftui(*LARGE, "--gpus", "5", "--machine", "gpu=A10", "-y", "--plain")
    assert done.returncode == 3
    assert "5 × A10 do not go together" in done.stderr


def test_a_gpu_that_is_too_small(person: Path) -> None:
    done = ftui(*LARGE, "--machine", "gpu=T4", "-y", "--plain")
    assert done.returncode == 3
    assert "needs a GPU with 24 GiB; T4 has 15" in done.stderr
    assert not (person / "home" / "runs").exists()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("gpu=FOO", "Modal has no GPU"),
        ("gpu=H100:0", "--gpus"),
        ("max_price=2", "there is gpu, max_dollars, max_hours, retries"),
        ("max_hour=2", "did you mean max_hours?"),
        ("max_hours=-1", "no number from 0.05 to 720"),
    ],
)
def test_a_wish_that_makes_no_sense(person: Path, wish: str, words: str) -> None:
    done = ftui(*NANO, "--dry-run", "--machine", wish)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (person / "home" / "runs").exists()


def test_the_wizard_says_whose_machines_they_are(person: Path) -> None:
    def words() -> str:
        return next(one.words for one in survey().targets if one.name == "modal")

    assert words() == "not logged in to Modal"
    (person / "modal.toml").write_text('[work]\ntoken_id = "ak"\ntoken_secret = "as"\n')
    assert words() == "profile work"


def test_asking_the_target_imports_no_modal(person: Path) -> None:
    code = (
        "import sys; from ftui.targets.world import survey; survey(); "
        "from ftui.targets import get; get('modal').hardware(); print('modal' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
