"""Where the shape of a base model is read: what ftui knows, a folder, the hub's cache, the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftui import demo
from ftui.estimate.architecture import CannotSay, read_config
from ftui.plan.models import BaseModel, known_models

_HUB = "https://huggingface.co"
_SECONDS = 5.0
_LARGEST = 1 << 20
"""No config.json is as large as this, in bytes."""
_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def find_shape(base_model: str, *beside: Path, hub: bool = True) -> BaseModel:
    """The shape of a base model: a hub id, `builtin:nano`, or a folder with a config.json.

    A relative folder is looked for in `beside`. Asks the hub, at most for a few seconds, only when
    nothing on this machine knows the model, and not without `hub`. Raises CannotSay.
    """
    name = demo.referred(base_model)
    known = next((model for model in known_models() if model.id == name), None)
    if known is not None:
        return known
    for folder in (*(place / base_model for place in beside), Path(base_model)):
        if folder.is_dir():
            return _in_file(folder / "config.json", base_model)
    cached = _cached(base_model)
    if cached is not None:
        return _in_file(cached, base_model)
    if not hub:
        raise _unreachable(base_model, "the model hub was not asked yet")
    return read_config(_document(_from_hub(base_model), base_model), base_model)


def _in_file(file: Path, name: str) -> BaseModel:
    try:
        if file.stat().st_size > _LARGEST:
            raise CannotSay(f"the config.json of {name} is too large to be one")
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CannotSay(f"the config.json of {name} is not UTF-8 text") from error
    except OSError as error:
        why = f"{file}: {(error.strerror or str(error)).lower()}"
        raise CannotSay(f"ftui cannot read the shape of {name}", why=why) from error
    return read_config(_document(text, name), name)


def _document(text: str, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotSay(f"the config.json of {name} is not JSON", why=str(error)) from error
    if not isinstance(document, Mapping):
        raise CannotSay(f"the config.json of {name} is no mapping")
    return document


def _cached(base_model: str) -> Path | None:
    """The config.json that the hub's own library has already brought to this machine."""
    if not _ID.fullmatch(base_model):
        return None
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    folder = cache / f"models--{base_model.replace('/', '--')}" / "snapshots"
    return max(folder.glob("*/config.json"), default=None)


def _from_hub(base_model: str) -> str:
    if not _ID.fullmatch(base_model):
        raise CannotSay(
            f"ftui cannot find the base model {base_model!r}",
            why="it is no folder here, and no id of the model hub (owner/name)",
            hint="check the path or the id",
        )
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"):
        raise _unreachable(base_model, "HF_HUB_OFFLINE is set, so the model hub is not asked")
    import httpx2

    hub = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    token = os.environ.get("HF_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx2.get(
            f"{hub}/{base_model}/resolve/main/config.json",
            headers=headers,
            timeout=_SECONDS,
            follow_redirects=True,
        )
    except httpx2.HTTPError as error:
        raise _unreachable(base_model, f"the model hub does not answer ({error})") from error
    if answer.status_code in (401, 403):
        raise CannotSay(
            f"the model hub keeps {base_model} from you",
            why="it is gated, private, or not there",
            hint="agree to its licence on its page, and set HF_TOKEN",
        )
    if answer.status_code != httpx2.codes.OK:
        why = f"the model hub answered {answer.status_code}"
        raise CannotSay(f"ftui cannot read the shape of {base_model}", why=why)
    return str(answer.text)


def _unreachable(base_model: str, why: str) -> CannotSay:
    return CannotSay(
        f"ftui does not know the shape of {base_model}",
        why=why,
        hint="name a folder that has its config.json, or try again with a network",
    )
