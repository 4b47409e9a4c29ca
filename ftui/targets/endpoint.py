"""Where a model can be talked to, and how far a server is that starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


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
    """How far a starting server is, in words; in this order, the first two on rented machines."""

    MACHINE = "waiting for a machine"
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

    @property
    def words(self) -> str:
        """One short line: `loading the model  12 s`."""
        return f"{self.stage.value}  {self.seconds:.0f} s"
