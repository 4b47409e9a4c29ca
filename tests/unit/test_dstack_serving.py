"""Serving on dstack: both models answer through it, and every refusal is told in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ftui.errors import FtuiError, RunFailed, TargetUnavailable, TimedOut, UsageError
from ftui.runs.model import Run
from ftui.serve.place import Where
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.serve import start
from ftui.targets.dstack.serve.cargo import Cargo
from ftui.targets.dstack.serve.document import Wish
from ftui.targets.dstack.serve.start import endpoint_of
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.endpoint import Phase, Stage, own_log
from ftui.targets.renting import Priced
from ftui.targets.vllm import client
from ftui.targets.vllm.command import ServedModels
from tests.standins.dstack_server import TOKEN, WAY, DstackServer
from tests.standins.dstack_service import (
    NAME,
    QUESTION,
    dstack,
    records,
    refused,
    run,
    serving_it,
)

__all__ = ("dstack", "run", "serving_it")


async def test_both_models_answer_through_dstack_and_then_it_has_ended(
    dstack: DstackServer, run: Run
) -> None:
    phases: list[Phase] = []
    dstack.printed = b"(Worker pid=3) INFO Starting to load model x...\r\n"
    async with Where("dstack", 0.5).serve(run, phases.append) as endpoint:
        assert dstack.at_work() == [NAME]
        for name in ("base", "tuned"):
            assert await client.answer(endpoint, name, QUESTION) == f"I am {name}"
            async with aclosing(client.stream(endpoint, name, QUESTION)) as chunks:
                assert "".join([chunk.text async for chunk in chunks]) == f"I am {name}"
    assert dstack.ended == [NAME]
    assert records() == []
    assert [phase.stage for phase in phases] == [
        stage for stage in Stage if stage is not Stage.MODEL
    ]
    log = (run.folder / "serve.log").read_text()
    assert "the cheapest machine now: L4" in log
    assert "aws eu-west-1" in log
    assert "load model x...\n" in log
    assert "ended after $0.42" in log
    spec = dstack.runs[NAME]["spec"]["configuration"]
    assert (spec["max_duration"], spec["idle_duration"], spec["max_price"]) == ("30m", "5m", 4)
    assert not [file for file in run.folder.rglob("*") if file.is_file() and holds(file, TOKEN)]


async def test_it_has_a_log_of_its_own_beside_another_server(
    dstack: DstackServer, run: Run
) -> None:
    with own_log(run.folder) as other:
        other.write("of the other one\n")
        other.flush()
        async with Where("dstack").serve(run, lambda phase: None) as endpoint:
            assert endpoint.log_file == run.folder / "serve-2.log"
        assert (run.folder / "serve.log").read_text() == "of the other one\n"
    assert "ended after" in (run.folder / "serve-2.log").read_text()


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()


async def test_a_server_that_is_silent_for_a_while_does_not_matter(
    dstack: DstackServer, run: Run
) -> None:
    silences = 0

    def hang_up(phase: Phase) -> None:
        nonlocal silences
        if phase.stage in (Stage.MACHINE, Stage.IMAGE, Stage.STARTING):
            silences += 1
            dstack.silent = True
            asyncio.get_running_loop().call_later(0.2, setattr, dstack, "silent", False)

    async with Where("dstack").serve(run, hang_up) as endpoint:
        assert await client.answer(endpoint, "tuned", QUESTION) == "I am tuned"
    assert silences == 3
    assert dstack.ended == [NAME]


# ── What keeps a run from being served ───────────────────────────────────────────────────────────


async def test_nothing_to_serve_nothing_asked(dstack: DstackServer, run: Run) -> None:
    (run.output_dir / "adapter_config.json").unlink()
    (run.output_dir / "adapter_model.safetensors").unlink()
    error = await refused(run)
    assert isinstance(error, RunFailed)
    assert "no model" in error.what
    assert dstack.runs == {}


@pytest.mark.parametrize(("lacking", "word"), [("fleets", "no fleet"), ("offers", "no machine")])
async def test_no_fleet_and_no_machine(
    dstack: DstackServer, run: Run, lacking: str, word: str
) -> None:
    setattr(dstack, lacking, [])
    error = await refused(run)
    assert isinstance(error, TargetUnavailable)
    assert word in error.what
    assert error.hint
    assert dstack.runs == {}
    assert records() == []


async def test_a_run_of_that_name_that_is_not_ours_is_left_alone(
    dstack: DstackServer, run: Run
) -> None:
    dstack.begin(NAME, "somebody's")
    error = await refused(run)
    assert isinstance(error, UsageError)
    assert NAME in error.what
    assert dstack.at_work() == [NAME]


async def test_nobody_serves_a_run_twice_at_once(
    dstack: DstackServer, run: Run, serving_it: Callable[[], Any]
) -> None:
    async with serving_it():
        error = await refused(run)
        assert isinstance(error, UsageError)
        assert "already" in error.what
        assert dstack.at_work() == [NAME]
    assert dstack.ended == [NAME]


async def test_why_vllm_ended_is_read_from_its_log(dstack: DstackServer, run: Run) -> None:
    dstack.printed = b"ValueError: vLLM does not yet support DoRA.\r\nnanobind: leaked!\r\n"
    dstack.late = 4
    ended = {"termination_reason": "container_exited_with_error", "exit_status": 1}
    dstack.states = [*WAY[:2], ("failed", "failed", ended)]
    error = await refused(run)
    assert isinstance(error, RunFailed)
    assert error.why == "ValueError: vLLM does not yet support DoRA."
    assert "serve.log" in error.hint
    assert records() == []


async def test_a_gated_model_needs_a_token_that_the_project_has(
    dstack: DstackServer, run: Run
) -> None:
    run.config_file.write_text("base_model: meta-llama/Llama-3.1-8B-Instruct\n")
    dstack.printed = b"OSError: You are trying to access a gated repo.\r\n"
    ended = {"termination_reason": "container_exited_with_error", "exit_status": 1}
    dstack.states = [*WAY[:2], ("failed", "failed", ended)]
    error = await refused(run)
    assert isinstance(error, RunFailed)
    assert "licence" in error.hint
    dstack.secrets = []
    error = await refused(run)
    assert isinstance(error, TargetUnavailable)
    assert "dstack secret set hf_token" in error.hint


async def test_a_server_of_another_version_is_told_in_the_log(
    dstack: DstackServer, run: Run, serving_it: Callable[[], Any]
) -> None:
    dstack.version = "0.23.1"
    async with serving_it():
        assert "0.23.1, newer" in (run.folder / "serve.log").read_text()


async def test_a_member_who_is_told_no_secrets_is_served_and_hears_of_it(
    dstack: DstackServer, run: Run, serving_it: Callable[[], Any]
) -> None:
    dstack.manages = False
    async with serving_it():
        assert "secret" not in (run.folder / "serve.log").read_text(), "nothing is fetched"
    run.config_file.write_text("base_model: meta-llama/Llama-3.1-8B-Instruct\n")
    async with serving_it():
        assert "only managers of the project" in (run.folder / "serve.log").read_text()


@pytest.mark.parametrize(
    ("reason", "kind", "word"),
    [
        ("failed_to_start_due_to_no_capacity", TargetUnavailable, "no machine"),
        ("interrupted_by_no_capacity", TargetUnavailable, "spot"),
        ("max_duration_exceeded", TimedOut, "time limit"),
        ("waiting_runner_limit_exceeded", TargetUnavailable, "image"),
        ("terminated_by_user", TargetUnavailable, "stopped"),
    ],
)
async def test_why_dstack_ended_it(
    dstack: DstackServer, run: Run, reason: str, kind: type[FtuiError], word: str
) -> None:
    dstack.states = [*WAY[:1], ("failed", "failed", {"termination_reason": reason})]
    error = await refused(run)
    assert type(error) is kind
    assert word in error.why


async def test_a_refused_token_is_told_at_once(dstack: DstackServer, run: Run) -> None:
    dstack.refuses = True
    error = await refused(run)
    assert isinstance(error, TargetUnavailable)
    assert error.what == "the dstack server refuses the token"
    assert dstack.ended == [NAME]


async def test_it_takes_no_longer_than_its_limit(
    dstack: DstackServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "LIMIT_SECONDS", 0.3)
    dstack.states = list(WAY[:2])
    error = await refused(run)
    assert isinstance(error, TimedOut)
    assert "pulling the image" in error.why
    assert dstack.ended == [NAME]


def test_the_token_goes_nowhere_unencrypted() -> None:
    models = ServedModels("org/model", Path("tuned"), 8)
    wish = Wish(NAME, "", None, None, 1.0, Cargo(models))  # type: ignore[arg-type]
    safe = Login("main", "https://dstack.example", TOKEN)
    with pytest.raises(TargetUnavailable, match="encrypt"):
        endpoint_of({"service": {"url": "http://a.example"}}, safe, wish, Path("log"))
    ours = endpoint_of({"service": {"url": "/proxy/services/main/x/"}}, safe, wish, Path("log"))
    assert ours.base_url == "https://dstack.example/proxy/services/main/x"
    theirs = endpoint_of({"service": {"url": "https://a.example"}}, safe, wish, Path("log"))
    assert theirs.base_url == "https://a.example"
    assert TOKEN not in repr(theirs)


# ── What it costs ────────────────────────────────────────────────────────────────────────────────


def test_the_price_is_told_before_anything_is_rented(dstack: DstackServer, run: Run) -> None:
    target = DstackTarget()
    assert isinstance(target, Priced)
    assert target.serving_terms(run) == "L4 · $1.25/h"
    assert dstack.runs == {}
    assert not (run.folder / "serve.dstack.yml").exists()
    dstack.offers = []
    with pytest.raises(TargetUnavailable, match="no machine"):
        target.serving_terms(run)


async def test_the_price_and_the_end_are_told_while_somebody_talks(
    serving_it: Callable[[], Any],
) -> None:
    async with serving_it() as endpoint:
        assert re.fullmatch(r"dstack · L4 · \$1\.25/h · until \d\d:\d\d", endpoint.terms)
