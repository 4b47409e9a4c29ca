"""`--set KEY=VALUE`: one axolotl setting changed, at any depth."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from ftui.errors import UsageError
from ftui.plan.places import is_index
from ftui.plan.plan import Plan
from ftui.plan.yaml_source import YamlProblem, read


def apply_override(plan: Plan, override: str) -> Plan:
    """The plan with one setting changed: `lora_r=8`, `datasets.0.path=rows.jsonl`, `seed=null`.

    The value is YAML, as it would stand in the config; `null` removes the key. Mappings on the way
    are made when missing; a list takes an index that exists, or the next one. Raises UsageError.
    """
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise UsageError(f"--set {override}: write KEY=VALUE", hint="For example --set lora_r=16")
    try:
        value = read(text).data
    except YamlProblem as error:
        raise UsageError(f"--set {override}: the value is not YAML", why=error.message) from error
    settings = copy.deepcopy(dict(plan.settings))
    node: Any = settings
    for position, part in enumerate(parts[:-1]):
        node = _step_into(node, part, f"--set {override}: {'.'.join(parts[: position + 1])}")
    _put(node, parts[-1], value, f"--set {override}: {key.strip()}")
    return dataclasses.replace(plan, settings=settings)


def _step_into(node: Any, part: str, where: str) -> Any:
    if isinstance(node, dict):
        inner = node.setdefault(part, {})
    else:
        inner = node[_index(node, part, where, len(node) - 1)]
    if not isinstance(inner, (dict, list)):
        raise UsageError(f"{where} is {inner!r}, which has nothing inside")
    return inner


def _put(node: Any, part: str, value: Any, where: str) -> None:
    if isinstance(node, dict):
        if value is None:
            node.pop(part, None)
        else:
            node[part] = value
        return
    index = _index(node, part, where, len(node))
    node[index : index + 1] = [] if value is None else [value]


def _index(node: list[Any], part: str, where: str, largest: int) -> int:
    if not (is_index(part) and int(part) <= largest):
        raise UsageError(f"{where}: a list of {len(node)} has no item {part!r}")
    return int(part)
