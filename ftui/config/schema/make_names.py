"""Write the names that axolotl takes but does not check. Runs in a train runtime:

    AXOLOTL_DO_NOT_TRACK=1 .../train/bin/python ftui/config/schema/make_names.py > names-X.json

They stand where axolotl or transformers looks them up once the run has begun: optimizers,
schedulers, attention implementations, strategies, and the `type` of a dataset for each kind of
training. Prompt strategies are functions in axolotl's own modules, so the modules are looked at.
Plugins are read out of the source, for some need packages that are not there.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

from axolotl import integrations, prompt_strategies
from axolotl.prompters import PromptStyle
from axolotl.utils.data.wrappers import DATASET_HANDLERS
from axolotl.utils.schemas import enums
from transformers.trainer_utils import HubStrategy, IntervalStrategy, SaveStrategy, SchedulerType
from transformers.training_args import OptimizerNames

_ROOT = "axolotl.prompt_strategies"
_HANDLED_ELSEWHERE = ("bradley_terry", "dpo", "ebft", "kto", "orpo", "stepwise_supervised")
"""Strategies that are not for supervised fine-tuning, though they lie in the same folder."""
_NO_STRATEGIES = ("base", "user_defined", "jinja_template_analyzer")
_PREFERENCE_HELPERS = ("load",)
_OWN_SCHEDULERS = ("one_cycle", "rex")
"""What `_configure_scheduler` in axolotl's core/builders/base.py takes beside transformers' own."""


def _values(names: type[Enum]) -> list[str]:
    return sorted(str(member.value) for member in names)


def _modules(package: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    for entry in pkgutil.iter_modules(package.__path__):
        try:
            yield entry.name, importlib.import_module(f"{package.__name__}.{entry.name}")
        except ImportError as error:
            sys.stderr.write(f"{package.__name__}.{entry.name} left out: {error}\n")


def _loaders(package: ModuleType, leave_out: Iterable[str] = ()) -> Iterator[str]:
    """`module` for each module with a `load`, `module.load_x` for each further loader."""
    for name, module in _modules(package):
        if name in leave_out:
            continue
        for function in sorted(vars(module)):
            if function == "load":
                yield name
            elif function.startswith("load_") and callable(getattr(module, function)):
                yield f"{name}.{function}"


def _transforms(kind: str) -> Iterator[str]:
    """`module.function` for each preference strategy, and `module` where `default` is meant."""
    package = importlib.import_module(f"{_ROOT}.{kind}")
    for name, module in _modules(package):
        for function, value in sorted(vars(module).items()):
            of_the_module = getattr(value, "__module__", "") == module.__name__
            public = not function.startswith("_") and function not in _PREFERENCE_HELPERS
            if not (callable(value) and of_the_module and public) or isinstance(value, type):
                continue
            yield f"{name}.{function}"
            if function == "default":
                yield name


def _styled() -> Iterator[str]:
    for name in DATASET_HANDLERS:
        yield name
        yield from (f"{name}:{style}" for style in _values(PromptStyle))


def _compared(module: str, name: str) -> list[str]:
    """The texts that a trainer's code compares `name` with: the losses that it has."""
    source = inspect.getsource(importlib.import_module(module))
    one = re.findall(rf'{name} == "(\w+)"', source)
    several = re.findall(rf"{name} in \[([^\]]*)\]", source)
    return sorted({*one, *(word for words in several for word in re.findall(r'"(\w+)"', words))})


def _dataset_types() -> dict[str, list[str]]:
    rewards = importlib.import_module(f"{_ROOT}.bradley_terry")
    out = (*_HANDLED_ELSEWHERE, *_NO_STRATEGIES)
    return {
        "sft": sorted({*_loaders(prompt_strategies, out), *_styled()}),
        "reward": sorted(f"bradley_terry.{name}" for name in _loaders(rewards)),
        "process_reward": ["stepwise_supervised"],
        **{kind: sorted(_transforms(kind)) for kind in ("dpo", "kto", "orpo", "ebft")},
    }


def _plugins() -> Iterator[str]:
    """`module.Class` for each plugin, in its own module and where its package passes it on."""
    folder = Path(integrations.__path__[0])  # axolotl extends it by others that are installed
    for path in folder.rglob("*.py"):
        module = path.relative_to(folder).with_suffix("").parts
        for name in re.findall(r"(?m)^class (\w+)\(BasePlugin\)", path.read_text("utf-8")):
            package = (folder / module[0] / "__init__.py").read_text("utf-8")
            inside = module[:-1] if module[-1] == "__init__" else module
            yield ".".join((integrations.__name__, *inside, name))
            if re.search(rf"\b{name}\b", package):
                yield f"{integrations.__name__}.{module[0]}.{name}"


def main() -> None:
    """Print the names: one a line, so that a new version reads well as a diff."""
    names: dict[str, Any] = {
        "optimizers": sorted({*_values(OptimizerNames), *_values(enums.CustomSupportedOptimizers)}),
        "schedulers": sorted({*_values(SchedulerType), *_OWN_SCHEDULERS}),
        "packing_attention": sorted({*enums.ATTN_IMPLS_SUPPORTING_PACKING, "sdpa", "eager"}),
        "save_strategies": _values(SaveStrategy),
        "interval_strategies": _values(IntervalStrategy),
        "hub_strategies": _values(HubStrategy),
        "chat_templates": _values(enums.ChatTemplate),
        "dpo_losses": _compared("trl.trainer.dpo_trainer", "loss_type"),
        "grpo_losses": _compared("trl.trainer.grpo_trainer", "self.loss_type"),
        "plugins": sorted({*_plugins()}),
        "dataset_types": _dataset_types(),
    }
    sys.stdout.write(json.dumps(names, indent=0, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
