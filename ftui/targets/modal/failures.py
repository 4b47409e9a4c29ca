"""What the client of Modal raises, in words: worth another try, not there, and the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ftui.errors import TargetUnavailable
from ftui.targets.modal import login

CONNECT_SECONDS = 10.0
"""So long Modal may take to answer for the first time."""
_NO = "Modal says no"


class Unreachable(TargetUnavailable):
    """Modal does not answer, or cannot at the moment: worth another try."""


class Missing(TargetUnavailable):
    """What was asked for is not there."""


@contextlib.contextmanager
def passing_over_missing() -> Iterator[None]:
    """What is not there makes no difference."""
    import modal

    with contextlib.suppress(modal.exception.NotFoundError):
        yield


def passing() -> tuple[type[Exception], ...]:
    """What is raised when Modal cannot be asked for the moment."""
    import modal

    error = modal.exception
    unheard = (error.ConnectionError, error.TimeoutError, error.ClientClosed)
    return (*unheard, error.ServiceError, error.InternalError)


@contextlib.contextmanager
def in_words(what: str = _NO, full: str = "") -> Iterator[None]:
    """Raises TargetUnavailable for what Modal's client raises; `full`: what makes room there."""
    import aiohttp
    import modal

    try:
        yield
    except (modal.exception.Error, aiohttp.ClientError, TimeoutError) as failure:
        raise _translated(failure, what, full) from failure


def _translated(failure: Exception, what: str, full: str) -> TargetUnavailable:
    import modal

    error, why = modal.exception, _said(failure)
    if isinstance(failure, (error.AuthError, error.PermissionDeniedError)):
        return login.refused(why)
    if isinstance(failure, error.NotFoundError):
        return Missing(what, why=why)
    if isinstance(failure, error.ResourceExhaustedError):
        if what == _NO:
            return Unreachable("Modal is asked too much at the moment", why=why)
        return TargetUnavailable(what, why=why, hint=full)
    if isinstance(failure, error.Error) and not isinstance(failure, passing()):
        return TargetUnavailable(what, why=why)
    hint = "look at https://status.modal.com, and whether this machine is online"
    return Unreachable("Modal does not answer", why=why, hint=hint)


def _said(failure: Exception) -> str:
    """The first line of what it says."""
    if isinstance(failure, TimeoutError):
        return f"it said nothing for {CONNECT_SECONDS:.0f} s"
    return (str(failure).strip() or type(failure).__name__).splitlines()[0]
