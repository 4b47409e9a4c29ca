"""The person's own dstack login: which server, which project, and the token for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftui.errors import TargetUnavailable

VARIABLE = "DSTACK_PROJECT"
"""Names the project to use, for dstack's own command line as well."""
_HOW = "dstack project add --name NAME --url URL --token TOKEN"


@dataclass(frozen=True)
class Login:
    """A project of a dstack server. The token is never shown nor written anywhere."""

    project: str
    url: str
    token: str = field(repr=False)
    default: bool = False


def config_file() -> Path:
    """Where dstack's command line keeps its logins."""
    return Path.home() / ".dstack" / "config.yml"


def logins() -> list[Login]:
    """Every project that the person has logged in to. Raises TargetUnavailable, with the reason."""
    import yaml

    file = config_file()
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or "it is no YAML"
        raise TargetUnavailable(
            "the dstack login cannot be read", where=str(file), why=why.lower(), hint=_HOW
        ) from error
    return list(_projects(raw))


def is_one_of_several() -> bool:
    """Whether there is another login that could be meant."""
    try:
        return len(logins()) > 1
    except TargetUnavailable:
        return False


def find(project: str = "") -> Login:
    """The login to a project; by default the one that dstack's command line would use.

    Raises TargetUnavailable when there is none.
    """
    known = logins()
    wanted = project or os.environ.get(VARIABLE, "")
    if wanted:
        found = next((one for one in known if one.project == wanted), None)
    else:
        found = next((one for one in known if one.default), None)
        found = found or (known[0] if len(known) == 1 else None)
    if found is not None:
        return _usable(found)
    file = str(config_file())
    if not known:
        raise TargetUnavailable("not logged in to dstack", where=file, hint=_HOW)
    names = ", ".join(one.project for one in known)
    if wanted:
        what, hint = f"no login to the dstack project {wanted!r}", f"there is {names}; or {_HOW}"
    else:
        what = "none of your dstack projects is the default one"
        hint = f"--machine project=NAME ({names}), or dstack project set-default NAME"
    raise TargetUnavailable(what, where=file, hint=hint)


def _usable(login: Login) -> Login:
    """The login itself. Raises TargetUnavailable for a token that no server can have given."""
    if login.token.isascii() and login.token.isprintable():
        return login
    what = f"the token of the dstack project {login.project!r} has characters that no token has"
    raise TargetUnavailable(what, where=str(config_file()), hint=_HOW)


def _projects(raw: Any) -> Iterator[Login]:
    listed = raw.get("projects") if isinstance(raw, dict) else None
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict):
            continue
        name, url, token = (one.get(key) for key in ("name", "url", "token"))
        if isinstance(name, str) and isinstance(url, str) and isinstance(token, str):
            yield Login(name, url.rstrip("/"), token, one.get("default") is True)
