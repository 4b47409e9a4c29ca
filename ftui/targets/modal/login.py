"""The person's own Modal login: whether there is one, and whether the package is there.

Found without importing `modal`, which takes a third of a second; the client of that package reads
the same places.
"""

from __future__ import annotations

import importlib.util
import os
import tomllib
from pathlib import Path
from typing import Any

from ftui.errors import TargetUnavailable

_HOW = "modal setup (opens a browser), or modal token set --token-id ID --token-secret SECRET"
_EXTRA = "pip install 'ftui-llm[modal]'"


def config_file() -> Path:
    """Where Modal's command line keeps its logins."""
    return Path(os.environ.get("MODAL_CONFIG_PATH") or "~/.modal.toml").expanduser()


def is_there() -> bool:
    """Whether there are a package and a login. Raises TargetUnavailable for one that cannot be
    read."""
    if importlib.util.find_spec("modal") is None:
        return False
    return _of_environment() or bool(_profile(_profiles()))


def require() -> str:
    """Where the login comes from: `token of the environment`, or `profile NAME`.

    Raises TargetUnavailable when there is none, or when the package `modal` is missing.
    """
    if importlib.util.find_spec("modal") is None:
        raise TargetUnavailable("the package modal is not installed", hint=_EXTRA)
    if _of_environment():
        return "token of the environment"
    profile = _profile(_profiles())
    if not profile:
        raise TargetUnavailable("not logged in to Modal", where=str(config_file()), hint=_HOW)
    return f"profile {profile}"


def refused(why: str) -> TargetUnavailable:
    """The login is there, and Modal does not take it."""
    return TargetUnavailable("Modal refuses the login", why=why, hint=_HOW)


def _of_environment() -> bool:
    return bool(os.environ.get("MODAL_TOKEN_ID") and os.environ.get("MODAL_TOKEN_SECRET"))


def _profiles() -> dict[str, Any]:
    file = config_file()
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no TOML"
        raise TargetUnavailable(
            "the Modal login cannot be read", where=str(file), why=why.lower(), hint=_HOW
        ) from error


def _profile(known: dict[str, Any]) -> str:
    """The profile in use, if it holds a token: the one named, the active one, or the only one."""
    whole = {
        name: one
        for name, one in known.items()
        if isinstance(one, dict) and (one.get("token_id") or one.get("oauth_refresh_token"))
    }
    active = [name for name, one in whole.items() if one.get("active")]
    named = os.environ.get("MODAL_PROFILE") or next(iter(active), "")
    if named:
        return named if named in whole else ""
    return next(iter(whole), "") if len(whole) == 1 else ""
