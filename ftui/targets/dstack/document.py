"""train.dstack.yml: what runs on dstack, readable, and of use without ftui.

`dstack apply -f train.dstack.yml` in the run folder does the same. YAML as dstack 0.22.5 reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftui import demo
from ftui.paths import VOLUME
from ftui.plan.plan import Needs
from ftui.targets.dstack.login import VARIABLE
from ftui.targets.dstack.options import Options
from ftui.targets.dstack.parcel import Parcel
from ftui.targets.dstack.room import room
from ftui.text import duration

DOCUMENT = "train.dstack.yml"
JOB = "job.sh"
PLUGIN = "ftui_events.py"
CONFIG = "config.yml"

IMAGE = "axolotlai/axolotl:main-latest"
_INSTALL = (
    "uv pip install torch==2.12.1 torchvision psutil ninja",  # all that flash-attn's build imports
    'uv pip install --no-build-isolation "axolotl[flash-attn,deepspeed]==0.19.0"',
)
_PYTHON = "3.12"
TENSORBOARD_PORT = 6006
BEGAN = "FTUI_BEGAN"
"""The variable with the time at which a try began, where something comes before job.sh."""
_NAME_LENGTH = 41
_TAIL = re.compile(r"-\d{4}-[a-z]+(-\d+)?$")
"""Day and word of a run's name, which tell it from others of its preset."""
_SECRETS = {"HF_TOKEN": "hf_token", "WANDB_API_KEY": "wandb_api_key"}
"""Variables that a training may need, and what the project's secrets are called."""


@dataclass(frozen=True)
class Wish:
    """Everything that the document is made of."""

    name: str
    """As dstack takes it; see run_name."""
    title: str
    gpus: int
    needs: Needs
    options: Options
    parcel: Parcel
    secrets: frozenset[str] = frozenset()
    """The names of secrets that the project has; others are not asked for."""


def run_name(name: str) -> str:
    """A run's name as dstack takes it: `[a-z][a-z0-9-]{1,40}`. Its end tells runs apart."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not re.match(r"[a-z].", plain):
        plain = f"run-{plain}".rstrip("-")
    end = _TAIL.search(plain)
    tail = end[0] if end else ""
    return plain[: _NAME_LENGTH - len(tail)].removesuffix(tail).rstrip("-") + tail


def wanted_secrets(config: Mapping[str, Any]) -> dict[str, str]:
    """The secrets that a config may need: by environment variable, the secret's name."""
    wanted = {}
    if asks_hub(config):
        wanted["HF_TOKEN"] = _SECRETS["HF_TOKEN"]
    if config.get("wandb_project") and config.get("use_wandb") is not False:
        wanted["WANDB_API_KEY"] = _SECRETS["WANDB_API_KEY"]
    return wanted


def document(wish: Wish) -> str:
    """The text of train.dstack.yml."""
    return "\n".join(_lines(wish)) + "\n"


def project_words(options: Options) -> Iterator[str]:
    """How dstack's own commands are told of another project than the usual one."""
    if options.project:
        yield f"#   export {VARIABLE}={options.project}"


def _lines(wish: Wish) -> Iterator[str]:
    options, folder = wish.options, f"/workspace/{wish.name}"
    yield f"# {' '.join(wish.title.split())}"
    yield "# Trains this run on dstack. ftui submits this, and in FTUI_UNTIL (job.sh) the time at"
    yield "# which the last try ends; without ftui, in this folder:"
    yield from project_words(options)
    yield f"#   dstack apply -f {DOCUMENT}"
    yield f"# Its results wait for you, once it is `ready`. While `dstack attach {wish.name}` runs:"
    yield f"#   ssh {wish.name} tar cC {folder} out | tar x"
    yield f"#   ssh {wish.name} touch {folder}/fetched"
    yield "type: task"
    yield f"name: {wish.name}"
    if options.nodes > 1:
        yield f"nodes: {options.nodes}  # machines, in a fleet with `placement: cluster`"
    yield from _surroundings(options)
    yield f"working_dir: {folder}"
    yield from _environment(wish)
    yield "files:"
    for name in (CONFIG, PLUGIN, JOB, *wish.parcel.files):
        yield f"  - {name}:{name}"
    if options.volume:
        yield "volumes:"
        yield f"  - {options.volume}:{VOLUME}"
    yield "commands:"
    before = (f"export {BEGAN}=$(date +%s)", *_INSTALL) if options.install else ()
    for command in (*before, f"sh {JOB}"):
        yield f"  - {_text(command)}"
    if wish.parcel.config.get("use_tensorboard"):
        yield "ports:"
        yield f"  - {TENSORBOARD_PORT}  # {tensorboard_words(wish.name)}"
    yield from _resources(wish)
    yield from _limits(wish)


