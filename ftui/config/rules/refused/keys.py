"""Keys that are no text: axolotl hands each top-level key on as the name of a setting."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.rule import Finding, Rule, Subject, error

_READ_AS = {
    True: "`yes`, `on` and `true` are read as true",
    False: "`no`, `off` and `false` are read as false",
}


def keys_are_text(subject: Subject) -> Iterator[Finding]:
    """Numbers, booleans, nothing at all as a key."""
    for key in subject.config:
        if not isinstance(key, str):
            why = f" ({_READ_AS[key]})" if isinstance(key, bool) else ""
            words = "nothing" if key is None else str(key).lower()
            message = f"a key must be text, not {words}{why}; axolotl cannot read such a config"
            yield error((str(key),), message, "put it in quotes, or take it out")


RULES: tuple[Rule, ...] = (keys_are_text,)
