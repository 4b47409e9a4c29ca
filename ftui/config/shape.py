"""A config's shape against axolotl's own JSON Schema: every key at every depth, and every type.

axolotl ignores a key that it does not know; here that is an error with the nearest real key, or
with the place where the key belongs. Types are judged as pydantic judges them for axolotl: `"3"`
is a whole number, `yes` is true, `1` is no text. Only a truth value is no number here: axolotl
would take `lora_r: true` for a rank of 1.
https://docs.pydantic.dev/latest/concepts/conversion_table/
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ftui.config import plugins
from ftui.config import schema as schemas
from ftui.config.homes import homes
from ftui.config.rules.rule import Finding, error
from ftui.plan.nearest import distance, nearest
from ftui.plan.places import Place

_SHOWN = 8
"""Choices of a longer list that a message names."""
_LONG = 60
"""Characters; what is longer is not repeated."""
_Schema = Mapping[str, Any]
_GUESSES = 100
"""Unknown keys for which the nearest real one is looked for: each takes some milliseconds."""


def check(config: Mapping[Any, Any], version: str) -> list[Finding]:
    """What is wrong with a config's keys and types by the schema of an axolotl version."""
    walk = _Walk(version)
    return walk.value(config, walk.with_plugins(config), ())


class _Walk:
    """A walk through a config beside its schema."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._schema = schemas.load(version)
        self._guessed = 0
        self._others: tuple[str, ...] = ()
        """Plugins that may add keys of their own."""

    def with_plugins(self, config: Mapping[Any, Any]) -> _Schema:
        """The schema of a config, with the keys of the plugins that it lists."""
        self._others = tuple(plugins.others(config, self._version))
        added = plugins.properties(config, self._version)
        datasets = {"datasets": self._datasets(config)}
        return {**self._schema, "properties": self._schema["properties"] | datasets | added}

    def _datasets(self, config: Mapping[Any, Any]) -> _Schema:
        """The schema of `datasets` for the kind of training, which decides who reads an item.

        A key of another kind is let through here: the rule about dead keys of a dataset tells it.
        """
        properties: dict[str, Any] = {key: {} for key in schemas.dataset_keys(self._version)}
        model = self._schema["$defs"][schemas.dataset_model(config.get("rl"))]
        item = {"type": "object", "properties": {**properties, **model["properties"]}}
        forms = {"anyOf": [item, {"$ref": "#/$defs/SyntheticDataset"}]}
        given = self._schema["properties"]["datasets"]
        lists = [{**form, "items": forms} if "items" in form else form for form in given["anyOf"]]
        return {**given, "anyOf": lists}

    def value(self, value: Any, schema: _Schema, place: Place) -> list[Finding]:
        """What is wrong with a value, deepest places included."""
        schema = schemas.resolve(schema, self._schema)
        branches = [schemas.resolve(branch, self._schema) for branch in schema.get("anyOf", ())]
        if branches:
            return self._best_branch(value, branches, place)
        wrong = _misfit(value, schema)
        if wrong:
            return [error(place, *wrong)]
        if isinstance(value, dict):
            return self._mapping(value, schema, place)
        if isinstance(value, list) and "items" in schema:
            return [
                finding
                for index, item in enumerate(value)
                for finding in self.value(item, schema["items"], (*place, str(index)))
            ]
        return []

    def _best_branch(self, value: Any, branches: list[_Schema], place: Place) -> list[Finding]:
        """The findings of the branch that the value was most likely meant for."""
        tries = [self.value(value, branch, place) for branch in branches]
        inside = [found for found in tries if not any(item.place == place for item in found)]
        if inside:
            return min(inside, key=len)
        hints = [item.hint for found in tries for item in found if item.hint]
        hints += _as_a_list(value, branches, place)
        return [error(place, _expected(value, branches), hints[0] if hints else "")]

    def _mapping(self, value: dict[Any, Any], schema: _Schema, place: Place) -> list[Finding]:
        known: Mapping[str, _Schema] = schema.get("properties", {})
        extra = schema.get("additionalProperties", not known)
        findings = [
            error((*place, key), f"{key!r} is missing")
            for key in schema.get("required", ())
            if key not in value
        ]
        for key, item in value.items():
            inner = (*place, str(key))
            if key in known:
                findings += self.value(item, known[key], inner)
            elif isinstance(extra, dict):
                findings += self.value(item, extra, inner)
            elif not extra:
                findings.append(self._unknown(inner, known))
        return findings

    def _unknown(self, place: Place, known: Mapping[str, _Schema]) -> Finding:
        """What to say of a key that is not known here."""
        message = f"axolotl does not know {place[-1]!r} here and would ignore it"
        hint = self._meant(place, known)
        if len(place) == 1 and self._others:
            message += f", unless {' or '.join(self._others)} adds it"
            return Finding("warning", place, message, hint, unknown_key=True)
        return Finding("error", place, message, hint, unknown_key=True)

    def _meant(self, place: Place, known: Mapping[str, _Schema]) -> str:
        """A hint for a key that is not known here: a plugin's, one of another place, a misspelt."""
        key = place[-1]
        for name, properties in self._schema["plugins"].items():
            if len(place) == 1 and key in properties:
                return f"it counts only with `plugins: [{name}]`"
        if len(place) > 1 and key in self._schema["properties"]:
            return f"{key} belongs to the top level, not into {place[0]}"
        home = homes(self._version).get(key) if len(place) == 1 else None
        if home:
            return f"{key} belongs into {home}"
        self._guessed += 1
        return _did_you_mean(key, known) if self._guessed <= _GUESSES else ""


