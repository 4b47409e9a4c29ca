"""Plays a trainer: writes the plugin's events step by step, as the file `allowed` permits.

Runs in a run folder, started by its train.sh:
    scripted_trainer.py STEPS [MANNER] [--resume_from_checkpoint=out/checkpoint-N]
`allowed` holds the number of steps it may do, so that a test decides when what happens. Like the
real one it writes a checkpoint every second step, with trainer_state.json last; a file `stop` ends
it with a checkpoint and its weights; SIGINT saves the weights alone and ends it with 0.
Manners: fail, no-weights; memory is short after step 5, while config.yml says micro_batch_size: 4;
nan loses its numbers at step 3, while it says learning_rate: 0.0004; loading has no handler for
SIGINT yet; stubborn ignores every polite request and has a child that does the same; launcher lets
a child in a session of its own train, as torchrun does, and ends as that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import FrameType
from typing import Any

STUBBORN = (
    "import signal, time\n"
    "for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)\n"
    "time.sleep(600)"
)
OUT_OF_MEMORY = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
    "capacity of 7.60 GiB of which 1.20 GiB is free."
)
OUT = Path("out")
STEP_SECONDS = float(os.environ.get("SCRIPTED_STEP_SECONDS", "0"))
NO_CHECKPOINT = 3
KEPT = 2
"""Checkpoints; older ones are deleted."""


def main(steps: int, manner: str, checkpoint: str) -> int:
    if manner != "loading":
        signal.signal(signal.SIGINT, interrupted)
    if manner == "stubborn":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", STUBBORN])
    print(f"asked to train {steps} steps", flush=True)
    if manner == "loading":
        time.sleep(600)
    step = first_step(checkpoint)
    tell("train_begin", step, steps)
    while step < steps and wait_until_allowed(step + 1, heed=manner != "stubborn"):
        step += 1
        lost = manner == "nan" and step >= 3 and says("learning_rate: 0.0004")
        train(step, steps, lost=lost)
        if manner == "fail":
            raise RuntimeError("the loss is sad")
        if manner == "memory" and step == 5 and says("micro_batch_size: 4"):
            print(OUT_OF_MEMORY, flush=True)
            return 1
    if step < steps:
        save_checkpoint(step, steps)
    tell("train_end", step, steps)
    if manner != "no-weights":
        save()
        tell("saved", step, steps)
    return 0


def first_step(checkpoint: str) -> int:
    """Where it goes on; ends with NO_CHECKPOINT where that is not there."""
    if checkpoint and not Path(checkpoint).is_dir():
        print(f"ValueError: Can't find a valid checkpoint at {checkpoint}", flush=True)
        sys.exit(NO_CHECKPOINT)
    return int(checkpoint.rpartition("-")[2]) if checkpoint else 0


def says(setting: str) -> bool:
    return setting in Path("config.yml").read_text()


def train(step: int, steps: int, *, lost: bool) -> None:
    time.sleep(STEP_SECONDS)
    tell("step", step, steps)
    numbers = {"loss": 0.0, "grad_norm": "nan"} if lost else {"loss": 1 / step, "grad_norm": 0.5}
    tell("log", step, steps, learning_rate=0.001, **numbers)
    if step % 2 == 0:
        save_checkpoint(step, steps)


def wait_until_allowed(step: int, *, heed: bool) -> bool:
    """Whether to go on with this step; not when somebody asks to stop."""
    allowed = Path("allowed")
    while not allowed.exists() or int(allowed.read_text() or 0) < step:
        if heed and Path("stop").exists():
            return False
        time.sleep(0.002)
    return not (heed and Path("stop").exists())


def save_checkpoint(step: int, steps: int) -> None:
    folder = OUT / f"checkpoint-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder)
    with zipfile.ZipFile(folder / "optimizer.pt", "w") as optimizer:
        optimizer.writestr("data", bytes(1000))
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    tell("save", step, steps, path=str(folder))
    for old in sorted(OUT.glob("checkpoint-*"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old)


def save() -> None:
    OUT.mkdir(exist_ok=True)
    save_weights(OUT)


def save_weights(folder: Path) -> None:
    data = bytes(4000)
    tensor = {"dtype": "F32", "shape": [len(data) // 4], "data_offsets": [0, len(data)]}
    header = json.dumps({"weight": tensor}).encode()
    with (folder / "adapter_model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.flush()
        file.write(data)


def interrupted(number: int, frame: FrameType | None) -> None:
    save()
    sys.exit(0)


def tell(kind: str, step: int, steps: int, **values: Any) -> None:
    event = {"v": 1, "ts": time.time(), "event": kind, "step": step, "max_steps": steps}
    handle = os.open(os.environ["FTUI_EVENTS"], os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    size = os.fstat(handle).st_size
    torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    line = json.dumps({**event, "values": values}).encode() + b"\n"
    with Path("truth").open("a") as truth:  # of what is told, for tests of what is read
        truth.write(f"{kind}:{step} ")
        truth.flush()
        os.write(handle, b"\n" + line if torn else line)
    os.close(handle)


def launch(arguments: list[str]) -> int:
    """Like torchrun: a signal to the launcher's group reaches no worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = [sys.executable, __file__, *(each for each in arguments if each != "launcher")]
    return subprocess.Popen(command, start_new_session=True).wait()


if __name__ == "__main__":
    given = [each for each in sys.argv[1:] if not each.startswith("--")]
    flags = dict(each.removeprefix("--").split("=") for each in sys.argv[1:] if each not in given)
    if "launcher" in given:
        sys.exit(launch(sys.argv[1:]))
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(int(given[0]), "".join(given[1:]), flags.get("resume_from_checkpoint", "")))
    sys.exit(130)
