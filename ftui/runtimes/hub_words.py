"""Why a dataset could not be read in the train runtime, in words: what its exceptions mean.

Their names are those of datasets 4.8 (datasets/load.py) and huggingface_hub 1.17 (utils/_http.py),
which wrap one another: each link of the chain is looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftui.data.layout import Layout
from ftui.errors import DatasetError
from ftui.text import printable, shorten

_TOKEN = re.compile(r"hf_[A-Za-z0-9]{4,}|(?i:bearer) +[^\s'\"]+")
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN to a token that may read it."


def without_tokens(text: str) -> str:
    """The text without any token of the hub in it."""
    for name in _TOKENS:
        token = os.environ.get(name, "").strip()
        text = text.replace(token, "…") if token else text
    return _TOKEN.sub("…", text)


@dataclass(frozen=True)
class Failure:
    """An exception and what caused it, as the script in the runtime tells it."""

    source: str
    layout: Layout
    names: frozenset[str] = field(default_factory=frozenset)
    """The classes of all of them, and their bases."""
    texts: tuple[str, ...] = ()
    """What they say; what the hub answered comes first."""
    status: int = 0
    """The hub's HTTP status; 0 when it gave none."""

    @classmethod
    def told(cls, source: str, layout: Layout, chain: Sequence[Mapping[str, Any]]) -> Failure:
        """From the line `failed` of the script."""
        return cls(
            source,
            layout,
            frozenset(name for link in chain for name in link["names"]),
            tuple(without_tokens(link["text"]) for link in sorted(chain, key=_is_a_guess)),
            next((link["status"] for link in chain if link["status"]), 0),
        )

    def error(self) -> DatasetError:
        """What a person is told."""
        what, why, hint = self._words()
        return DatasetError(what, where=self.source, why=why, hint=hint)

    def _words(self) -> tuple[str, str, str]:
        if self.layout is not Layout.HUB:
            what = (
                f"this {self.layout} {'' if self.layout is Layout.SAVED else 'file '}cannot be read"
            )
            return what, self._said(), "Write or download it again."
        found = next((words for holds, words in _CASES if holds(self)), None)
        if found is None:
            return "the dataset cannot be read", self._said(), f"Look at {self._page()}."
        what, why, hint = (
            part.format(page=self._page(), hub=_hub(), said=self._said()) for part in found
        )
        return what, why, hint

    def says(self, *parts: str) -> bool:
        """Whether one of these is in what was said."""
        return any(part in text for part in parts for text in self.texts)

    def is_a(self, *names: str) -> bool:
        """Whether one of the exceptions is of one of these classes."""
        return not self.names.isdisjoint(names)

    def _page(self) -> str:
        return f"{_hub()}/datasets/{self.source}"

    def _said(self) -> str:
        text = next((text for text in self.texts if text.strip()), "")
        return shorten(printable(text), 300) or ", ".join(sorted(self.names)[:1])


def _is_a_guess(link: Mapping[str, Any]) -> bool:
    return not link["status"]


def _hub() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


_Case = tuple[Callable[[Failure], bool], tuple[str, str, str]]
_CASES: tuple[_Case, ...] = (
    (
        lambda it: it.is_a("OfflineModeIsEnabled") or it.says("offline mode", "OfflineMode"),
        (
            "the hub was not asked",
            "HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set in the environment",
            "Unset it, or name a file.",
        ),
    ),
    (
        lambda it: (
            it.says("Visit the dataset page") or (it.is_a("GatedRepoError") and it.status == 403)
        ),
        (
            "this dataset is gated, and your account has no access to it",
            "its authors give access to those who ask",
            "Ask for it at {page}.",
        ),
    ),
    (
        lambda it: it.is_a("GatedRepoError") or it.says("gated dataset"),
        (
            "this dataset is gated",
            "the hub gives it only to those who are logged in and have accepted its terms",
            "Accept them at {page}. " + _LOG_IN,
        ),
    ),
    (
        lambda it: it.says("Invalid credentials in Authorization header"),
        (
            "the hub does not accept your token",
            "it may have expired or been revoked",
            "Make a new one at https://huggingface.co/settings/tokens. " + _LOG_IN,
        ),
    ),
    (
        lambda it: it.is_a("RevisionNotFoundError"),
        ("the dataset has no such revision", "{said}", "Look at the branches at {page}."),
    ),
    (
        lambda it: it.is_a("DisabledRepoError"),
        (
            "the hub has disabled this dataset",
            "its authors or the hub closed it",
            "Choose another.",
        ),
    ),
    (
        lambda it: it.is_a("RepositoryNotFoundError", "DatasetNotFoundError") or it.status == 401,
        (
            "there is no such dataset on the hub, or it is private",
            "the hub does not tell one from the other",
            "Check the name at {page}. Is it private? " + _LOG_IN,
        ),
    ),
    (
        lambda it: it.status == 403,
        ("your token may not read this dataset", "{said}", _LOG_IN),
    ),
    (
        lambda it: it.status == 429,
        ("the hub refuses for now: too many requests", "{said}", "Wait a few minutes. " + _LOG_IN),
    ),
    (
        lambda it: it.status >= 500,
        (
            "the hub has a problem of its own",
            "{said}",
            "Try again later; see status.huggingface.co.",
        ),
    ),
    (
        lambda it: it.is_a("ConnectionError", "ConnectError", "TimeoutException", "TransportError"),
        (
            "the hub cannot be reached",
            "no answer from {hub}",
            "Check the network, and the proxy if there is one (HTTPS_PROXY); or name a file.",
        ),
    ),
    (
        lambda it: it.says("Dataset scripts are no longer supported"),
        (
            "this dataset is a program that makes the rows, which datasets no longer runs",
            "{said}",
            "Look for it in Parquet: at {page} choose the branch refs/convert/parquet.",
        ),
    ),
    (
        lambda it: it.says("Config name is missing"),
        ("this dataset has several parts, and one must be named", "{said}", "Name it (`name:`)."),
    ),
    (
        lambda it: it.says("BuilderConfig", "Unknown split"),
        ("this dataset has no such part or split", "{said}", "Name one of those."),
    ),
    (
        lambda it: it.is_a("DataFilesNotFoundError", "EmptyDatasetError"),
        (
            "there are no data files in this dataset that can be read",
            "{said}",
            "Look at its files at {page}.",
        ),
    ),
)
