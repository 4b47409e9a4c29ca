"""Targets: where a run is trained. Each one speaks the small protocol in base.py."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from ftui.errors import UsageError
from ftui.targets.at_home import AtHome
from ftui.targets.base import Keeping, Target
from ftui.targets.local import LocalTarget


def _dstack() -> Target:
    from ftui.targets.dstack.target import DstackTarget

    return DstackTarget()


def _modal() -> Target:
    from ftui.targets.modal.target import ModalTarget

    return ModalTarget()


TARGETS: Mapping[str, Callable[[], Target]] = {
    LocalTarget.name: LocalTarget,
    "dstack": _dstack,
    "modal": _modal,
}
"""What makes each target. Those that are not of this machine are imported when asked for."""


def get(name: str) -> Target:
    """The target of that name. Raises UsageError."""
    if name not in TARGETS:
        raise UsageError(f"there is no target {name!r}", hint=f"targets: {', '.join(TARGETS)}")
    return TARGETS[name]()


@functools.cache
def keeping(name: str) -> Keeping:
    """Who has the files of a run of that target: this machine, unless the target itself."""
    target = TARGETS[name]() if name in TARGETS else None
    return target if isinstance(target, Keeping) else AtHome()