def tensorboard_words(name: str) -> str:
    """How a person comes to the TensorBoard of a run on dstack."""
    return f"TensorBoard: http://localhost:{TENSORBOARD_PORT} while `dstack attach {name}` runs"


def _surroundings(options: Options) -> Sequence[str]:
    if options.install:
        return f'python: "{_PYTHON}"  # dstack\'s own image, with uv', "nvcc: true"
    # With the user and the CPU's kind named, the server need not look the image up itself.
    return f"image: {IMAGE}", "user: root", "shell: bash"


def _environment(wish: Wish) -> Iterator[str]:
    wanted = wanted_secrets(wish.parcel.config)
    known = [(name, secret) for name, secret in wanted.items() if secret in wish.secrets]
    if known:
        yield "env:"
    for name, secret in known:
        yield f"  - {name}=${{{{ secrets.{secret} }}}}"


def _resources(wish: Wish) -> Iterator[str]:
    needed = room(wish.parcel.config, wish.gpus, wish.needs.gpu_memory_gib)
    yield "resources:"
    yield "  cpu: x86:2.."
    if needed.memory:
        yield f"  memory: {needed.memory}GB..  # the model passes through it"
    yield f"  gpu: {gpu_request(wish.gpus, wish.needs.gpu_memory_gib, wish.options.gpu)}"
    if wish.gpus:
        yield f"  disk: {needed.disk}GB.."
    if wish.gpus > 1:
        yield "  shm_size: 16GB  # GPUs exchange data through it"


def gpu_request(gpus: int, memory_gib: float, name: str = "") -> str:
    """GPUs as dstack asks for them: `nvidia:24GB..:2`, or `0..` for any or none.

    A name may come with a memory of its own: `A100:80GB`. Without the maker, dstack offers AMD's
    cards, too, for an image that it does not know.
    """
    if not gpus:
        return "0.."
    card, _, own = name.partition(":")
    memory = own.removesuffix("GB") or (f"{memory_gib:.0f}" if memory_gib else "")
    return ":".join(filter(None, ("nvidia", card, f"{memory}GB.." if memory else "", str(gpus))))


def _limits(wish: Wish) -> Iterator[str]:
    options = wish.options
    yield f"spot_policy: {options.spot_policy}"
    each = " of each machine" if options.nodes > 1 else ""
    yield f"max_price: {options.price_cap(wish.gpus):g}  # $/h{each}"
    early = duration(options.grace_seconds)
    yield f"max_duration: {options.max_duration}  # of a try; job.sh saves and ends {early} before"
    yield f"idle_duration: {options.idle_duration}  # then an unused machine is given back"
    yield "retry:"
    yield "  on_events: [no-capacity, interruption]"
    yield f"  duration: {options.retry_duration}"


def asks_hub(config: Mapping[str, Any]) -> bool:
    """Whether the base model or a dataset does not come along, or the result goes to the hub."""
    if config.get("hub_model_id"):
        return True
    entries = [*(config.get("datasets") or ()), *(config.get("test_datasets") or ())]
    paths = [entry.get("path") if isinstance(entry, dict) else entry for entry in entries]
    wanted = (config.get("base_model"), *paths)
    here = ("./", "/", demo.PREFIX)
    return not all(isinstance(one, str) and one.startswith(here) for one in wanted)


def _text(value: str) -> str:
    """A command as YAML takes it; plain where that is safe."""
    return value if re.fullmatch(r"[\w./= -]+", value) else json.dumps(value)
