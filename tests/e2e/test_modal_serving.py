"""Serving on Modal: its real client and container runtime, and the real vLLM once.

The other tests have the OpenAI stand-in in vLLM's place: they are about how endpoints begin, end
and fail, which takes vLLM half a minute each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from ftui.errors import RunFailed, TargetUnavailable, TimedOut, UsageError
from ftui.runs import endpoints, store
from ftui.runs.model import Run, RunRecord
from ftui.serve.server import free_port
from ftui.targets.endpoint import Endpoint, Phase, Stage
from ftui.targets.modal import serving
from ftui.targets.modal.app import place_of
from ftui.targets.modal.deployment import IDLE_SECONDS
from ftui.targets.modal.target import ModalTarget
from ftui.targets.vllm import client
from tests.standins.adapter import make_run
from tests.standins.modal_server.doors import Door
from tests.standins.modal_server.lab import Lab, lab
from tests.standins.runs import wait_for

FTUI = str(Path(sys.executable).with_name("ftui"))
LIMIT = 120.0
KEY = "a-key-for-these-tests-only"
QUESTION = [{"role": "user", "content": "How many rivers are there?"}]
_VLLM = Path(__file__).parents[1] / "standins" / "openai_server.py"


@pytest.fixture(scope="module")
def modal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("modal")) as made:
        yield made


@pytest.fixture
def run(modal: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run that this machine trained, so that its adapter and its base model have to travel."""
    for name, value in modal.env.items():
        monkeypatch.setenv(name, value)
    made = make_run()
    settings = {"base_model": "builtin:nano", "adapter": "lora", "lora_r": 4}
    record = RunRecord(made.name, "nano-sql-lora", "", "local", time.time(), settings)
    store.write_record(made, record)
    yield made
    modal.mend()


@pytest.fixture
def scripted(modal: Lab) -> None:
    play(modal)


def play(modal: Lab, behaviour: str = "") -> None:
    """Have the OpenAI stand-in be vLLM."""
    noted = f"echo $$ >{modal.root / 'vllm.pid'}"
    modal.play(f'{noted}; FTUI_STANDIN={behaviour} exec {sys.executable} {_VLLM} "$@"', "vllm")


def starts(modal: Lab) -> int:
    """How often a container of an endpoint began."""
    return sum(one.starts for one in modal.state.doors.values())


def end_vllm(modal: Lab) -> None:
    """As a crash of it does."""
    os.kill(int((modal.root / "vllm.pid").read_text()), signal.SIGKILL)


def door(modal: Lab) -> Door:
    """The newest endpoint."""
    return list(modal.state.doors.values())[-1]


# ── The real vLLM ────────────────────────────────────────────────────────────────────────────


async def test_base_and_tuned_answer_who_has_the_key_and_nothing_is_left(
    modal: Lab, run: Run
) -> None:
    vllm = f"{os.environ['FTUI_SERVE_PYTHON']} -m vllm.entrypoints.cli.main"
    on_a_cpu = "--enforce-eager --kv-cache-memory-bytes 256M --max-loras 2"
    modal.play(f'exec {vllm} "$@" {on_a_cpu}', "vllm")
    phases: list[Phase] = []
    async with ModalTarget().serve(run, phases.append, 1.0) as endpoint:
        stages = [phase.stage for phase in phases]
        first = (Stage.IMAGE, Stage.MODEL)  # the base model comes along: nothing is downloaded
        assert stages == [Stage.IMAGE, *(one for one in Stage if one not in first)]
        assert re.fullmatch(r"Modal · L4 · \$1\.1\d/h · until \d\d:\d\d", endpoint.terms)
        said = {}
        for model in endpoint.models:
            request = client.stream(endpoint, model, QUESTION, max_tokens=16, temperature=0.0)
            async with aclosing(request) as chunks:
                said[model] = "".join([chunk.text async for chunk in chunks])
            assert said[model] == await client.answer(
                endpoint, model, QUESTION, max_tokens=16, temperature=0.0
            )
        assert said["base"] != said["tuned"]
        stranger = Endpoint(endpoint.base_url, tuned="tuned", api_key="another")
        with pytest.raises(TargetUnavailable):
            await client.answer(stranger, "tuned", QUESTION)
        assert await shut(endpoint) == {404}
        key = endpoint.api_key
    assert nothing_is_left(modal, run)
    log = (run.folder / "serve.log").read_text()
    assert "Starting vLLM" in log
    assert re.search(r"\nmodal: ended; about \$0\.\d\d: L4 for (\d+ min ?)?(\d+ s)?\n$", log)
    assert not holding(key, modal.root, run.folder)


