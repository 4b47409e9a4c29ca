"""serve.dstack.yml and serve.sh: how dstack serves a run's model, of use without ftui.

It is a service, not a task with a forwarded port: dstack's own server (or the gateway, where the
project has one) lets requests through to it and asks each for the person's dstack token, so there
is no key of its own to keep, and nothing that has to stay connected meanwhile. dstack passes a
request on as it came, so the token reaches the container: what runs there is to be trusted with it.
vLLM listens on the container's loopback alone; dstack comes there over ssh.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from ftui.plan.plan import Needs
from ftui.targets.dstack.document import gpu_request, project_words, run_name
from ftui.targets.dstack.options import Options
from ftui.targets.dstack.serve.cargo import FOLDER, Cargo
from ftui.targets.vllm import command

DOCUMENT = "serve.dstack.yml"
JOB = "serve.sh"
ARRIVED = f"{FOLDER}/arrived"
"""A file that the job waits for: what is sent over ssh is there."""
IMAGE = "vllm/vllm-openai:latest"
PORT = 8000
_LEAST_DISK_GB, _IMAGE_DISK_GB = 100, 60
_HUB = "hf_token"
"""What the project's secret with a token of the model hub is called."""
HUB_SECRET = {"HF_TOKEN": _HUB}
"""By environment variable, the secret that may be needed where the hub is asked."""


@dataclass(frozen=True)
class Wish:
    """Everything that the document is made of."""

    name: str
    """As dstack takes it; see service_name."""
    title: str
    needs: Needs
    options: Options
    hours: float
    cargo: Cargo
    secrets: frozenset[str] = frozenset()
    """The names of secrets that the project has."""

    @property
    def has_token(self) -> bool:
        """Whether vLLM gets a token of the hub."""
        return not self.cargo.offline and _HUB in self.secrets


def service_name(run: str) -> str:
    """What a run's service is called on dstack: always the same."""
    return run_name(f"serve-{run}")


def document(wish: Wish) -> str:
    """The text of serve.dstack.yml."""
    return "\n".join(_lines(wish)) + "\n"


def job(wish: Wish) -> str:
    """The text of serve.sh, which the container runs."""
    return "\n".join(_job(wish)) + "\n"


def _lines(wish: Wish) -> Iterator[str]:
    yield f"# {' '.join(wish.title.split())}"
    yield from _about(wish)
    yield "type: service"
    yield f"name: {wish.name}"
    yield f"image: {IMAGE}"
    yield "user: root"
    yield "shell: bash"
    yield f"working_dir: {_folder(wish)}"
    if wish.has_token:
        yield "env:"
        yield f"  - HF_TOKEN=${{{{ secrets.{_HUB} }}}}"
    yield "files:"
    yield from (f"  - {name}:{name}" for name in (JOB, *wish.cargo.files))
    yield "commands:"
    yield f"  - sh {JOB}"
    yield f"port: {PORT}"
    yield "auth: true  # only whoever has a token of the project may ask"
    yield "resources:"
    yield "  cpu: x86:2.."
    yield f"  gpu: {gpu_request(wish.needs.gpus, wish.needs.gpu_memory_gib)}"
    yield f"  disk: {_disk_gb(wish.needs)}GB.."
    if wish.needs.gpus > 1:
        yield "  shm_size: 16GB  # GPUs exchange data through it"
    yield f"spot_policy: {wish.options.spot_policy}"
    yield f"max_price: {wish.options.price_cap(wish.needs.gpus):g}  # $/h"
    yield f"max_duration: {_minutes(wish)}m  # then it ends, whoever still talks to it"
    yield f"idle_duration: {wish.options.idle_duration}  # then an unused machine is given back"


def _about(wish: Wish) -> Iterator[str]:
    """What a person does with it."""
    names = "tuned" if wish.cargo.models.alone else "base and tuned"
    yield "# Serves this run with vLLM on dstack. ftui submits exactly this; without ftui, here:"
    yield from project_words(wish.options)
    yield f"#   dstack apply -f {DOCUMENT}"
    yield f"# Then {names} answer at SERVER/proxy/services/PROJECT/{wish.name}/v1"
    yield "# (or at the gateway's address) to your dstack token. It costs until max_duration, or"
    yield f"# until you end it: dstack stop {wish.name}"
    if wish.cargo.sent:
        there = f"{wish.name}:{_folder(wish)}"
        yield "# The model is too large to travel with this: once it runs (dstack attach), send it."
        yield from (f"#   scp {_shown(name)} {there}/{name}" for _, name in wish.cargo.sent)
        yield f"#   ssh {wish.name} touch {_folder(wish)}/{ARRIVED}"


def _shown(name: str) -> str:
    """A file of the result or the base model, as a person finds it."""
    folder, _, file = name.rpartition("/")
    return f"out/{file}" if folder.endswith("tuned") else f"BASE_MODEL/{file}"


def _job(wish: Wish) -> Iterator[str]:
    cargo = wish.cargo
    yield "#!/bin/sh"
    yield f"# What the container runs. See {DOCUMENT}."
    yield 'cd -- "$(dirname -- "$0")" || exit 1'
    yield from (f"cat {name}.part* >{name}" for name in cargo.joined)
    if cargo.sent:
        folders = sorted({name.rpartition("/")[0] for _, name in cargo.sent})
        yield f"mkdir -p {' '.join(folders)}  # the model is sent there over ssh"
        yield f"until [ -e {ARRIVED} ]; do sleep 1; done"
    for name, value in command.environment(offline=cargo.offline).items():
        yield f"export {name}={value}"
    told = command.arguments(cargo.models, PORT, max(wish.needs.gpus, 1))
    yield f"exec vllm {shlex.join(told)}"


def _folder(wish: Wish) -> str:
    return f"/workspace/{wish.name}"


def _disk_gb(needs: Needs) -> int:
    """Room for the image, and a model as large as the GPUs' memory."""
    model = round(needs.gpus * needs.gpu_memory_gib)
    return max(_LEAST_DISK_GB, model + _IMAGE_DISK_GB)


def _minutes(wish: Wish) -> int:
    return max(1, math.ceil(wish.hours * 60))
