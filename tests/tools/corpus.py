"""Configs to compare validators on: every one in a folder, and random changes to them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ftui.config import schema as schemas
from ftui.plan.hardware import Gpu
from ftui.plan.yaml_source import YamlProblem, read

_NUMBERS = {"integer": (0, 1, 2, 4, 8, 100), "number": (0.0, 0.1, 0.5, 1.0, 2.0)}
_WORDS = ("auto", "steps", "epoch", "no", "best", "sdpa", "flash_attention_2", "jinja", "some/name")
_PARALLEL = ("tensor_parallel_size", "context_parallel_size", "dp_shard_size", "dp_replicate_size")
_DEEPEST = 3


@dataclass(frozen=True)
class Case:
    """One config with the GPUs that it is to run on."""

    name: str
    text: str
    gpus: tuple[Gpu, ...]


def read_folder(folder: Path, capability: str) -> tuple[list[Case], list[str]]:
    """The axolotl configs in a folder, and the names of the YAML files that are none."""
    cases: list[Case] = []
    skipped: list[str] = []
    for path in sorted({*folder.rglob("*.yml"), *folder.rglob("*.yaml")}):
        text = path.read_text(encoding="utf-8")
        try:
            data = read(text).data
        except YamlProblem:
            data = None
        if is_config(data):
            cases.append(Case(str(path), text, gpus_for(data, capability)))
        else:
            skipped.append(str(path))
    return cases, skipped


def is_config(data: Any) -> bool:
    """Whether this can only be an axolotl config: it names a model, or most of its keys are its."""
    if not isinstance(data, dict) or not data:
        return False
    known = schemas.load()["properties"]
    return "base_model" in data or sum(key in known for key in data) > len(data) / 2


def gpus_for(config: Mapping[Any, Any], capability: str) -> tuple[Gpu, ...]:
    """As many GPUs as the config needs: one, or what its parallelism asks for."""
    count = 1
    for key in _PARALLEL:
        size = config.get(key)
        count *= size if isinstance(size, int) and 1 < size <= 64 else 1
    experts = config.get("expert_parallel_size")
    count = max(count, experts if isinstance(experts, int) and experts <= 64 else 1)
    if count == 1 and any(config.get(key) for key in ("deepspeed", "fsdp", "fsdp_config")):
        count = 2
    return (Gpu("GPU", 80, capability),) * count


class Mutator:
    """Makes new configs out of good ones: keys of another one, random values, keys left out."""

    def __init__(self, cases: Sequence[Case], version: str, capability: str, seed: int) -> None:
        self._cases = cases
        self._capability = capability
        self._random = random.Random(seed)
        self._schema = schemas.load(version)
        self._configs = [yaml.safe_load(case.text) for case in cases]
        self._seen: dict[str, list[Any]] = {}
        for config in self._configs:
            for key, value in config.items():
                self._seen.setdefault(key, []).append(value)

    def cases(self, count: int) -> Iterator[Case]:
        """So many changed configs; the same ones every time."""
        ways = (self._borrow, self._borrow, self._invent, self._invent, self._nest, self._drop)
        for number in range(count):
            base = self._random.randrange(len(self._configs))
            config = yaml.safe_load(self._cases[base].text)
            changes: dict[str, Any] = {}
            for _ in range(self._random.choice((1, 1, 2, 2, 3))):
                self._random.choice(ways)(config, changes)
            text = yaml.safe_dump(config, sort_keys=False)
            name = f"{self._cases[base].name} #{number} {changes}"
            yield Case(name, text, gpus_for(config, self._capability))

    def _borrow(self, config: dict[str, Any], changes: dict[str, Any]) -> None:
        other = self._random.choice(self._configs)
        for key in self._random.sample(sorted(other), min(2, len(other))):
            changes[key] = config[key] = other[key]

    def _invent(self, config: dict[str, Any], changes: dict[str, Any]) -> None:
        properties = self._properties(config)
        key = self._random.choice(sorted(properties))
        if self._seen.get(key) and self._random.random() < 0.3:
            value = self._random.choice(self._seen[key])
        else:
            value = self._value(properties[key], 0)
        changes[key] = config[key] = value

    def _nest(self, config: dict[str, Any], changes: dict[str, Any]) -> None:
        """Change one key inside a mapping that the config has."""
        properties = self._properties(config)
        places = [key for key in config if isinstance(config[key], dict) and key in properties]
        if not places:
            return self._invent(config, changes)
        key = self._random.choice(sorted(places))
        more = self._value(properties[key], 0)
        if isinstance(more, dict):
            config[key] = {**config[key], **more}
            changes[key] = more
        return None

    def _drop(self, config: dict[str, Any], changes: dict[str, Any]) -> None:
        key = self._random.choice(sorted(config))
        del config[key]
        changes[key] = "dropped"

    def _properties(self, config: Mapping[str, Any]) -> dict[str, Any]:
        listed = config.get("plugins")
        properties = dict(self._schema["properties"])
        for name in listed if isinstance(listed, list) else ():
            properties |= self._schema["plugins"].get(name, {})
        return properties

    def _value(self, schema: Mapping[str, Any], depth: int) -> Any:
        """A random value that fits a schema."""
        if "$ref" in schema:
            schema = self._schema["$defs"][schema["$ref"].rpartition("/")[2]]
        branches = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        if branches:
            return self._value(self._random.choice(branches), depth)
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        kind = schema.get("type", "")
        if kind in _NUMBERS:
            return self._random.choice(_NUMBERS[kind])
        if kind in ("array", "object"):
            return self._inside(schema, depth)
        return self._random.random() < 0.8 if kind == "boolean" else self._random.choice(_WORDS)

    def _inside(self, schema: Mapping[str, Any], depth: int) -> Any:
        if schema.get("type") == "array":
            items = schema.get("items", {})
            return [self._value(items, depth + 1)] if depth < _DEEPEST else []
        properties = schema.get("properties", {})
        count = min(len(properties), self._random.choice((1, 1, 2)))
        keys = self._random.sample(sorted(properties), count) if depth < _DEEPEST else []
        return {key: self._value(properties[key], depth + 1) for key in keys}
