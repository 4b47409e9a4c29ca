"""What is too large to travel with the configuration is sent over ssh, and verified."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ftui.errors import TimedOut
from ftui.runs.model import Run
from ftui.serve.place import Where
from ftui.targets.dstack import parcel
from ftui.targets.dstack.serve import start
from ftui.targets.endpoint import Phase, Stage
from ftui.targets.vllm import client
from tests.standins.dstack_server import DstackServer
from tests.standins.dstack_service import NAME, QUESTION, dstack, refused, run

__all__ = ("dstack", "run")


SSH = """\
#!/bin/sh
for command in "$@"; do :; done
[ -e {container}/off ] && exit 255
DSTACK_WORKING_DIR={container} exec sh -c "$command"
"""


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a container, in which `ssh` runs its commands."""
    made, commands = tmp_path / "container", tmp_path / "commands"
    (made / "serving").mkdir(parents=True)
    commands.mkdir()
    ssh = commands / "ssh"
    ssh.write_text(SSH.format(container=made))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return made


async def test_a_large_model_is_sent_once_the_container_is_reached(
    dstack: DstackServer, run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "TOTAL_BYTES", 100)
    (container / "off").touch()
    for name in ("base", "tuned"):
        (container / "serving" / name).mkdir()

    def wake(phase: Phase) -> None:
        if phase.stage is Stage.STARTING:
            loop = asyncio.get_running_loop()
            loop.call_later(0.2, (container / "off").unlink)

    async with Where("dstack").serve(run, wake) as endpoint:
        assert await client.answer(endpoint, "tuned", QUESTION) == "I am tuned"
    assert (container / "serving" / "arrived").exists()
    weights = "adapter_model.safetensors"
    there = container / "serving" / "tuned" / weights
    assert there.read_bytes() == (run.output_dir / weights).read_bytes()
    assert (container / "serving" / "base" / "config.json").is_file()
    log = (run.folder / "serve.log").read_text()
    assert "could not be sent yet" in log
    assert log.count("sending the model over ssh: ") == 1
    assert "the model is there" in log
    assert len(dstack.archives) == 1, "serve.sh alone went with the configuration"


async def test_what_arrives_damaged_is_not_served(
    dstack: DstackServer, run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "TOTAL_BYTES", 100)
    monkeypatch.setattr(start, "LIMIT_SECONDS", 1.0)
    for name in ("base", "tuned"):
        (container / "serving" / name).mkdir()
    (container / "serving" / "tuned" / "adapter_model.safetensors").symlink_to("/dev/null")
    error = await refused(run)
    assert isinstance(error, TimedOut)
    assert not (container / "serving" / "arrived").exists()
    assert "checksum differs" in (run.folder / "serve.log").read_text()
    assert dstack.ended == [NAME]
