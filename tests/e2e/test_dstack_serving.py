"""The real vLLM on a real dstack server: base and tuned answer through its proxy."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.errors import TargetUnavailable
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import write_record
from ftui.serve.place import serving_on
from ftui.targets.endpoint import Phase, Stage
from ftui.targets.vllm import client
from tests.standins.adapter import make_run
from tests.standins.dstack_host.lab import TOKEN, Lab, lab

QUESTION = [
    {"role": "system", "content": "CREATE TABLE rivers (name TEXT, length INTEGER)"},
    {"role": "user", "content": "How many rivers are there?"},
]


@pytest.fixture
def dstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A server, a host that has vLLM, and a person who is logged in."""
    with lab(tmp_path / "dstack") as made:
        made.play_vllm(Path(os.environ["FTUI_SERVE_PYTHON"]))
        monkeypatch.setenv("HOME", str(made.home))
        monkeypatch.delenv("DSTACK_PROJECT", raising=False)
        yield made


@pytest.fixture
def run(home: Path) -> Run:
    made = make_run()
    write_record(made, RunRecord(made.name, "nano-sql-lora", "Nano", "local", 0.0, {}))
    return made


async def test_base_and_tuned_answer_on_dstack_and_then_the_machine_is_free(
    dstack: Lab, run: Run
) -> None:
    phases: list[Phase] = []
    async with serving_on("dstack", 0.5)(run, phases.append) as endpoint:
        said = {}
        for model in endpoint.models:
            asked = client.stream(endpoint, model, QUESTION, max_tokens=24, temperature=0.0)
            async with aclosing(asked) as chunks:
                pieces = [chunk async for chunk in chunks]
            said[model] = "".join(piece.text for piece in pieces)
            assert len(pieces) > 2, "it comes piece by piece"
            assert pieces[-1].tokens > 0
            whole = client.answer(endpoint, model, QUESTION, max_tokens=24, temperature=0.0)
            assert said[model] == await whole
        assert said["base"] != said["tuned"]
        with pytest.raises(TargetUnavailable, match="refuses the token"):
            await client.answer(replace(endpoint, api_key="another"), "base", QUESTION)
        assert dstack.at_work() == ["serve-amber"]

    assert dstack.at_work() == []
    stages = [phase.stage for phase in phases]
    assert stages[:2] == [Stage.MACHINE, Stage.IMAGE]
    assert stages[-2:] == [Stage.CHECKING, Stage.READY]
    assert "ended after" in (run.folder / "serve.log").read_text()
    files = [file for file in run.folder.rglob("*") if file.is_file()]
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]
    assert sys.executable not in (run.folder / "serve.sh").read_text()
