"""Trains one run with axolotl on Modal, and serves it with vLLM. Needs only `pip install modal`.

In the run folder, beside config.yml:

    modal run --detach modal_app.py             upload the folder and train
    modal run modal_app.py::merge               put the adapter into its base model, on a CPU
    modal volume get ftui-runs RUN/out .        bring the results home
    modal volume put ftui-stops /dev/null RUN   have it save a checkpoint and end
    modal deploy modal_app.py::serve_app        an OpenAI-compatible endpoint, see below

`modal deploy modal_app.py` only puts the functions in place; ftui does that, and spawns them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import modal

# What ftui fills in for a run. Change it as you like.
RUN = "my-run"  # its folder on the volume ftui-runs
APP = "ftui-my-run"  # what it is called on Modal
GPU = "L40S:1"  # empty = no GPU
GPUS = 1
RETRIES = 3  # other tries after a crash; a try that is taken away (preemption) counts for nothing
MAX_HOURS = 12.0  # of all tries together; then it saves a checkpoint and ends
TRY_HOURS = 23.0  # of one try, then another one goes on: Modal ends a function after 24
SECRETS: list[str] = []  # of your workspace, by name: huggingface, wandb
CORES, MEMORY_GIB = 4, 16  # a GPU; what is used beyond costs as much
SERVE_GPU = "L40S"
AXOLOTL_IMAGE = "axolotlai/axolotl:main-latest"
VLLM_IMAGE = "vllm/vllm-openai:latest"
# Everything below is the same for every run.

HOUR = 3600
LIMIT = f"it reached its limit of {MAX_HOURS:g} h"
GRACE_SECONDS = 1800  # to save and to sum up the results, once a limit is reached
TICK_SECONDS, COMMIT_SECONDS, LAST_WORDS_SECONDS = 0.5, 3.0, 30.0
SEGMENT_BYTES = 256 * 1024
MARK = b"@ftui "  # begins a line of the feed that is an event of ftui_events.py, as JSON
ROOT = os.environ.get("FTUI_MODAL_ROOT", "")  # where the volumes are mounted; a test says where
RUNS, STOPS, CACHE = f"{ROOT}/runs", f"{ROOT}/stops", f"{ROOT}/cache"
FOLDER = Path(RUNS) / RUN
STOP_FILE = FOLDER / "stop"  # ftui_events.py looks for it
ENTRY = "/workspace/axolotl/scripts/uv-entrypoint.sh"  # the image's own; sets up CUDA's libraries

OTHER_FORMATS = ["--exclude", "original/*", "--exclude", "*.pth", "--exclude", "*.gguf"]

app = modal.App(APP)
runs = modal.Volume.from_name("ftui-runs", create_if_missing=True)
stops = modal.Volume.from_name("ftui-stops", create_if_missing=True)
cache = modal.Volume.from_name("ftui-cache", create_if_missing=True)
volumes: dict[Any, Any] = {RUNS: runs, STOPS: stops, CACHE: cache}
secrets = [modal.Secret.from_name(name) for name in SECRETS]
environment = {
    "HF_HOME": f"{CACHE}/hf",
    "PYTHONUNBUFFERED": "1",
    "TQDM_DISABLE": "1",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
}
axolotl_image = (
    modal.Image.from_registry(
        AXOLOTL_IMAGE,
        setup_dockerfile_commands=["RUN python -m pip --version || uv pip install pip"],
    )
    .entrypoint([])
    .env(environment)
)


@app.function(
    image=axolotl_image, volumes=volumes, secrets=secrets, timeout=6 * HOUR, cpu=2, retries=2
)
def prepare() -> dict[str, Any]:
    """Download the base model where no GPU is paid for, then have it trained."""
    import yaml

    config = yaml.safe_load((FOLDER / "config.yml").read_text(encoding="utf-8"))
    model, feed = str(config["base_model"]), Feed()
    if not model.startswith(("./", "/")):
        feed.note(f"downloading {model}; no GPU is paid for meanwhile")
        revision = config.get("revision_of_model")
        wanted = ["hf", "download", model, *(["--revision", str(revision)] if revision else [])]
        code = _printed(_start([*wanted, *OTHER_FORMATS]), feed)
        cache.commit()
        if code:  # no such model, or not allowed: another try would end the same way
            _commit()
            return {"code": code, "why": f"the base model {model} could not be downloaded"}
    _commit()
    return {"call": _next_try().object_id}


@app.function(
    image=axolotl_image,
    volumes=volumes,
    secrets=secrets,
    gpu=GPU or None,
    cpu=CORES * max(GPUS, 1),
    memory=MEMORY_GIB * 1024 * max(GPUS, 1),
    timeout=int(min(MAX_HOURS, TRY_HOURS) * HOUR) + GRACE_SECONDS,
    retries=modal.Retries(max_retries=RETRIES, initial_delay=1.0, backoff_coefficient=1.0),
    single_use_containers=True,
)
def train() -> dict[str, Any]:
    """Train, from the newest checkpoint on where there is one; `{"code", "why"}`, or the next call.

    Whatever ends it, it can be called again: after a crash or a preemption Modal does so itself.
    Raises RuntimeError after a crash, which Modal tries again; not for a config that is refused.
    """
    status = Status()
    if "code" in status.known:
        return status.known
    checkpoint, feed = _newest_checkpoint(), Feed()
    seconds_left = MAX_HOURS * HOUR - status.seconds
    _tell_of_try(feed, status, checkpoint)
    if seconds_left <= 0:
        return status.ended(1, LIMIT)
    command = ["axolotl", "train", "config.yml"]
    command += [] if GPUS > 1 else ["--launcher", "python"]
    command += [f"--resume-from-checkpoint=out/{checkpoint}"] if checkpoint else []
    events = FOLDER / "events.jsonl"
    for left in (events, STOP_FILE):  # of an earlier try
        left.unlink(missing_ok=True)
    process = _start(command, FTUI_EVENTS=str(events))
    watch = Watch(process, feed, events, status, min(seconds_left, TRY_HOURS * HOUR))
    return _outcome(watch.to_the_end(), watch, status)


def _outcome(code: int, watch: Watch, status: Status) -> dict[str, Any]:
    """What a try that ended means. Raises RuntimeError where another one helps."""
    over = status.seconds >= MAX_HOURS * HOUR
    if code == 0 and watch.out_of_time and not over:
        _commit()
        return {"call": _next_try().object_id}
    if code == 0:
        _sum_up(with_checkpoint=watch.asked_to_stop or watch.out_of_time)
        return status.ended(0, LIMIT if watch.out_of_time else "")
    if watch.asked_to_stop or over:
        return status.ended(code, LIMIT if over else "it was stopped before it could save")
    if code > 0 and not watch.began:  # another try would end the same way, and cost as much
        return status.ended(code, "axolotl refused it before training began; it is not tried again")
    _commit()
    raise RuntimeError(f"training ended with exit code {code}")


@app.function(image=axolotl_image, volumes=volumes, timeout=4 * HOUR, cpu=8, memory=65536)
def merge() -> str:
    """Put the adapter into its base model, in memory and on a CPU; where it is on ftui-runs."""
    command = ["axolotl", "merge-lora", "config.yml", "--lora-model-dir=out"]
    code = _start(command, stdout=None, CUDA_VISIBLE_DEVICES="").wait()
    _commit()
    if code:
        raise RuntimeError(f"merging ended with exit code {code}")
    return f"{RUN}/out/merged"


@app.local_entrypoint()
def main() -> None:
    """What `modal run` does: upload the folder of this file, and start."""
    here = Path(__file__).parent
    for volume, left in ((runs, f"/{RUN}/status.json"), (stops, f"/{RUN}")):
        with contextlib.suppress(FileNotFoundError):
            volume.remove_file(left)  # what an earlier start left: its end, a stop
    with runs.batch_upload(force=True) as batch:
        for name in ("config.yml", "ftui_events.py"):
            batch.put_file(str(here / name), f"/{RUN}/{name}")
        if (here / "inputs").is_dir():
            batch.put_directory(str(here / "inputs"), f"/{RUN}/inputs")
    call = prepare.spawn()
    print(f"started: {call.object_id} · {call.get_dashboard_url()}")  # noqa: T201


class Feed:
    """What a try prints and its events, in files of whole lines that are only appended to.

    Each container begins a file of its own, `feed/00001`, and a next one after 256 KiB: a reader
    needs only what is new. A full volume does not keep anyone from training.
    """

    def __init__(self) -> None:
        self._folder = FOLDER / "feed"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number = max((int(path.name) for path in self._folder.iterdir()), default=0) + 1
        self._lock = threading.Lock()

    def line(self, data: bytes) -> None:
        """Append a line."""
        with self._lock, contextlib.suppress(OSError):
            file = self._folder / f"{self._number:05d}"
            with file.open("ab") as opened:
                opened.write(data.rstrip(b"\r\n") + b"\n")
                if opened.tell() >= SEGMENT_BYTES:
                    self._number += 1

    def note(self, words: str) -> None:
        """Append words of this file's own."""
        print(words, flush=True)  # noqa: T201
        self.line(f"modal: {words}".encode())

    def event(self, kind: str, **values: Any) -> None:
        """Append an event."""
        told = {"v": 1, "ts": round(time.time(), 3), "event": kind, "values": values}
        self.line(MARK + json.dumps(told).encode())


