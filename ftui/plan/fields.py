"""Numbers as a person types them, read from and written to one setting of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable

from ftui.errors import UsageError
from ftui.plan.places import is_index
from ftui.plan.plan import Plan
from ftui.plan.step import Field


def whole(key: str, label: str, help: str, *, at_least: int) -> Field:
    """A field for a whole-number setting such as `lora_r`; commas may group its digits."""

    def write(plan: Plan, text: str) -> Plan:
        digits = text.strip().replace(",", "")
        if not is_index(digits) or int(digits) < at_least:
            raise UsageError(f"{label} is a whole number, {at_least} or more", why=f"not {text!r}")
        return plan.with_settings(**{key: int(digits)})

    return _field(key, label, help, write)


def number(key: str, label: str, help: str, *, positive: bool, below: float = math.inf) -> Field:
    """A field for a decimal setting such as `learning_rate`: above 0, or 0 and up, and `below`."""

    def write(plan: Plan, text: str) -> Plan:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (0 <= value < below) or (positive and value == 0):
            floor = "above 0" if positive else "0 or more"
            ceiling = f" and below {below:g}" if below < math.inf else ""
            raise UsageError(f"{label} is a number {floor}{ceiling}", why=f"not {text!r}")
        return plan.with_settings(**{key: value})

    return _field(key, label, help, write)


def _field(key: str, label: str, help: str, write: Callable[[Plan, str], Plan]) -> Field:
    def read(plan: Plan) -> str:
        value = plan.get(key)
        return "" if value is None else str(value)

    def write_if_changed(plan: Plan, text: str) -> Plan:
        changed = plan if text.strip() == read(plan) else write(plan, text)
        return plan if changed.get(key) == plan.get(key) else changed

    return Field(key, label, help, read, write_if_changed)
