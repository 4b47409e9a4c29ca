"""Trains one run with axolotl on Modal, and serves it with vLLM. Needs only modal, 1.6.3 or later.

In the run folder, beside config.yml:

    modal run --detach modal_app.py             upload the folder and train
    modal run modal_app.py::merge               put the adapter into its base model, on a CPU
    modal volume get ftui-runs RUN/out .        bring the results home
    modal volume put ftui-stops /dev/null RUN   have it save a checkpoint and end
    modal run modal_app.py::fetch               have its base model there before a GPU is paid for
    modal deploy modal_app.py::serve_app        an OpenAI-compatible endpoint; its key is the
                                                VLLM_API_KEY of the shell that deploys it

`modal deploy modal_app.py` only puts the functions in place; ftui does that, and spawns them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import modal
import modal.experimental

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
TAKEN_AWAY_SECONDS = 20.0  # to save, of the 30 that Modal leaves a machine that it takes away
SEGMENT_BYTES = 256 * 1024
START_SECONDS, IDLE_SECONDS = 1200, 120  # of the endpoint: to load, and to wait for a question
NO_START = "the endpoint does not begin:"  # begins the line that says why
PORT = int(os.environ.get("FTUI_MODAL_PORT", "8000"))  # of vLLM; a test says another one
SERVE_GPUS = int(SERVE_GPU.partition(":")[2] or 1)
MARK = b"@ftui "  # begins a line of the feed that is an event of ftui_events.py, as JSON
ROOT = os.environ.get("FTUI_MODAL_ROOT", "")  # where the volumes are mounted; a test says where
RUNS, STOPS, CACHE = f"{ROOT}/runs", f"{ROOT}/stops", f"{ROOT}/cache"
FOLDER = Path(RUNS) / RUN
STOP_FILE = FOLDER / "stop"  # ftui_events.py looks for it
SERVED = FOLDER / (os.environ.get("SERVE_FROM") or "")  # of an endpoint: where its files are
ENTRY = "/workspace/axolotl/scripts/uv-entrypoint.sh"  # the image's own; sets up CUDA's libraries

OTHER_FORMATS = ["--exclude", "original/*", "--exclude", "*.pth", "--exclude", "*.gguf"]
HUB_NAME = r"[\w-][\w.-]*(/[\w-][\w.-]*)?"  # what came along begins with ./
GET_ROWS = "import json, sys, datasets; datasets.load_dataset(**json.loads(sys.argv[1]))"
ROWS_KEYS = ("path", "split", "data_files", "revision")  # as axolotl gives them to load_dataset
FULL = b"No space left on device"
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}

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
    image=axolotl_image,
    volumes=volumes,
    secrets=secrets,
    timeout=6 * HOUR,
    cpu=2,
    memory=4096,
    retries=2,
)
def prepare() -> dict[str, Any]:
    """Download the base model and the rows where no GPU is paid for, then have it trained."""
    import yaml

    config = yaml.safe_load((FOLDER / "config.yml").read_text(encoding="utf-8"))
    status, feed = Status("prepare"), Feed()
    for what, command in _downloads(config):
        feed.phase(f"downloading {what}; no GPU is paid for meanwhile")
        with status.kept_meanwhile():
            code = _printed(_start(command), feed.line)
        _commit(cache)
        if code:  # nothing of that name, or not allowed: another try would end the same way
            return status.ended(code, f"{what} could not be downloaded")
    status.keep()
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
    status = Status("train")
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
    for left in (events, STOP_FILE, *_sums_beyond(checkpoint)):  # of an earlier try
        left.unlink(missing_ok=True)
    process = _start(command, FTUI_EVENTS=str(events))
    watch = Watch(process, feed, events, status, min(seconds_left, TRY_HOURS * HOUR))
    return _outcome(watch.to_the_end(), watch, status)


def _outcome(code: int, watch: Watch, status: Status) -> dict[str, Any]:
    """What a try that ended means. Raises RuntimeError where another one helps."""
    over = status.seconds >= MAX_HOURS * HOUR
    if code == 0 and watch.out_of_time and not over and not watch.asked_to_stop:
        _commit()
        return {"call": _next_try().object_id}
    if code == 0:
        try:
            _sum_up(with_checkpoint=watch.asked_to_stop or watch.out_of_time)
        except OSError as error:
            return status.ended(1, f"the results could not be summed up: {error}")
        return status.ended(0, LIMIT if watch.out_of_time else "")
    if watch.asked_to_stop or over:
        return status.ended(code, LIMIT if over else "it was stopped before it could save")
    if code > 0 and not watch.began:  # another try would end the same way, and cost as much
        return status.ended(code, "axolotl refused it before training began; it is not tried again")
    if watch.full:
        return status.ended(code, "the volume ftui-runs is full; it is not tried again")
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
        self.full = False

    def line(self, data: bytes) -> None:
        """Append a line."""
        self.full = self.full or FULL in data
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

    def phase(self, words: str) -> None:
        """Tell where the run stands: in its log, and as an event."""
        self.note(words)
        self.event("phase", words=words)

    def event(self, kind: str, **values: Any) -> None:
        """Append an event."""
        told = {"v": 1, "ts": round(time.time(), 3), "event": kind, "values": values}
        self.line(MARK + json.dumps(told).encode())


class Status:
    """status.json: the call, how many tries there were, how long they took, how the run ended.

    `seconds` are those of `train`, `prepare_seconds` those of `prepare`.
    """

    def __init__(self, function: str) -> None:
        self._file = FOLDER / "status.json"
        self._clock = "seconds" if function == "train" else "prepare_seconds"
        self._state: dict[str, Any] = {"tries": 0, "seconds": 0.0, "prepare_seconds": 0.0}
        with contextlib.suppress(OSError, ValueError):
            self._state |= json.loads(self._file.read_text(encoding="utf-8"))
        self._state["tries"] += function == "train"
        self._state |= {"function": function, "call": modal.current_function_call_id()}
        self.tries: int = self._state["tries"]
        self._earlier: float = self._state[self._clock]
        self._began = time.monotonic()

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
        self._state[self._clock] = round(self.seconds, 1)
        draft = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(self._state), encoding="utf-8")
            draft.replace(self._file)
        _commit()

    @contextlib.contextmanager
    def kept_meanwhile(self) -> Iterator[None]:
        """Keep it again and again, for as long as this lasts."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(COMMIT_SECONDS):
                self.keep()

        keeper = threading.Thread(target=keep, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()

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
        self._taken = self._saves = self._saves_summed = 0
        self._summing: threading.Thread | None = None
        self.began = self.asked_to_stop = self.out_of_time = False

    @property
    def full(self) -> bool:
        """Whether it ran out of room."""
        return self._feed.full

    def to_the_end(self) -> int:
        """Wait for the trainer; its exit code. Raises KeyboardInterrupt when Modal takes the
        machine away, once a checkpoint is kept or the time for it is over.
        """
        reader = threading.Thread(
            target=_printed, args=(self._process, self._feed.line), daemon=True
        )
        reader.start()
        try:
            self._attend()
        except KeyboardInterrupt:
            self._save_in_time()
            raise
        finally:
            _end(self._process)
        reader.join(LAST_WORDS_SECONDS)
        self._take_events()
        if self._process.returncode:  # what it goes on from may be all that is left of it
            self._sum_checkpoints()
            if self._summing is not None:
                self._summing.join(LAST_WORDS_SECONDS)
        self._status.keep()
        return self._process.returncode

    def _attend(self) -> None:
        committed = 0.0
        while self._process.poll() is None:
            self._take_events()
            if time.monotonic() - committed >= COMMIT_SECONDS:
                self._sum_checkpoints()
                self._status.keep()
                self._look()
                committed = time.monotonic()
            time.sleep(TICK_SECONDS)

    def _save_in_time(self) -> None:
        """Have a checkpoint saved and kept before the machine is gone."""
        self._feed.phase("Modal takes this machine away (preemption); it goes on on another one")
        before, end = self._saves, time.monotonic() + TAKEN_AWAY_SECONDS
        if self.began:
            with contextlib.suppress(OSError):
                STOP_FILE.touch()
        while self.began and self._saves == before and time.monotonic() < end:
            time.sleep(TICK_SECONDS)
            self._take_events()
        self._status.keep()

    def _sum_checkpoints(self) -> None:
        """Sum up new checkpoints beside the training, so that they can be verified elsewhere."""
        at_it = self._summing is not None and self._summing.is_alive()
        if self._saves > self._saves_summed and not at_it:
            self._saves_summed = self._saves
            self._summing = threading.Thread(target=_sum_up_checkpoints, daemon=True)
            self._summing.start()

    def _look(self) -> None:
        """Whether somebody asked for a stop, or the time is up."""
        with contextlib.suppress(modal.exception.Error):  # else at the next look
            stops.reload()
        self.asked_to_stop = self.asked_to_stop or (Path(STOPS) / RUN).exists()
        if not self.out_of_time and time.monotonic() >= self._end:
            self.out_of_time = True
            self._feed.phase("the time is up: it saves a checkpoint and ends")
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
                self._saves += b'"save"' in line
                self._feed.line(MARK + line)


def _commit(volume: modal.Volume = runs) -> None:
    """Have what is on the volume kept now; Modal does so by itself too, a little later."""
    try:
        volume.commit()
    except modal.exception.Error as error:
        print(f"the volume could not be committed, this tries again: {error}", flush=True)  # noqa: T201


def _start(command: list[str], stdout: int | None = subprocess.PIPE, **more: str) -> Any:
    """Start a command in the run's folder, in a group of its own."""
    known = os.environ | {"PYTHONPATH": str(FOLDER)} | ({} if GPUS else NO_GPU) | more
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


def _printed(process: subprocess.Popen[bytes], keep: Callable[[bytes], None]) -> int:
    """Keep each line that a command prints, to its end; its exit code."""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        keep(line)
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
    feed.event("launched", again=True, from_step=step)
    feed.phase(f"try {status.tries}, in another container: {begins}")


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
    found = []
    for path in sorted((FOLDER / "out").rglob("*")):
        inside = path.relative_to(FOLDER / "out").parts[0]
        if path.is_file() and (not inside.startswith("checkpoint-") or inside == newest):
            found.append(path)
    (FOLDER / "results.json").write_text(json.dumps(_sums(found)), encoding="utf-8")


def _sum_up_checkpoints() -> None:
    """The same of each checkpoint, in sums/checkpoint-120.json."""
    for _, name in sorted(_checkpoints(), reverse=True):
        file = FOLDER / "sums" / f"{name}.json"
        if file.exists():
            continue
        with contextlib.suppress(OSError):  # it was deleted meanwhile, or there is no room
            files = [path for path in (FOLDER / "out" / name).rglob("*") if path.is_file()]
            text = json.dumps(_sums(files))
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")


def _sums_beyond(checkpoint: str) -> list[Path]:
    """Those of checkpoints that will be written once more."""
    step = int(checkpoint.rpartition("-")[2]) if checkpoint else 0
    files = (FOLDER / "sums").glob("checkpoint-*.json")
    return [file for file in files if int(file.stem.rpartition("-")[2]) > step]


def _sums(files: list[Path]) -> dict[str, Any]:
    found = {}
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[str(path.relative_to(FOLDER))] = {"sha256": digest, "size": path.stat().st_size}
    return found


def _downloads(config: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """What is to come from the Hugging Face hub, in words, and the command that gets it."""
    model = str(config["base_model"])
    if re.fullmatch(HUB_NAME, model):
        revision = config.get("revision_of_model")
        wanted = ["hf", "download", model, *(["--revision", str(revision)] if revision else [])]
        yield f"the base model {model}", [*wanted, *OTHER_FORMATS]
    entries = [*(config.get("datasets") or []), *(config.get("test_datasets") or [])]
    for entry in entries if not config.get("streaming") else []:
        path = str(entry.get("path"))
        if re.fullmatch(HUB_NAME, path) and "/" in path:
            names = entry.get("name")
            for name in names if isinstance(names, list) else [names]:
                given = {key: entry.get(key) for key in ROWS_KEYS} | {"name": name}
                yield f"the rows {path}", ["python", "-c", GET_ROWS, json.dumps(given)]


def _next_try() -> Any:
    """Spawn `train` with this container's secrets, those that were sent for this run alone too.

    Raises RuntimeError: an error of Modal's own, coming from a container, would look like one of
    asking for how it ended.
    """
    names = [name for name in os.environ.get("FTUI_SENT", "").split(",") if name]
    function = train
    if names:
        sent: dict[str, str | None] = {name: os.environ[name] for name in (*names, "FTUI_SENT")}
        function = train.with_options(secrets=[*secrets, modal.Secret.from_dict(sent)])
    try:
        return function.spawn()
    except modal.exception.Error as error:
        raise RuntimeError(f"the next try could not be spawned: {error}") from error


# An endpoint of its own app, so that it has nothing to do with a training at work. It costs nothing
# while nobody asks. Its key is the VLLM_API_KEY of the shell that deploys it, which is sent as a
# secret of this deployment alone. SERVE_HOURS, if that shell has it, says when it ends for good
# (building the image counts), and SERVE_FROM in which folder of the run it finds its own copy of
# config.yml and out; else it takes those of the training.
serve_app = modal.App(f"{APP}-serve")
GATE = '''"""vLLM asks for its key where a path begins with /v1; else only /health is open."""


class Gate:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan" or scope["path"].startswith(("/v1/", "/health")):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
'''


vllm_image = (
    modal.Image.from_registry(
        VLLM_IMAGE,
        setup_dockerfile_commands=[  # Modal looks for these two by these names
            'RUN command -v python || ln -s "$(command -v python3)" /usr/local/bin/python',
            "RUN python -m pip --version || uv pip install --system pip",
        ],
    )
    .entrypoint([])
    .env({**environment, "VLLM_CACHE_ROOT": f"{CACHE}/vllm", "VLLM_NO_USAGE_STATS": "1"})
)


def _of_this_shell() -> dict[str, str | None]:
    """What an endpoint knows of its deployment; its container has it in its environment."""
    names = ("VLLM_API_KEY", "HF_TOKEN", "SERVE_UNTIL", "SERVE_FROM")
    known = {name: os.environ.get(name) or None for name in names}
    if hours := os.environ.get("SERVE_HOURS"):
        known["SERVE_UNTIL"] = str(time.time() + float(hours) * HOUR)
    return known


serve_secrets = [*secrets, modal.Secret.from_dict(_of_this_shell())]


@serve_app.function(
    image=vllm_image,
    volumes=volumes,
    secrets=serve_secrets,
    timeout=6 * HOUR,
    cpu=2,
    memory=4096,
    retries=2,
)
def fetch() -> dict[str, Any]:
    """Download the base model where no GPU is paid for: `serve` finds it in the cache then."""
    for what, command in _downloads({"base_model": _base_model()}):
        said: deque[bytes] = deque(maxlen=1)
        code = _printed(_start(command), said.append)
        _commit(cache)
        if code:
            last = b"".join(said).decode(errors="replace").strip()
            return {"code": code, "why": f"{what} could not be downloaded: {last}"}
    return {"code": 0, "why": ""}


@serve_app.function(
    image=vllm_image,
    volumes=volumes,
    secrets=serve_secrets,
    gpu=SERVE_GPU or None,
    cpu=CORES * SERVE_GPUS,
    memory=MEMORY_GIB * 1024 * SERVE_GPUS,
    scaledown_window=IDLE_SECONDS,
    timeout=HOUR,
    startup_timeout=START_SECONDS,
    max_containers=1,
)
@modal.concurrent(max_inputs=32)
@modal.web_server(PORT, startup_timeout=START_SECONDS)
def serve() -> None:
    """vLLM with the base model as `base` and the adapter as `tuned`; returns once it listens.

    Raises RuntimeError where there is no key, where vLLM ends, and once the time is up.
    """
    try:
        _begin()
    except Exception as error:
        print(f"{NO_START} {error}", flush=True)  # noqa: T201
        raise


def _begin() -> None:
    until = float(os.environ.get("SERVE_UNTIL") or "inf")
    if not os.environ.get("VLLM_API_KEY"):
        raise RuntimeError("it has no key; export VLLM_API_KEY, and deploy it again")
    if time.time() >= until:
        _take_away()
        raise RuntimeError("its time is up")
    gate = Path(tempfile.mkdtemp())
    (gate / "ftui_gate.py").write_text(GATE, encoding="utf-8")
    process = _start(serve_command(), stdout=None, PYTHONPATH=str(gate))
    while not _listens():
        if time.time() >= until:
            _end(process)
            _take_away()
            raise RuntimeError("its time is up")
        if process.poll() is not None:
            raise RuntimeError(f"vLLM ended with exit code {process.returncode}")
        time.sleep(TICK_SECONDS)
    threading.Thread(target=_end_in_time, args=(process, until), daemon=True).start()


def _end_in_time(process: subprocess.Popen[bytes], until: float) -> None:
    """End vLLM when the time is up, and the endpoint with it; a container without vLLM ends too."""
    while process.poll() is None and time.time() < until:
        time.sleep(TICK_SECONDS)
    if time.time() >= until:
        _end(process)
        _take_away()
    else:
        print(f"vLLM ended with exit code {process.returncode}; so does this", flush=True)  # noqa: T201
        modal.experimental.stop_fetching_inputs()


def _take_away() -> None:
    """Stop the endpoint's app: nothing of it can be asked any more, so nothing of it can cost."""
    print("the time is up: the endpoint ends", flush=True)  # noqa: T201
    with contextlib.suppress(modal.exception.Error):
        serve_app.stop()
    modal.experimental.stop_fetching_inputs()


def _listens() -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), timeout=1):
        return True
    return False


