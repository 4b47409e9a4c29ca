"""A document and the files that it names, as the server takes them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.errors import ConfigError, RunNotFound
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.targets.dstack.api import Api, Json


def configuration(document: Path) -> dict[str, Any]:
    """A document as data: what is submitted is what was written. Raises ConfigError."""
    try:
        data: dict[str, Any] = dict(mapping(paths.read_config(document)).data)
    except YamlProblem as problem:
        raise ConfigError(problem.message, where=f"{document}:{problem.line}") from problem
    return data


def travelling(content: dict[str, Any], folder: Path) -> list[tuple[Path, str]]:
    """The files of a configuration, taken out of it: the server wants them as archives."""
    pairs = (str(one).rsplit(":", 1) for one in content.pop("files", ()))
    return [(folder / here, there) for here, there in pairs]


async def uploaded(api: Api, files: list[tuple[Path, str]]) -> list[Json]:
    """The files, handed in: `{"id", "path"}`. Raises RunNotFound, OSError, TargetUnavailable."""
    archives: list[Json] = []
    for path, there in files:
        if not path.is_file():
            raise RunNotFound(f"{path.name} is missing", where=str(path.parent))
        archives.append({"id": await api.upload(_archive(path)), "path": there})
    return archives


def _archive(file: Path) -> bytes:
    """A tar of one file, the same for the same content: the server knows it again."""
    data, packed = file.read_bytes(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo(file.name)
        info.size, info.mode = len(data), 0o755 if file.suffix == ".sh" else 0o644
        tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()
