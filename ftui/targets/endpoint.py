"""Where a model can be talked to, and how far a server is that starts."""

from __future__ import annotations

import fcntl
import itertools
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Endpoint:
    """A server that is ready. `base` or `tuned` is None where that model is not served.

    A full fine-tune is a whole model of its own and is served alone, as `tuned`. `api_key` is made
    anew for each local server, so that nobody else on this machine can use it; it is never shown.
    """

    base_url: str
    base: str | None = "base"
    tuned: str | None = None
    api_key: str = field(default="", repr=False)
    log_file: Path | None = None
    """What the server prints, as far as it has come to this machine."""
    front: str = ""
    """Who lets requests through to a server elsewhere, for people: `the dstack server`."""
    terms: str = ""
    """Where it is rented and when it ends: `Modal · L4 · $1.12/h · until 14:05`."""

    @property
    def models(self) -> tuple[str, ...]:
        """The names that are served, base first."""
        return tuple(name for name in (self.base, self.tuned) if name)


class Stage(StrEnum):
    """How far a starting server is, in words.

    Those from STARTING on come in this order. The first three are of rented machines: dstack finds
    a machine and fetches the image then, Modal makes the image ready before there is a machine.
    """

    MACHINE = "waiting for a machine"
    MODEL = "downloading the base model, no GPU is paid for meanwhile"
    IMAGE = "fetching the image"
    STARTING = "starting"
    LOADING = "loading the model"
    CHECKING = "asking for a first word"
    READY = "ready"


@dataclass(frozen=True)
class Phase:
    """A stage that was just reached, `seconds` after the launch."""

    stage: Stage
    seconds: float
    log_file: Path | None = None
    """What the server prints, where that is known by now."""

    @property
    def words(self) -> str:
        """One short line: `loading the model  12 s`."""
        return f"{self.stage.value}  {self.seconds:.0f} s"


def own_log(folder: Path) -> IO[str]:
    """A log of a run folder for one server alone: `serve.log`, or `serve-2.log` beside another.

    It is empty, and nobody else's for as long as some process has it open, which may have
    inherited it. Raises OSError.
    """
    for number in itertools.count(1):
        name = "serve.log" if number == 1 else f"serve-{number}.log"
        log = (folder / name).open("a", encoding="utf-8")
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.close()
        else:
            log.truncate(0)
            return log
    raise AssertionError  # numbers do not end
