"""Which environment trains and which one serves, answered from files alone (no process starts).

In this order: FTUI_TRAIN_PYTHON / FTUI_SERVE_PYTHON, an environment named once with
`ftui setup KIND --python PATH`, the environment that `ftui setup KIND` made.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.errors import RuntimeMissing

MARKER = "ftui-runtime.json"
"""Written last into an environment: one without it is half-made and does not count."""


class Kind(StrEnum):
    """What a runtime is for."""

    TRAIN = "train"
    SERVE = "serve"

    @property
    def variable(self) -> str:
        """The environment variable that names an existing environment's Python."""
        return f"FTUI_{self.name}_PYTHON"

    @property
    def hint(self) -> str:
        """The command that makes this runtime."""
        return f"ftui setup {self.value}"


@dataclass(frozen=True)
class Runtime:
    """An environment that holds axolotl or vLLM, by its Python."""

    kind: Kind
    python: Path

    @property
    def bin(self) -> Path:
        """The folder of its commands; axolotl needs it on PATH to find accelerate."""
        return self.python.parent


def environment(kind: Kind) -> Path:
    """Where ftui's own environment of this kind is, or would be."""
    return paths.runtimes_dir() / kind.value


def choice_file(kind: Kind) -> Path:
    """Remembers the environment that a person named with --python."""
    return paths.runtimes_dir() / f"{kind.value}-python.json"


def find(kind: Kind) -> Runtime | None:
    """The runtime to use, or None when there is none yet.

    Raises RuntimeMissing when a named Python is not there: falling back to another environment
    in silence would train with versions that nobody chose.
    """
    named = os.environ.get(kind.variable, "")
    if named:
        hint = f"correct or unset {kind.variable}"
        return Runtime(kind, usable_python(Path(named), where=kind.variable, hint=hint))
    chosen = read_json(choice_file(kind)).get("python")
    if isinstance(chosen, str) and chosen:
        hint = f"name another one with `{kind.hint} --python PATH`, or `{kind.hint}` to make one"
        return Runtime(kind, usable_python(Path(chosen), where=f"{kind} runtime", hint=hint))
    own = environment(kind)
    python = own / "bin" / "python"
    if (own / MARKER).is_file() and os.access(python, os.X_OK):
        return Runtime(kind, python)
    return None


def require(kind: Kind) -> Runtime:
    """The runtime to use. Raises RuntimeMissing, with the command that makes it."""
    found = find(kind)
    if found is None:
        tool = "axolotl" if kind is Kind.TRAIN else "vLLM"
        raise RuntimeMissing(
            f"the {kind} runtime is not set up",
            why=f"it is the environment that holds {tool}",
            hint=kind.hint,
        )
    return found


def axolotl_version(runtime: Runtime) -> str | None:
    """The version of axolotl in a runtime, such as `0.19.0`; None when no file tells.

    Read from the name of the folder where pip and uv note what they installed:
    https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    libraries = runtime.bin.parent.glob("lib*/python3*/*-packages/axolotl-*.dist-info")
    versions = [
        folder.name.removeprefix("axolotl-").removesuffix(".dist-info") for folder in libraries
    ]
    return max(versions, key=_numbers, default=None)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def usable_python(python: Path, *, where: str, hint: str) -> Path:
    """`python` as an absolute path, links kept (they are what makes a venv a venv).

    A folder is taken as an environment. Raises RuntimeMissing when it cannot be run.
    """
    path = python.expanduser().absolute()
    if path.is_dir():
        path = path / "bin" / "python"
    if not path.exists():
        raise RuntimeMissing(f"there is no Python at {path}", where=where, hint=hint)
    if not os.access(path, os.X_OK):
        raise RuntimeMissing(f"{path} is not executable", where=where, hint=hint)
    return path


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty when the file is missing or holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
