"""From a config to commented YAML that a person could have written, and reads with ease."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config.dump import dump
from ftui.config.layout import OTHERS, SECTIONS
from ftui.config.schema import description

_REMARK_COLUMN = 36
_WIDTH = 100


def render(config: Mapping[str, Any]) -> str:
    """The config in sections, most keys with a remark. `yaml.safe_load` of it is the config."""
    return "\n".join(_blocks(config)) or "{}\n"


def _blocks(config: Mapping[str, Any]) -> Iterator[str]:
    left = dict(config)
    for title, remarks in SECTIONS:
        lines = [_entry(key, left.pop(key), remarks[key]) for key in remarks if key in left]
        if lines:
            yield f"# {title}\n{''.join(lines)}"
    if left:
        entries = (_entry(key, left[key], "") for key in sorted(left, key=str))
        yield f"# {OTHERS}\n{''.join(entries)}"


def _entry(key: str, value: Any, remark: str) -> str:
    """One key with its value, and the remark on its first line where there is room."""
    text = dump({key: value})
    remark = remark or description(key)
    first, _, rest = text.partition("\n")
    if not remark or (rest and first != f"{key}:"):  # the value itself begins on the first line
        return text
    line = f"{first:<{_REMARK_COLUMN}}  # {remark}"
    return f"{line}\n{rest}" if len(line) <= _WIDTH else f"# {remark}\n{text}"
