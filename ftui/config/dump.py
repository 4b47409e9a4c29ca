"""Values as YAML that axolotl reads back as the same values."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

_WIDEST = 2**31 - 1


def dump(value: Any) -> str:
    """A value in block style, items indented below their key. Ends with a line end."""
    import yaml

    return yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=_WIDEST)


def dump_inline(value: Any, quotes: str | None = None) -> str:
    """A value on one line, good inside `[]` and `{}` too; a text gets these quotes if it can."""
    import yaml

    text = yaml.dump(
        [value],
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        width=_WIDEST,
        default_flow_style=True,
        default_style=quotes if isinstance(value, str) and "\n" not in value else None,
    )
    return text.strip()[1:-1]


@cache
def _dumper() -> type[yaml.SafeDumper]:
    """PyYAML's own, with items indented below their key, `|` for long text, and no anchors."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_text(self, data: str) -> yaml.ScalarNode:
            style = "|" if "\n" in data else None
            # PyYAML reads these three as spaces. A text with blank lines at its end would be
            # written as `|+`, which takes in every blank line that comes to stand below it.
            odd = any(end in data for end in "\x85\u2028\u2029")
            if odd or data == "\n" or data.endswith("\n\n"):
                style = '"'
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, Dumper.represent_text)
    return Dumper
