"""What travels to the machine that serves: the adapter or the whole model, and a base model that
is a folder of this disk.

A few MiB go with the configuration, like the inputs of a training, so that `dstack apply` alone
serves them. What is larger is sent into the container over ssh once it runs.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftui.runs.model import Run
from ftui.targets.dstack import parcel
from ftui.targets.remote.inputs import free_name
from ftui.targets.vllm.command import ADAPTER_CONFIG, ServedModels, models_of

FOLDER = "serving"
"""Where it is, seen from the run folder and from the container's working directory."""
_BASE, _TUNED = f"{FOLDER}/base", f"{FOLDER}/tuned"
_OLD_WEIGHTS = ".bin"
_OF_A_MODEL = (".safetensors", _OLD_WEIGHTS, ".json", ".jinja", ".model", ".txt", ".tiktoken")
_ADAPTER = (ADAPTER_CONFIG, "adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True)
class Cargo:
    """The models as the container has them, and how they come there."""

    models: ServedModels
    files: tuple[str, ...] = ()
    """What goes with the configuration, seen from the run folder; it has the same name there."""
    joined: tuple[str, ...] = ()
    """Files that the container puts together from their parts."""
    sent: tuple[tuple[Path, str], ...] = ()
    """What is sent over ssh: where it is here, and there."""
    offline: bool = False
    """Whether nothing has to be fetched from the hub."""


def load(run: Run) -> Cargo:
    """Find what a run serves, and lay out in the run folder what goes with the configuration.

    Raises RunFailed when there is nothing to serve, OSError.
    """
    models = models_of(run)
    wanted = list(_wanted(models))
    shutil.rmtree(run.folder / FOLDER, ignore_errors=True)
    there = Cargo(_as_there(models), offline=models.local)
    if sum(here.stat().st_size for here, _ in wanted) > parcel.TOTAL_BYTES:
        return dataclasses.replace(there, sent=tuple(wanted))
    files, joined = [], []
    for here, name in wanted:
        copy = run.folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(here, copy)
        parcel.split(copy)
        if copy.stat().st_size <= parcel.PART_BYTES:
            files.append(name)
        else:
            joined.append(name)
            files += [part.relative_to(run.folder).as_posix() for part in parcel.parts(copy)]
    return dataclasses.replace(there, files=tuple(files), joined=tuple(joined))


def _wanted(models: ServedModels) -> Iterator[tuple[Path, str]]:
    """Each file that vLLM needs: where it is here, and there."""
    if models.local:
        target = _TUNED if models.alone else _BASE
        taken: list[str] = []
        for file in _model_files(Path(models.model)):
            taken.append(free_name(file, taken))
            yield file, f"{target}/{taken[-1]}"
    if models.adapter is not None:
        found = (models.adapter / name for name in _ADAPTER)
        yield from ((file, f"{_TUNED}/{file.name}") for file in found if file.is_file())
    if models.chat_template is not None:
        yield models.chat_template, f"{_TUNED}/{models.chat_template.name}"


def _model_files(folder: Path) -> list[Path]:
    """The files of a model, without checkpoints and what only a training needs."""
    found = [file for file in sorted(folder.iterdir()) if file.suffix in _OF_A_MODEL]
    if any(file.suffix == ".safetensors" for file in found):
        found = [file for file in found if file.suffix != _OLD_WEIGHTS]
    return [file for file in found if file.is_file()]


def _as_there(models: ServedModels) -> ServedModels:
    """The same models by the paths that they have in the container."""
    template = models.chat_template
    own = _TUNED if models.alone else _BASE
    return dataclasses.replace(
        models,
        model=f"./{own}" if models.local else models.model,
        adapter=Path(_TUNED) if models.adapter else None,
        chat_template=Path(_TUNED, template.name) if template else None,
    )
