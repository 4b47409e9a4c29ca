"""The real programs that a job finds in its container, with what a machine without a GPU needs."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.standins.dstack_host.lab import Lab

_FREE_PORT = """\
port=$({here} -c 'import socket; s = socket.create_server(("", 0)); print(s.getsockname()[1])')
mkdir -p "$HOME/../ports" && echo "$port" >"$HOME/../ports/{port}"
for word in "$@"; do
  shift
  if [ "$word" = {port} ]; then word=$port; fi
  set -- "$@" "$word"
done
"""
"""All containers share this machine's loopback (Job.port)."""
_VLLM = """\
exec {there} -m vllm.entrypoints.cli.main "$@" \\
  --enforce-eager --kv-cache-memory-bytes 512M --max-loras 2"""

_ON_CPU = """\
from accelerate import PartialState
from axolotl.integrations.base import BasePlugin

PartialState(cpu=True)


class OnCpu(BasePlugin):
    def load_datasets(self, cfg, preprocess=False):
        cfg.device_map = {"": "cpu"}
"""
"""A plugin of axolotl's. Where several processes train, axolotl puts each on a GPU in any case."""
_TOGETHER = """\
sed -i 's/^  - ftui_events.FtuiEvents/&\\n  - on_cpu.OnCpu/' config.yml
export GLOO_SOCKET_IFNAME=lo ACCELERATE_USE_CPU=true
export PYTHONPATH="$PYTHONPATH:{library}" PATH="{programs}:$PATH"
"""

_SUDO = """\
disk=$(dirname "$HOME")
case $1 in
tee) exec sed "s|/dstack/|$disk/dstack/|";;  # the server has what this prints evaluated
mkdir) set -- mkdir -p "$2";;
esac
case $2$3 in *"$disk"/*) exec "$@";; esac
echo "not on the container's disk: $*"; exit 1"""
"""The server's own commands write below /dstack; the stand-in has its disk elsewhere."""
_UV = """\
echo "$*" >>"$(dirname "$HOME")/uv.log"
case "$1 $2" in
"venv -q")
  for folder; do :; done
  mkdir -p "$folder/bin"
  echo "export VIRTUAL_ENV=$folder PATH=$folder/bin:\\$PATH" >"$folder/bin/activate";;
"pip install")
  cd "$VIRTUAL_ENV/bin" || exit 2
  case "$*" in
  *torch==*) touch torch;;
  *axolotl*) [ -e torch ] && ln -s {axolotl} axolotl;;
  esac;;
*) exit 1;;
esac"""


def play_vllm(lab: Lab, python: Path) -> None:
    """Let `vllm` be the real one of this Python, on a port that is free."""
    serve = _VLLM.format(there=python)
    lab.play(_FREE_PORT.format(here=sys.executable, port=8000) + serve, "vllm")


def play_axolotl(lab: Lab, python: Path, *, then: str = "", together: bool = False) -> None:
    """Let `axolotl` be the real one of this Python.

    `then`: shell commands that follow on it, before it ends. `together`: on several machines.
    """
    begin = ""
    if together:
        library = lab.folder / "library"
        library.mkdir(exist_ok=True)
        (library / "on_cpu.py").write_text(_ON_CPU)
        begin = _TOGETHER.format(library=library, programs=python.parent)
    axolotl = f'{python.with_name("axolotl")} "$@"\ncode=$?\n'
    lab.play(f"{begin}{axolotl}{then}\nexit $code")


def play_tensorboard(lab: Lab, python: Path) -> None:
    """Let `tensorboard` be the real one of this Python, on a port that is free."""
    board = f'exec {python.with_name("tensorboard")} "$@"'
    lab.play(_FREE_PORT.format(here=sys.executable, port=6006) + board, "tensorboard")


def play_uv(lab: Lab, python: Path) -> None:
    """Let `uv` be there, as in dstack's own image. It installs nothing; but once it is asked for
    axolotl, in an active environment that has torch, the real one is found in that. All that it
    is asked for is noted in `uv.log` of the container's disk."""
    (lab.commands / "axolotl").unlink(missing_ok=True)
    lab.play(_SUDO, "sudo")
    lab.play(_UV.format(axolotl=python.with_name("axolotl")), "uv")
