"""Runs calls: one container a try, which is the real container runtime in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.state import Call, State, Task

_Result = pb.GenericResult
OK = _Result.GENERIC_STATUS_SUCCESS
FAILED = _Result.GENERIC_STATUS_FAILURE
ENDED = _Result.GENERIC_STATUS_TERMINATED
TIMED_OUT = _Result.GENERIC_STATUS_TIMEOUT
GRACE_SECONDS = 30.0
"""What Modal leaves a container whose machine it takes away."""
_POLL_SECONDS = 0.05
_LONGEST_DELAY = 0.5
"""Seconds. A stand-in does not wait as long between two tries as it is told."""


_ARGUMENTS = "MODAL_CONTAINER_ARGUMENTS_PATH"
_STRANGE = ("MODAL_", "FTUI_", "HF_", "WANDB_", "VLLM_", "SERVE_")
"""Variables of this machine that no container of Modal's has."""


async def work(state: State, call: Call) -> None:
    """Run a call to its end, in as many containers as its retries allow."""
    function = state.functions[call.function_id]
    while call.result is None:
        await _machine(state, call)
        if call.result is not None:
            break
        task = Task(state.new("ta"), call)
        attempt = await run_container(state, task, function)
        if call.result is not None:
            break
        if task.preempted:
            continue
        if attempt.status != OK and call.retries < function.retry_policy.retries:
            call.retries += 1
            delay = function.retry_policy.initial_delay_ms / 1000
            await asyncio.sleep(min(delay, _LONGEST_DELAY))
            continue
        call.result = attempt
    await state.touch()


async def cancel(state: State, call: Call) -> None:
    """End a call, and its container."""
    if call.result is None:
        call.result = _Result(status=ENDED, exception="Function call was cancelled")
        if call.task:
            kill(call.task)
        await state.touch()


def kill(task: Task) -> None:
    """End a container at once: its process, and all that it started."""
    if task.process is None or task.process.returncode is not None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        first = psutil.Process(task.process.pid)
        for process in [first, *first.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


async def take_away(task: Task) -> None:
    """End a container as when its machine is taken away: it is asked, and has a while to go."""
    process = task.process
    if process is None or process.returncode is not None:
        return
    task.preempted = True
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    end = time.monotonic() + GRACE_SECONDS
    while process.returncode is None and time.monotonic() < end:
        await asyncio.sleep(0.05)
    kill(task)


async def _machine(state: State, call: Call) -> None:
    while not state.faults.machines and call.result is None:
        await state.until(lambda: state.faults.machines or call.result is not None, 1.0)


async def run_container(state: State, task: Task, function: pb.Function) -> pb.GenericResult:
    """How a try in one container ended."""
    call = task.call
    files = _unpacked(state, task, function)
    gpu = function.resources.gpu_config
    call.gpus.append(f"{gpu.gpu_type}:{gpu.count}" if gpu.count else "")
    call.attempt = None
    async with _control(state, task) as port:
        environment = _environment(state, function, files, port, task)
        process = task.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "modal._container_entrypoint",
            cwd=files / "root",
            env=environment,
            start_new_session=True,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        call.task = task
        if call.result is not None:  # cancelled meanwhile
            kill(task)
        code = await _watched(state, task, process, function.timeout_secs or 300)
    call.task = None
    if code == 0:
        for mount in function.volume_mounts:
            state.commit(mount.volume_id)
    words = f"Runner failed with exit code: {code}"
    return call.attempt or _Result(status=FAILED, exitcode=code, exception=words)


async def _watched(
    state: State, task: Task, process: asyncio.subprocess.Process, seconds: float
) -> int:
    """The exit code of a container whose output is kept and whose time is limited."""

    async def pump(pipe: asyncio.StreamReader, fd: int) -> None:
        while line := await pipe.readline():
            await state.note(line.decode(errors="replace"), fd, task)

    assert process.stdout is not None
    assert process.stderr is not None
    pumps = asyncio.gather(
        pump(process.stdout, pb.FILE_DESCRIPTOR_STDOUT),
        pump(process.stderr, pb.FILE_DESCRIPTOR_STDERR),
    )
    end = time.monotonic() + seconds
    while process.returncode is None and time.monotonic() < end:
        await asyncio.sleep(_POLL_SECONDS)
    if process.returncode is None:
        kill(task)
        words = f"Task's current input hit its timeout of {seconds}s"
        task.call.attempt = _Result(status=TIMED_OUT, exception=words)
    _sweep(state, task)
    await pumps
    return await process.wait()  # not before: it waits for whoever has the pipes as well


def _sweep(state: State, task: Task) -> None:
    """End what a container has left running, as happens when its machine is given back."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(_ARGUMENTS) == str(_folder(state, task) / "arguments"):
                process.kill()


def _folder(state: State, task: Task) -> Path:
    return state.root / "tasks" / task.id


@contextlib.asynccontextmanager
async def _control(state: State, task: Task) -> AsyncIterator[int]:
    """The port at which one container finds its control plane: its RPCs do not name it."""
    from tests.standins.modal_server.service import serving

    async with serving(state, task) as port:
        yield port


def _unpacked(state: State, task: Task, function: pb.Function) -> Path:
    """The container's files: its code, its arguments, and links where its volumes are."""
    from tests.standins.modal_server.apps import layout

    folder = _folder(state, task)
    (folder / "root").mkdir(parents=True)
    for mount_id in function.mount_ids:
        for name, digest in state.mounts[mount_id].items():
            file = folder / name.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(state.files[digest])
    for mount in function.volume_mounts:
        link = Path(mount.mount_path)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        state.reload(mount.volume_id)
        link.symlink_to(state.live(mount.volume_id))
    arguments = pb.ContainerArguments(
        task_id=task.id,
        function_id=task.call.function_id,
        app_id=task.call.app_id,
        function_def=function,
        app_layout=layout(state, state.apps[task.call.app_id]),
        environment_name="main",
    )
    (folder / "arguments").write_bytes(arguments.SerializeToString())
    return folder


def _environment(
    state: State, function: pb.Function, files: Path, port: int, task: Task
) -> dict[str, str]:
    from tests.standins.modal_server.images import image_env

    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_STRANGE)
    }
    environment |= image_env(state, function.image_id) | state.container_env
    if listens := function.webhook_config.web_server_port:  # as whoever deployed it said
        environment["FTUI_MODAL_PORT"] = str(listens)
    for secret_id in function.secret_ids:
        environment |= state.secrets[secret_id]
    return environment | {
        "MODAL_SERVER_URL": f"http://127.0.0.1:{port}",
        "MODAL_TASK_ID": task.id,
        "MODAL_IS_REMOTE": "1",
        _ARGUMENTS: str(files / "arguments"),
        "MODAL_FUNCTION_RUNTIME": "runc",
        "PYTHONPATH": str(files / "root"),
        "PYTHONUNBUFFERED": "1",
    }
