"""axolotl's own schema: every key it reads, its type and what it says about it.

One file a version, made by `make_schema.py` from the real package; an end-to-end test makes each
again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ftui.plan.places import is_index

VERSIONS = ("0.19.0", "0.21.0")
"""The versions of axolotl whose schema ships with ftui, oldest first."""

NEWEST = VERSIONS[-1]


def known(version: str | None) -> str:
    """The shipped version to judge by: the newest that is not newer than `version`.

    `0.19.1` is judged by 0.19.0, `0.20.0` too, `0.22` by 0.21.0, and what nobody knows (None, a
    text that is no version) by the newest.
    """
    asked = _numbers(version or "")
    older = [each for each in VERSIONS if _numbers(each)[:2] <= asked[:2]]
    return NEWEST if not asked else (older or VERSIONS[:1])[-1]


def has(version: str) -> bool:
    """Whether the schema of this very version ships, its last number aside."""
    return _numbers(version)[:2] in {_numbers(each)[:2] for each in VERSIONS}


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:3]
    return tuple(map(int, parts)) if all(map(is_index, parts)) else ()


@cache
def load(version: str = NEWEST) -> Mapping[str, Any]:
    """The JSON Schema of an axolotl config: `properties`, `$defs`, and `plugins`: the properties
    that each of axolotl's own plugins adds when it is listed. `version` is one of VERSIONS."""
    text = (Path(__file__).parent / f"axolotl-{version}.json").read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


@cache
def names(version: str = NEWEST) -> Mapping[str, Any]:
    """The names that axolotl takes and looks up later only, listed by `make_names.py`."""
    text = (Path(__file__).parent / f"names-{version}.json").read_text(encoding="utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found


def resolve(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a schema, or the definition in that schema which it refers to."""
    reference = part.get("$ref")
    if reference is None:
        return part
    definition: Mapping[str, Any] = schema["$defs"][reference.rpartition("/")[2]]
    return definition


_DATASET_MODELS = ("SFTDataset", "DPODataset", "KTODataset", "StepwiseSupervisedDataset")
_BY_RL = {"dpo": "DPODataset", "ipo": "DPODataset", "simpo": "DPODataset", "kto": "KTODataset"}


def dataset_model(rl: Any) -> str:
    """The definition that axolotl reads each item of `datasets` with; it drops other keys.

    axolotl/utils/config/__init__.py, validate_config, 0.19 and 0.21.
    """
    return _BY_RL.get(rl, "SFTDataset") if isinstance(rl, str) else "SFTDataset"


def dataset_keys(version: str, model: str = "") -> frozenset[str]:
    """The keys that a dataset may have: those of one model, or those of all of them."""
    definitions = load(version)["$defs"]
    models = (model,) if model else _DATASET_MODELS
    return frozenset(key for each in models for key in definitions[each]["properties"])


def description(key: str) -> str:
    """The first sentence of what axolotl says about a top-level key, or nothing."""
    text = str(load()["properties"].get(key, {}).get("description", ""))
    return " ".join(text.partition(". ")[0].split()).rstrip(".")