def _misfit(value: Any, schema: _Schema) -> tuple[str, str] | None:
    """Why a value is not of a schema's own type, with a hint. Its inside is not looked at."""
    fits = _FITS.get(schema.get("type", ""))
    if fits is not None and not fits(value):
        return f"should be {_words(schema)}{_but(value)}", _text_number(value, schema)
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices is not None and value not in choices:
        hint = _did_you_mean(str(value), [str(choice) for choice in choices])
        return f"should be {_words(schema)}{_but(value)}", hint
    bounds = _outside(value, schema)
    if bounds:
        return f"should be {bounds}{_but(value)}", ""
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"should be {_words(schema)}{_but(value)}", ""
    return None


def _outside(value: Any, schema: _Schema) -> str:
    """The bound that a number breaks, in words; nothing when it is within all of them."""
    for name, (words, holds) in _BOUNDS.items():
        if name in schema and not holds(float(value), schema[name]):
            return f"{words} {schema[name]:g}"
    return ""


def _expected(value: Any, branches: list[_Schema]) -> str:
    told = [branch for branch in branches if branch.get("type") != "null"]
    choices = [branch for branch in told if "enum" in branch]
    if choices and all(each in choices or each.get("type") == "boolean" for each in told):
        both = [each["enum"] if each in choices else ["true", "false"] for each in told]
        told = [{"enum": [choice for listed in both for choice in listed]}]
    return f"should be {' or '.join(dict.fromkeys(map(_words, told)))}{_but(value)}"


def _text_number(value: Any, schema: _Schema) -> str:
    """A hint for `1e3`, which YAML 1.1 reads as text: its numbers have a dot before the `e`."""
    if schema.get("type") != "integer" or not isinstance(value, str) or not _is_number(value):
        return ""
    number = float(value)
    whole = "e" in value.lower() and number.is_integer()
    return f"YAML reads {value} as text: write {number:.0f}" if whole else ""


def _as_a_list(value: Any, branches: list[_Schema], place: Place) -> list[str]:
    """A hint that shows a lone text as a list."""
    if not isinstance(value, str) or not all(
        branch.get("type") in ("array", "null") for branch in branches
    ):
        return []
    rows = place[-1] in ("datasets", "test_datasets", "pretraining_dataset")
    item = f"{{path: {value}, type: alpaca}}" if rows else value
    return [f"for example `{place[-1]}: [{item}]`"] if len(item) < _LONG else []


def _words(schema: _Schema) -> str:
    if "enum" in schema:
        choices = [str(choice) for choice in schema["enum"]]
        more = ", …" if len(choices) > _SHOWN else ""
        return f"one of {', '.join(choices[:_SHOWN])}{more}"
    if "const" in schema:
        return str(schema["const"])
    if "pattern" in schema:
        return f"text like {schema['pattern'].strip('^$')}…"
    return _TYPE_WORDS.get(schema.get("type", ""), "something else")


def _but(value: Any) -> str:
    """What a value is instead."""
    if value is None:
        return ", but it has no value"
    if isinstance(value, bool):
        return f", not {str(value).lower()}"
    kinds: dict[type, str] = {dict: "a mapping", list: "a list"}
    shown = kinds.get(type(value)) or repr(value)
    return f", not {shown if len(shown) < _LONG else 'this'}"


def _did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Two are named where both are equally near: `bf16 or fp16`."""
    known = tuple(choices)
    longer = [each for each in known if word and each.startswith(f"{word}_")]
    near = nearest(word, known) or (longer[0] if len(longer) == 1 else "")
    other = nearest(word, [each for each in known if each != near]) if near else ""
    both = other and distance(word, other) == distance(word, near)
    return f"did you mean {near}{f' or {other}' if both else ''}?" if near else ""


_BOOLEAN_TEXT = {"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"}


def _is_boolean(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in _BOOLEAN_TEXT
    return isinstance(value, (bool, int, float)) and value in (0, 1)


def _is_integer(value: Any) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"\s*[+-]?\d+(_\d+)*(\.0*)?\s*", value, re.ASCII) is not None
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": _is_boolean,
    "integer": _is_integer,
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_TYPE_WORDS: Mapping[str, str] = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
_BOUNDS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("at least", operator.ge),
    "maximum": ("at most", operator.le),
    "exclusiveMinimum": ("more than", operator.gt),
    "exclusiveMaximum": ("less than", operator.lt),
}
