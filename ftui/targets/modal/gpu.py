"""GPUs as Modal names them: which there are, how many go together, and what an hour costs.

Modal's client takes any text and any number, and its server says no only at the deployment; so
ftui looks itself.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from ftui.errors import UsageError
from ftui.estimate.prices import AS_OF, DOLLARS_AN_HOUR
from ftui.plan.gpus import find as find_gpu
from ftui.plan.hardware import Gpu
from ftui.targets.modal.rates import Rates


@dataclass(frozen=True)
class Offer:
    """A kind of GPU: what it has, dollars an hour of one, and how many go together at most."""

    name: str
    gpu: Gpu
    dollars: float
    most: int


_MODAL: Mapping[str, tuple[str, int]] = {
    "T4": ("T4", 8),
    "L4": ("L4", 8),
    "A10": ("A10", 4),
    "L40S": ("L40S", 8),
    "A100-40GB": ("A100", 8),
    "A100-80GB": ("A100 80GB", 8),
    "RTX-PRO-6000": ("RTX PRO 6000", 8),
    "H100": ("H100", 8),
    "H200": ("H200", 8),
    "B200": ("B200", 8),
}
"""Modal's names: ours (plan/gpus.py), and how many go together."""
_ALSO: Mapping[str, str] = {"A100": "A100-40GB", "H100!": "H100", "B200+": "B200", "A10G": "A10"}
"""Other names, and what is the least that one gets for them."""


def _offers() -> Mapping[str, Offer]:
    found = {}
    for name, (ours, most) in _MODAL.items():
        gpu = dataclasses.replace(find_gpu(ours), name=name)
        found[name] = Offer(name, gpu, DOLLARS_AN_HOUR[ours], most)
    return found


OFFERS = _offers()
LISTED = Rates(
    gpus={name: one.dollars for name, one in OFFERS.items()},
    core=0.0000131 * 3600,
    gib=0.00000222 * 3600,
    source=AS_OF,
)
"""Where Modal cannot be asked for its rates."""


def find(name: str) -> Offer:
    """The GPU of that name, large or small. Raises UsageError with the nearest.

    A count is refused: it is said with --gpus.
    """
    plain, colon, _ = name.strip().upper().partition(":")
    offer = OFFERS.get(_ALSO.get(plain, plain))
    if offer is None:
        near = difflib.get_close_matches(plain, [*OFFERS, *_ALSO], n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"Modal has no GPU {name!r}", hint=f"{meant}there is {', '.join([*OFFERS])}"
        )
    if colon:
        hint = f"say it apart: --machine gpu={plain} --gpus N"
        raise UsageError(f"how many GPUs is not part of their name: {name!r}", hint=hint)
    return offer


def cheapest(memory_gib: float, rates: Rates = LISTED) -> Offer:
    """The cheapest GPU that has the memory and can compute in bf16. Raises UsageError."""
    able = [one for one in OFFERS.values() if one.gpu.holds(memory_gib) and one.name != "T4"]
    if not able:
        most = max(one.gpu.memory_gib for one in OFFERS.values())
        raise UsageError(f"no GPU of Modal has {memory_gib:.0f} GiB; {most:.0f} GiB is the most")
    return min(able, key=lambda one: rates.gpus[one.name])


def request(name: str, count: int) -> str:
    """What Modal is asked for: `H100:2`, as it was named; empty without a GPU.

    Raises UsageError when so many do not go together.
    """
    if not count:
        return ""
    offer = find(name)
    if not 1 <= count <= offer.most:
        raise UsageError(
            f"{count} × {offer.name} do not go together on Modal", hint=f"at most {offer.most}"
        )
    return f"{name.strip().upper()}:{count}"


def dollars(name: str, count: int, rates: Rates = LISTED) -> float:
    """What an hour costs, its CPU cores and memory too."""
    return rates.machine(find(name).name if count else "", count)


def words(name: str, count: int, rates: Rates = LISTED) -> str:
    """`2 × H100 · $8.53/h (Modal's list of 2026-07-01)`."""
    gpus = f"{count} × {find(name).name}" if count else "no GPU"
    return f"{gpus} · ${dollars(name, count, rates):.2f}/h ({rates.source})"
