"""The whole way over dstack: real server, real axolotl and vLLM in a stand-in host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from ftui import demo
from ftui.errors import TargetUnavailable
from ftui.runs.store import find
from ftui.serve.place import Where
from ftui.targets.endpoint import Endpoint, Phase, Stage
from ftui.targets.vllm import client
from tests.standins.dstack_host.lab import TOKEN, Lab, lab

FTUI = str(Path(sys.executable).with_name("ftui"))
LIMIT = 900.0
STEPS = 60
QUESTION = [
    {"role": "system", "content": "CREATE TABLE rivers (name TEXT, length INTEGER)"},
    {"role": "user", "content": "How many rivers are there?"},
]


@pytest.fixture
def dstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A server, a host that has axolotl and vLLM, and a person who is logged in."""
    with lab(tmp_path / "dstack") as made:
        axolotl = Path(os.environ["FTUI_TRAIN_PYTHON"]).with_name("axolotl")
        (made.commands / "axolotl").symlink_to(axolotl)
        made.play_vllm(Path(os.environ["FTUI_SERVE_PYTHON"]))
        monkeypatch.setenv("HOME", str(made.home))
        monkeypatch.delenv("DSTACK_PROJECT", raising=False)
        yield made


async def test_one_command_trains_on_dstack_and_the_adapter_that_came_home_is_served_there(
    dstack: Lab, home: Path
) -> None:
    done = train(home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{STEPS}/{STEPS}" in done.stdout
    assert "✓ done" in done.stdout

    run = find("latest")
    assert "each verified by its sha256" in run.log_file.read_text()
    for name in ("train.dstack.yml", "config.yml"):
        assert str(home) not in (run.folder / name).read_text()
    assert dstack.at_work() == []

    phases: list[Phase] = []
    async with Where("dstack", 0.5).serve(run, phases.append) as endpoint:
        assert dstack.at_work() != []
        said = {model: await streamed(endpoint, model) for model in endpoint.models}
        assert "SELECT COUNT(*) FROM rivers" in said["tuned"]
        assert said["base"] != said["tuned"]
        with pytest.raises(TargetUnavailable, match="refuses the token"):
            await client.answer(replace(endpoint, api_key="another"), "base", QUESTION)

    assert dstack.at_work() == []
    stages = [phase.stage for phase in phases]
    assert stages[:2] == [Stage.MACHINE, Stage.IMAGE]
    assert stages[-2:] == [Stage.CHECKING, Stage.READY]
    assert "ended after" in (run.folder / "serve.log").read_text()
    assert sys.executable not in (run.folder / "serve.sh").read_text()
    assert not [file for file in run.folder.rglob("*") if file.is_file() and holds(file, TOKEN)]


def train(home: Path) -> subprocess.CompletedProcess[str]:
    """One command, with the built-in rows under another name: it is not evaluated on its own."""
    rows = home.parent / "my rows.jsonl"
    rows.write_bytes(demo.shipped("builtin:nl2sql/train.jsonl").read_bytes())
    asked = ["--preset", "nano-sql-lora", "--data", str(rows), "--target", "dstack"]
    settings = ["--set", f"max_steps={STEPS}", "--set", "evals_per_epoch=null"]
    return subprocess.run(
        [FTUI, *asked, *settings, "-y", "--plain"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )


async def streamed(endpoint: Endpoint, model: str) -> str:
    """The answer, which comes piece by piece through the server's proxy, and is the whole one."""
    async with aclosing(
        client.stream(endpoint, model, QUESTION, max_tokens=24, temperature=0.0)
    ) as chunks:
        pieces = [chunk async for chunk in chunks]
    assert len(pieces) > 2
    assert pieces[-1].tokens > 0
    text = "".join(piece.text for piece in pieces)
    assert text == await client.answer(endpoint, model, QUESTION, max_tokens=24, temperature=0.0)
    return text


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()