class Status:
    """status.json: the call, how many tries there were, how long they took, how the run ended."""

    def __init__(self) -> None:
        self._file = FOLDER / "status.json"
        self._state: dict[str, Any] = {"tries": 0, "seconds": 0.0}
        with contextlib.suppress(OSError, ValueError):
            self._state |= json.loads(self._file.read_text(encoding="utf-8"))
        self._state["tries"] += 1
        self.tries: int = self._state["tries"]
        self._earlier: float = self._state["seconds"]
        self._began = time.monotonic()
        self._call = modal.current_function_call_id()

    @property
    def seconds(self) -> float:
        """How long all tries took so far."""
        return self._earlier + time.monotonic() - self._began

    @property
    def known(self) -> dict[str, Any]:
        """How the run ended, if it has."""
        return {key: self._state[key] for key in ("code", "why") if key in self._state}

    def keep(self) -> None:
        """Write it down, and have everything on the volume kept."""
        self._state |= {"seconds": round(self.seconds, 1), "call": self._call}
        draft = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(self._state), encoding="utf-8")
            draft.replace(self._file)
        _commit()

    def ended(self, code: int, why: str) -> dict[str, Any]:
        """Write down how the run ended."""
        self._state |= {"code": code, "why": why}
        self.keep()
        return self.known


