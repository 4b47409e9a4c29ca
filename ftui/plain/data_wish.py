"""What `ftui data` is asked for, out of its options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ftui.errors import UsageError


@dataclass(frozen=True)
class Wish:
    """What `ftui data` was asked for."""

    source: str
    type_name: str = ""
    columns: tuple[str, ...] = ()
    held_out: str = ""
    training: str | None = None
    """The config's `rl`; None = whatever fits."""
    preset: str | None = None
    config: str | None = None
    model: str | None = None
    """With one of these three, axolotl itself is asked what it would train on."""
    show: int = 2
    """Rows to show with their mask."""

    @property
    def asks_axolotl(self) -> bool:
        """Whether it is known which training the rows are for."""
        return any((self.preset, self.config, self.model))


def wished(*, type_name: str | None, columns: str | None, show: int | None, **others: Any) -> Wish:
    """The options as they were given, None for those that were not.

    Raises UsageError for options that contradict each other, or say nothing.
    """
    if type_name is not None and columns is not None:
        raise UsageError("--type and --columns both say how the rows are read: give one of them")
    if type_name is not None and not type_name.strip():
        raise UsageError("--type is empty", hint="For example --type alpaca.")
    wish = Wish(type_name=type_name or "", columns=_columns(columns), **others)
    if show is None:
        return wish
    if show < 0:
        raise UsageError(f"--show {show}: a number of rows is 0 or more")
    if not wish.asks_axolotl:
        raise UsageError(
            "--show needs a training: what is learnt of a row depends on it",
            hint="add --preset NAME, --config CONFIG or --model MODEL",
        )
    return replace(wish, show=show)


def _columns(text: str | None) -> tuple[str, ...]:
    """The names of columns. Raises UsageError unless they are two or three different ones."""
    if text is None:
        return ()
    chosen = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(chosen) not in (2, 3):
        raise UsageError("--columns takes a question, an answer, and perhaps a context")
    if len(set(chosen)) < len(chosen):
        raise UsageError("--columns names a column twice: what is asked is not what is answered")
    return chosen