def serve_command() -> list[str]:
    """The command of vLLM; a model that was trained whole takes the place of its base."""
    out = SERVED / "out"
    given = ["--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104 - Modal stands before it
    given += ["--max-model-len", "auto", "--middleware", "ftui_gate.Gate"]
    given += ["--disable-uvicorn-access-log"]
    given += ["--tensor-parallel-size", str(SERVE_GPUS)] if SERVE_GPUS > 1 else []
    if not (out / "adapter_config.json").exists():
        return ["vllm", "serve", str(out), "--served-model-name", "tuned", *given]
    told = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    highest = max(int(told["r"]), *map(int, (told.get("rank_pattern") or {}).values()), 0)
    rank = next(rank for rank in (8, 16, 32, 64, 128, 256, 320, 512) if rank >= highest)
    given += ["--enable-lora", "--max-lora-rank", str(rank), "--lora-modules", f"tuned={out}"]
    template = out / "chat_template.jinja"  # that of the training, not of the base model
    given += ["--chat-template", str(template)] if template.exists() else []
    return ["vllm", "serve", _base_model(), "--served-model-name", "base", *given]


def _base_model() -> str:
    """The base model as the config names it: a folder that came along, or of the hub."""
    import yaml

    config = yaml.safe_load((SERVED / "config.yml").read_text(encoding="utf-8"))
    base = str(config["base_model"])
    return str(SERVED / base) if base.startswith("./") else base
