"""What a GPU costs by the hour, where no live offer says it.

Modal's list prices of 2026-07-01, as a public copy of its price page had them. Other places ask
half to twice as much; dstack's offers tell their own price.
"""

from __future__ import annotations

from collections.abc import Mapping

DAY = "2026-07-01"
AS_OF = f"Modal's list of {DAY}"

DOLLARS_AN_HOUR: Mapping[str, float] = {
    "T4": 0.59,
    "L4": 0.80,
    "A10": 1.10,
    "A10G": 1.10,
    "L40S": 1.95,
    "A100": 2.10,
    "A100 80GB": 2.50,
    "RTX PRO 6000": 3.03,
    "H100": 3.95,
    "H200": 4.54,
    "B200": 6.25,
}
"""By the name that ftui/plan/gpus.py has for the GPU."""
