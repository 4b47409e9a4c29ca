"""Runs inside the train runtime: what axolotl says of a config, and which of its keys it ignores.

Asked as ftui/runtimes/inside/axolotl_validator.py is; its answer has also "unknown": the paths of
the keys that no model of axolotl's knows.
"""

from __future__ import annotations

import importlib
import json
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "ftui" / "runtimes" / "inside"))
validator = importlib.import_module("axolotl_validator")  # before axolotl: it takes over stdout

import yaml  # noqa: E402
from axolotl.utils.schemas import datasets as dataset_schemas  # noqa: E402
from pydantic import BaseModel  # noqa: E402

Place = list[Any]
DATASETS = {"dpo": "DPODataset", "ipo": "DPODataset", "simpo": "DPODataset", "kto": "KTODataset"}
"""The model of a dataset by `rl`; any other is an SFTDataset."""


def unknown(config: dict[str, Any]) -> Iterator[Place]:
    """The keys of a config that axolotl ignores, as far as its plugins are loaded."""
    yield from unknown_in(config, [validator.model()], [], str(config.get("rl")))


def unknown_in(value: Any, kinds: list[Any], path: Place, method: str) -> Iterator[Place]:
    """The keys inside a value that none of the models it may become knows."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_in(item, kinds, [*path, index], method)
        return
    models: list[Any] = [
        kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)
    ]
    if path[:1] == ["datasets"] and len(path) == 2:
        models = [getattr(dataset_schemas, DATASETS.get(method, "SFTDataset"))]
    if not isinstance(value, dict) or not models:
        return
    fields = fields_of(models)
    free = any(model.model_config.get("extra") == "allow" for model in models)
    for key, item in value.items():
        name = str(key).removeprefix("fsdp_") if path == ["fsdp_config"] else key
        if key in fields or name in fields:
            found = fields.get(key) or fields.get(name) or []
            yield from unknown_in(item, found, [*path, key], method)
        elif not free:
            yield [*path, key]


def fields_of(models: list[Any]) -> dict[str, list[Any]]:
    """Every name that some model knows, with the types that its value may have."""
    fields: dict[str, list[Any]] = {}
    for model in models:
        for name, field in model.model_fields.items():
            for word in names_of(name, field):
                fields.setdefault(word, []).extend(parts(field.annotation))
    return fields


def names_of(name: str, field: Any) -> set[str]:
    """Every name that a field answers to."""
    choices = getattr(field.validation_alias, "choices", (field.validation_alias,))
    return {word for word in (name, field.alias, *choices) if isinstance(word, str)}


def parts(annotation: Any) -> list[Any]:
    """The types inside an annotation such as `list[A | B] | None`."""
    inner = typing.get_args(annotation)
    return [part for each in inner for part in parts(each)] if inner else [annotation]


def main() -> None:
    """Answer until nobody asks any more."""
    validator.say({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        config = request["config"]
        issues = validator.validate(config, request["capabilities"], request["ignore"])
        ignored = list(unknown(yaml.safe_load(config)))
        validator.say({"id": request["id"], "issues": issues, "unknown": ignored})


if __name__ == "__main__":
    main()