class Watch:
    """Looks after a trainer: keeps what it says, passes a stop on, and minds the time."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        feed: Feed,
        events: Path,
        status: Status,
        seconds: float,
    ) -> None:
        self._process, self._feed, self._events, self._status = process, feed, events, status
        self._end = time.monotonic() + seconds
        self._taken = 0
        self.began = self.asked_to_stop = self.out_of_time = False

    def to_the_end(self) -> int:
        """Wait for the trainer; its exit code."""
        reader = threading.Thread(target=_printed, args=(self._process, self._feed), daemon=True)
        reader.start()
        committed = 0.0
        try:
            while self._process.poll() is None:
                self._take_events()
                if time.monotonic() - committed >= COMMIT_SECONDS:
                    self._status.keep()
                    self._look()
                    committed = time.monotonic()
                time.sleep(TICK_SECONDS)
        finally:
            _end(self._process)
        reader.join(LAST_WORDS_SECONDS)
        self._take_events()
        self._status.keep()
        return self._process.returncode

    def _look(self) -> None:
        """Whether somebody asked for a stop, or the time is up."""
        with contextlib.suppress(modal.exception.Error):  # else at the next look
            stops.reload()
        self.asked_to_stop = self.asked_to_stop or (Path(STOPS) / RUN).exists()
        if not self.out_of_time and time.monotonic() >= self._end:
            self.out_of_time = True
            self._feed.note("the time is up: it saves a checkpoint and ends")
            if self._status.seconds >= MAX_HOURS * HOUR:
                self._feed.event("stop_requested", why=LIMIT)
        if self.asked_to_stop or self.out_of_time:
            with contextlib.suppress(OSError):
                STOP_FILE.touch()
            if not self.began:  # it still loads: there is nothing to save
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGINT)

    def _take_events(self) -> None:
        with contextlib.suppress(FileNotFoundError), self._events.open("rb") as file:
            file.seek(self._taken)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._taken += len(whole + newline)
            for line in filter(None, whole.split(b"\n")):
                self.began = self.began or b'"train_begin"' in line
                self._feed.line(MARK + line)


def _commit() -> None:
    """Have what is on the volume kept now; Modal does so by itself too, a little later."""
    try:
        runs.commit()
    except modal.exception.Error as error:
        print(f"the volume could not be committed, this tries again: {error}", flush=True)  # noqa: T201


def _start(command: list[str], stdout: int | None = subprocess.PIPE, **more: str) -> Any:
    """Start a command in the run's folder, in a group of its own."""
    known = os.environ | {"PYTHONPATH": str(FOLDER)} | ({} if GPUS else _NO_GPU) | more
    entry = [ENTRY] if Path(ENTRY).exists() else []
    print("$", *command, flush=True)  # noqa: T201
    return subprocess.Popen(
        [*entry, *command],
        cwd=FOLDER,
        env=known,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT if stdout else None,
        start_new_session=True,
    )


_NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


def _printed(process: subprocess.Popen[bytes], feed: Feed) -> int:
    """Keep what a command prints, to its end; its exit code."""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        feed.line(line)
    return process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a command."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tell_of_try(feed: Feed, status: Status, checkpoint: str) -> None:
    if status.tries == 1:
        return
    step = int(checkpoint.rpartition("-")[2]) if checkpoint else 0
    begins = f"it goes on from step {step}" if step else "it begins again"
    feed.note(f"try {status.tries}, in another container: {begins}")
    feed.event("launched", again=True, from_step=step)


def _newest_checkpoint() -> str:
    """The newest checkpoint that was written to its end, such as `checkpoint-120`; or nothing."""
    return max(_checkpoints(), default=(0, ""))[1]


def _checkpoints() -> Iterator[tuple[int, str]]:
    for path in FOLDER.glob("out/checkpoint-*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            # transformers writes this file last; but the volume may have kept others half-written
            told = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            if path.name == f"checkpoint-{told['global_step']}" and all(map(_is_whole, _big(path))):
                yield told["global_step"], path.name


def _big(checkpoint: Path) -> list[Path]:
    return [*checkpoint.glob("*.safetensors"), *checkpoint.glob("*.pt")]


def _is_whole(file: Path) -> bool:
    """Whether a file has the length that it says: safetensors in its header, a zip at its end."""
    if file.suffix == ".pt":
        return zipfile.is_zipfile(file)
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length)) if length < file.stat().st_size else {}
    ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
    return bool(ends) and 8 + length + max(ends) == file.stat().st_size


def _sum_up(*, with_checkpoint: bool) -> None:
    """results.json: what is to be brought home, each file with its sha256 and size."""
    newest = _newest_checkpoint() if with_checkpoint else ""
    found = {}
    for path in sorted((FOLDER / "out").rglob("*")):
        inside = path.relative_to(FOLDER / "out").parts[0]
        if path.is_file() and (not inside.startswith("checkpoint-") or inside == newest):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path.relative_to(FOLDER))] = {"sha256": digest, "size": path.stat().st_size}
    (FOLDER / "results.json").write_text(json.dumps(found), encoding="utf-8")


def _next_try() -> Any:
    """Spawn `train` with this container's secrets, those that were sent for this run alone too."""
    names = [name for name in os.environ.get("FTUI_SENT", "").split(",") if name]
    if not names:
        return train.spawn()
    sent: dict[str, str | None] = {name: os.environ[name] for name in (*names, "FTUI_SENT")}
    return train.with_options(secrets=[*secrets, modal.Secret.from_dict(sent)]).spawn()


# An endpoint of its own app, so that it has nothing to do with a training at work. It costs nothing
# while nobody asks. Its key, once: modal secret create ftui-serve VLLM_API_KEY=…
serve_app = modal.App(f"{APP}-serve")


@serve_app.function(
    image=modal.Image.from_registry(VLLM_IMAGE).entrypoint([]).env(environment),
    volumes=volumes,
    secrets=[*secrets, modal.Secret.from_name("ftui-serve", required_keys=["VLLM_API_KEY"])],
    gpu=SERVE_GPU,
    scaledown_window=300,
    timeout=HOUR,
    startup_timeout=1200,
    max_containers=1,
)
@modal.concurrent(max_inputs=32)
@modal.web_server(8000, startup_timeout=1200)
def serve() -> None:
    """vLLM with the base model and, under the run's name, the adapter."""
    _start(serve_command(), stdout=None)


def serve_command() -> list[str]:
    """The command of vLLM; a model that was trained whole takes the place of its base."""
    adapter = FOLDER / "out" / "adapter_config.json"
    shown = ["--host", "0.0.0.0", "--port", "8000"]  # noqa: S104 - Modal's proxy stands before it
    if not adapter.exists():
        return ["vllm", "serve", str(FOLDER / "out"), "--served-model-name", RUN, *shown]
    told = json.loads(adapter.read_text(encoding="utf-8"))
    base = str(told["base_model_name_or_path"])
    base = str(FOLDER / base) if base.startswith("./") else base
    lora = ["--enable-lora", "--max-lora-rank", str(told["r"])]
    return ["vllm", "serve", base, *lora, "--lora-modules", f"{RUN}={FOLDER / 'out'}", *shown]
