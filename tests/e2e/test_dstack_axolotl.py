"""The whole way over dstack: real server, real axolotl and vLLM in a stand-in host."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from ftui import demo
from ftui.errors import TargetUnavailable
from ftui.plan.plan import start
from ftui.plan.presets import find as find_preset
from ftui.runs.model import Run, RunState
from ftui.runs.store import find, list_runs
from ftui.serve.place import Where
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.endpoint import Endpoint, Phase, Stage
from ftui.targets.prepare import prepare
from ftui.targets.vllm import client
from tests.standins.dstack_host.lab import TOKEN, Lab, lab
from tests.standins.dstack_host.person import logged_in
from tests.standins.dstack_host.programs import (
    play_axolotl,
    play_tensorboard,
    play_uv,
    play_vllm,
)
from tests.standins.runs import history, state, wait_for

FTUI, DSTACK = (str(Path(sys.executable).with_name(name)) for name in ("ftui", "dstack"))
LIMIT = 900.0
STEPS = 60
QUESTION = [
    {"role": "system", "content": "CREATE TABLE rivers (name TEXT, length INTEGER)"},
    {"role": "user", "content": "How many rivers are there?"},
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server and a host that can serve what was trained."""
    with lab(tmp_path_factory.mktemp("dstack")) as made:
        play_vllm(made, Path(os.environ["FTUI_SERVE_PYTHON"]))
        yield made


@pytest.fixture
def dstack(machine: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The same for a person who is logged in; nothing of theirs is at work afterwards."""
    with logged_in(machine, monkeypatch):
        yield machine


async def test_one_command_trains_on_dstack_and_the_adapter_that_came_home_is_served_there(
    dstack: Lab, home: Path
) -> None:
    python = Path(os.environ["FTUI_TRAIN_PYTHON"])
    play_axolotl(dstack, python, then="until [ -e seen ]; do sleep 0.2; done")
    play_tensorboard(dstack, python)
    with training(home) as command:
        wait_for(lambda: command.poll() is not None or trained(), "the training", LIMIT)
        assert command.poll() is None, command.communicate()[0]
        with attached(find("latest")) as board:
            wait_for(lambda: "train/loss" in scalars(board), "TensorBoard", LIMIT)
        (dstack.container(find("latest").name) / "seen").touch()
        told, _ = command.communicate(timeout=LIMIT)
    assert command.returncode == 0, told
    assert f"{STEPS}/{STEPS}" in told
    assert "✓ done" in told

    run = find("latest")
    log = run.log_file.read_text()
    assert "each verified by its sha256" in log
    assert f"`dstack attach {run.name}` runs" in log  # how to come to TensorBoard
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


@contextlib.contextmanager
def training(home: Path) -> Iterator[subprocess.Popen[str]]:
    """One command, with the built-in rows under another name: it is not evaluated on its own."""
    rows = home.parent / "my rows.jsonl"
    rows.write_bytes(demo.shipped("builtin:nl2sql/train.jsonl").read_bytes())
    asked = ["--preset", "nano-sql-lora", "--data", str(rows), "--target", "dstack"]
    changed = (f"max_steps={STEPS}", "evals_per_epoch=null", "use_tensorboard=true")
    settings = [word for setting in changed for word in ("--set", setting)]
    with subprocess.Popen(
        [FTUI, *asked, *settings, "-y", "--plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def trained() -> bool:
    """Whether the only run has come to its last step; its container waits then."""
    runs = list_runs()
    return bool(runs) and history(runs[0]).saved


@contextlib.contextmanager
def attached(run: Run) -> Iterator[str]:
    """`dstack attach`, and where it forwards the container's TensorBoard to.

    ssh makes a socket in the person's HOME, whose whole path may have 108 characters.
    """
    with (
        tempfile.TemporaryDirectory() as short,
        subprocess.Popen(
            [DSTACK, "attach", run.name],
            env=os.environ | {"HOME": str(at(Path(short, "home"), Path.home()))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        ) as command,
    ):
        assert command.stdout is not None
        try:
            told = ""
            while not (port := re.search(r"localhost:(\d+) -> 6006", told)):
                line = command.stdout.readline()
                assert line, f"dstack attach ended: {told}"
                told += line
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            command.kill()


def at(link: Path, folder: Path) -> Path:
    """Another name of a folder."""
    link.symlink_to(folder)
    return link


def scalars(board: str) -> str:
    """What TensorBoard has by now, as it tells."""
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(f"{board}/data/plugin/scalars/tags", trust_env=False).text
    return ""


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


def test_axolotl_is_installed_by_hand_before_it_trains(dstack: Lab, home: Path) -> None:
    play_uv(dstack, Path(os.environ["FTUI_TRAIN_PYTHON"]))
    settings = {"max_steps": 2, "evals_per_epoch": None}
    plan = start(find_preset("nano-sql-lora")).with_settings(**settings)
    plan = replace(plan, target="dstack", machine={"install": "yes"})
    target = DstackTarget()
    run = prepare(plan, target)
    target.write(run, plan)
    target.launch(run)
    wait_for(lambda: state(run).ended, "the end", LIMIT)

    assert state(run) is RunState.DONE, run.log_file.read_text()
    [log] = dstack.host(0).glob("*/disk/uv.log")
    venv, torch, axolotl = log.read_text().splitlines()[1:]
    assert venv.startswith("venv -q --prompt dstack -p 3.12 --seed ")
    assert torch.startswith("pip install torch==")
    assert "psutil" in torch  # which the next line builds with
    assert axolotl.startswith("pip install --no-build-isolation axolotl[flash-attn,deepspeed]==")


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()
