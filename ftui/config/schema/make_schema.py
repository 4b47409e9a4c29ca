"""Write axolotl's full JSON Schema. Runs in a train runtime, where axolotl can be imported:

    AXOLOTL_DO_NOT_TRACK=1 .../train/bin/python ftui/config/schema/make_schema.py > axolotl-X.json

It holds what axolotl's own `config-schema` leaves out: the keys that plugins add (under `plugins`,
by the plugin's name in a config), and keys that may be written in two ways.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from typing import Any

import axolotl.integrations
from axolotl.integrations.base import BasePlugin
from axolotl.utils.schemas.config import AxolotlInputConfig
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema


class _Everything(GenerateJsonSchema):  # type: ignore[misc,unused-ignore]
    """Types that JSON has no words for become `anything`; enums of objects become their names."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        return {}

    def enum_schema(self, schema: Any) -> dict[str, Any]:
        try:
            return dict(super().enum_schema(schema))
        except ValueError:
            return {"enum": [member.name for member in schema["members"]]}

    def encode_default(self, dft: Any) -> Any:
        try:
            return super().encode_default(dft)
        except ValueError:
            return str(dft)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema(schema_generator=_Everything)
    for name, field in model.model_fields.items():
        if field.alias and model.model_config.get("populate_by_name"):
            schema["properties"][name] = schema["properties"][field.alias]
    return schema


def _plugins() -> dict[str, Any]:
    """The properties that each of axolotl's plugins adds, by the plugin's name in a config."""
    found = {}
    for package in pkgutil.iter_modules(axolotl.integrations.__path__, "axolotl.integrations."):
        try:
            module = importlib.import_module(package.name)
        except ImportError as error:
            sys.stderr.write(f"{package.name} left out: {error}\n")
            continue
        for name, value in list(vars(module).items()):
            if (
                isinstance(value, type)
                and issubclass(value, BasePlugin)
                and value is not BasePlugin
            ):
                where = value().get_input_args()
                if where:
                    owner, _, args = where.rpartition(".")
                    found[f"{package.name}.{name}"] = getattr(importlib.import_module(owner), args)
    return found


def main() -> None:
    """Print the schema: one value a line, so that a new version reads well as a diff."""
    schema = _schema(AxolotlInputConfig)
    schema["plugins"] = {}
    for name, args in sorted(_plugins().items()):
        part = _schema(args)
        schema["$defs"] |= part.pop("$defs", {})
        schema["plugins"][name] = part["properties"]
    sys.stdout.write(json.dumps(schema, indent=0, separators=(",", ":"), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