async def shut(endpoint: Endpoint) -> set[int]:
    """How the server answers at other doors of vLLM, of which some need no key."""
    async with httpx2.AsyncClient() as http:
        paths = ("invocations", "tokenize", "metrics", "v1/../invocations", "%76ersion")
        answers = [await http.post(f"{endpoint.base_url}/{path}", json={}) for path in paths]
    return {answer.status_code for answer in answers}


def holding(text: str, *folders: Path) -> list[Path]:
    """The files below the folders that hold a text."""
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return [file for file in files if text.encode() in file.read_bytes()]


# ── A chat ───────────────────────────────────────────────────────────────────────────────────


def nothing_is_left(modal: Lab, run: Run) -> bool:
    """No app, no file on the volume, no record of an endpoint."""
    read = [path for path in modal.kept(run).rglob("*") if path.is_file()]
    return not modal.deployed() and not read and not endpoints.known(run)


def ftui(*arguments: str, question: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FTUI, *arguments],
        capture_output=True,
        text=True,
        input=question,
        timeout=LIMIT,
        check=False,
    )


@pytest.mark.usefixtures("scripted")
def test_ftui_chat_on_modal(modal: Lab, run: Run) -> None:
    done = ftui("chat", run.name, "--on", "modal", question="Who are you?\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "base   I am base\ntuned  I am tuned\n"
    for words in ("fetching the image", "waiting for a machine", "ready"):
        assert words in done.stderr
    assert re.search(r"✓ ended; about \$0\.\d\d: L4 for (\d+ min ?)?(\d+ s)?\n$", done.stderr)
    assert nothing_is_left(modal, run)
    command = (run.folder / "serve.log").read_text()
    assert "--max-lora-rank 8" in command
    assert "--middleware ftui_gate.Gate" in command


@pytest.mark.usefixtures("scripted")
def test_two_chats_of_one_run_have_nothing_in_common(
    modal: Lab, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its own app, files, log and end; the one that stays is asked on."""
    with talking(run) as first:
        monkeypatch.setenv("FTUI_MODAL_PORT", str(free_port()))  # both are on this machine
        with talking(run) as second:
            assert len(modal.deployed()) == len(endpoints.known(run)) == 2
            assert endpoints.left(run) == ()
            assert ftui("export", run.name, "--end").returncode == 2, "nobody left one"
            tell(second, "Who are you?")
            assert second.stdout is not None
            assert second.stdout.readline() == "base   I am base\n"
        assert len(modal.deployed()) == len(endpoints.known(run)) == 1
        tell(first, "Who are you?")
        assert first.stdout is not None
        assert first.stdout.readline() == "base   I am base\n"
    assert nothing_is_left(modal, run)
    for name in ("serve.log", "serve-2.log"):
        log = (run.folder / name).read_text()
        assert log.count("ended; about $") == 1
        assert log.rstrip().rpartition("\n")[2].startswith("modal: ended")


@contextlib.contextmanager
def talking(run: Run) -> Iterator[subprocess.Popen[str]]:
    """A chat that can be asked; left at the end, and seen to be over."""
    chat = subprocess.Popen(
        [FTUI, "chat", run.name, "--on", "modal"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert chat.stdin is not None
    with chat:
        comes_to(chat, "vLLM: ready")
        yield chat
        chat.stdin.close()
        comes_to(chat, "ended; about $")
    assert chat.returncode == 0


def comes_to(chat: subprocess.Popen[str], words: str) -> None:
    """Wait until it says so; fails with all that it said where it ends before."""
    assert chat.stderr is not None
    said: list[str] = []
    for line in chat.stderr:
        said.append(line)
        if words in line:
            return
    raise AssertionError("".join(said))


def tell(chat: subprocess.Popen[str], question: str) -> None:
    assert chat.stdin is not None
    chat.stdin.write(f"{question}\n")
    chat.stdin.flush()


# ── A base model of the hub ──────────────────────────────────────────────────────────────────

HUB_MODEL = "org/small"


@pytest.fixture
def of_hub(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose base model is on the hub, and serving it one that takes any GPU."""
    run.config_file.write_text(f"base_model: {HUB_MODEL}\n")
    record = store.read_record(run)
    settings = {**record.settings, "base_model": HUB_MODEL}
    store.write_record(run, replace(record, settings=settings))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return run


@pytest.mark.usefixtures("scripted")
def test_a_base_model_is_downloaded_before_a_gpu_is_paid_for(modal: Lab, of_hub: Run) -> None:
    modal.play('echo "hf $*"; sleep 1', "hf")
    done = ftui("chat", of_hub.name, "--on", "modal", question="Who are you?\n")
    assert done.returncode == 0, done.stderr
    words = ["fetching the image", "downloading the base model", "waiting for a machine", "ready"]
    found = [done.stderr.index(word) for word in words]
    assert found == sorted(found)
    [call] = modal.calls[-1:]
    assert call.gpus == [""]
    log = (of_hub.folder / "serve.log").read_text()
    assert log.index(f"hf download {HUB_MODEL}") < log.index(f"serve {HUB_MODEL}")
    assert nothing_is_left(modal, of_hub)


@pytest.mark.usefixtures("scripted")
def test_a_base_model_that_may_not_be_downloaded_costs_no_gpu(
    modal: Lab, of_hub: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    modal.play("echo 401 Client Error: it is gated; exit 1", "hf")
    before = starts(modal)
    done = ftui("chat", of_hub.name, "--on", "modal")
    assert done.returncode == 1, done.stderr
    assert "could not be downloaded: 401 Client Error: it is gated" in done.stderr
    assert "serve.log" in done.stderr
    assert starts(modal) == before
    assert nothing_is_left(modal, of_hub)
    monkeypatch.setenv("FTUI_SERVE_KEY", KEY)
    done = ftui("export", of_hub.name, "--serve", "modal")
    assert done.returncode == 1, done.stderr
    assert "401 Client Error" in done.stderr
    assert starts(modal) == before
    assert nothing_is_left(modal, of_hub)


# ── How a chat ends ──────────────────────────────────────────────────────────────────────────


def test_a_server_that_fails_is_told_with_the_reason_and_taken_away(modal: Lab, run: Run) -> None:
    play(modal, "refuse")
    done = ftui("chat", run.name, "--on", "modal")
    assert done.returncode == 1, done.stderr
    for words in ("does not start", "does not yet support DoRA", "serve.log"):
        assert words in done.stderr
    assert modal.deployed() == []


@pytest.mark.usefixtures("scripted")
async def test_without_a_machine_it_waits_for_one_but_not_for_ever(
    modal: Lab, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "START_SECONDS", 10.0)
    modal.machines(there=False)
    phases: list[Phase] = []
    with pytest.raises(TimedOut, match="Modal found no machine"):
        async with ModalTarget().serve(run, phases.append, 1.0):
            raise AssertionError("nothing is there to be asked")
    assert [phase.stage for phase in phases] == [Stage.IMAGE, Stage.MACHINE]
    assert modal.deployed() == []


async def test_an_image_that_cannot_be_built_is_told(modal: Lab, run: Run) -> None:
    modal.state.faults.image_error = "no space left on the builder"
    modal.state.images.clear()
    with pytest.raises(TargetUnavailable, match="could not be deployed") as caught:
        async with ModalTarget().serve(run, lambda phase: None, 1.0):
            raise AssertionError("nothing is there to be asked")
    assert "no space left on the builder" in caught.value.why
    assert modal.deployed() == []


@pytest.mark.usefixtures("scripted")
def test_an_ftui_that_is_killed_leaves_nothing(modal: Lab, run: Run) -> None:
    asking = subprocess.Popen(
        [FTUI, "chat", run.name, "--on", "modal"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with asking:
        comes_to(asking, "vLLM: ready")
        assert len(modal.deployed()) == 1
        asking.kill()
    wait_for(lambda: not modal.deployed(), "the end of the endpoint", LIMIT)
    wait_for(lambda: door(modal).task is None, "the end of its container", LIMIT)


@pytest.mark.usefixtures("scripted")
def test_one_whose_guard_is_killed_too_is_seen_and_can_be_ended(modal: Lab, run: Run) -> None:
    with subprocess.Popen(
        [FTUI, "chat", run.name, "--on", "modal"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as chat:
        comes_to(chat, "vLLM: ready")
        [served] = endpoints.known(run)
        assert "◆" not in ftui("runs").stdout, "somebody takes that one away"
        assert served.keeper is not None
        os.kill(served.keeper.pid, signal.SIGKILL)
        chat.kill()
    assert modal.deployed() == [served.name]
    assert "◆ endpoint" in ftui("runs").stdout
    done = ftui("export", run.name, "--end")
    assert done.returncode == 0, done.stderr
    assert nothing_is_left(modal, run)
    wait_for(lambda: door(modal).task is None, "the end of its container", LIMIT)


@pytest.mark.usefixtures("scripted")
async def test_who_leaves_while_it_is_built_leaves_nothing(modal: Lab, run: Run) -> None:
    before = len(modal.state.requests)

    async def served() -> None:
        async with ModalTarget().serve(run, lambda phase: None, 1.0):
            raise AssertionError("it was to be left before")

    serving_it = asyncio.create_task(served())
    await come(lambda: "AppCreate" in modal.state.requests[before:], "the deployment")
    serving_it.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving_it
    assert modal.deployed() == []


@pytest.mark.usefixtures("scripted")
async def test_when_its_hours_are_over_the_endpoint_ends_by_itself(modal: Lab, run: Run) -> None:
    log = run.folder / "serve.log"
    async with ModalTarget().serve(run, lambda phase: None, 15 / 3600) as endpoint:
        assert await client.answer(endpoint, "tuned", QUESTION) == "I am tuned"
        await come(lambda: not modal.deployed(), "its end")
        with pytest.raises(RunFailed):
            await client.answer(endpoint, "tuned", QUESTION)
        await come(lambda: "the time is up" in log.read_text(), "its last word")


async def come(done: Callable[[], bool], what: str) -> None:
    """Wait for something, without keeping this process from its other work."""
    await asyncio.to_thread(wait_for, done, what, LIMIT)


# ── An endpoint that stays ───────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("scripted")
def test_an_exported_endpoint_stays_scales_to_zero_and_ends_when_asked(
    modal: Lab, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_SERVE_KEY", KEY)
    done = ftui("export", run.name, "--serve", "modal", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["models"] == ["base", "tuned"]
    assert told["usd_per_hour"] > 1
    assert modal.deployed() == [f"ftui-{place_of(run)}-serve"]
    assert "◆ endpoint" in ftui("runs").stdout
    assert f"ftui export {run.name} --end ends it" in ftui("runs").stderr
    assert door(modal).starts == 0, "nothing runs until somebody asks"
    assert not holding(KEY, modal.root, run.folder)
    assert KEY not in done.stdout + done.stderr

    assert asked(told["url"]) == "I am tuned"
    ended_at = time.monotonic()
    end_vllm(modal)
    wait_for(lambda: door(modal).task is None, "the end of a container without vLLM", LIMIT)
    assert time.monotonic() - ended_at < IDLE_SECONDS, "it was paid for no longer than needed"

    target = ModalTarget()
    [read] = [heap for heap in target.stored(run) if heap.name == "endpoint"]
    with pytest.raises(UsageError, match="reads it"):
        target.discard(run, read)

    rest_sooner(run)
    for start in (2, 3):
        assert asked(told["url"]) == "I am tuned"
        assert door(modal).starts == start
        wait_for(lambda: door(modal).task is None, "the end of an idle container", LIMIT)

    plain = ftui("export", run.name, "--serve", "modal", "--hours", "2")
    assert "by itself after 2 h" in plain.stdout
    assert 'Bearer $FTUI_SERVE_KEY"' in plain.stdout
    as_printed(plain.stdout)

    ended = ftui("export", run.name, "--end")
    assert ended.returncode == 0, ended.stderr
    assert nothing_is_left(modal, run)
    assert ftui("export", run.name, "--end").returncode == 2
    assert target.stored(run) == ()
    assert "◆" not in ftui("runs").stdout


def as_printed(said: str) -> None:
    """Both ways to call it, pasted as they stand there: into a shell, and into a Python."""
    shell, python = said[said.index("curl ") :].split("\n\n", 1)
    for command in (["bash", "-c", shell], [os.environ["FTUI_SERVE_PYTHON"], "-c", python]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "I am tuned" in done.stdout


def asked(url: str) -> str:
    """What tuned says there, as the openai client asks it."""
    told = httpx2.post(
        f"{url}/chat/completions",
        json={"model": "tuned", "messages": QUESTION},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=LIMIT,
    )
    return str(told.json()["choices"][0]["message"]["content"])


def rest_sooner(run: Run) -> None:
    """Deploy it again by hand, with a shorter rest."""
    file = run.folder / "modal_app.py"
    text, count = re.subn(r"(_SECONDS = 1200), 120", r"\1, 2", file.read_text())
    assert count == 1
    file.write_text(text)
    subprocess.run(
        [sys.executable, "-m", "modal", "deploy", "modal_app.py::serve_app"],
        cwd=run.folder,
        env={**os.environ, "VLLM_API_KEY": KEY, "SERVE_FROM": "endpoint/serve"},
        capture_output=True,
        timeout=LIMIT,
        check=True,
    )
