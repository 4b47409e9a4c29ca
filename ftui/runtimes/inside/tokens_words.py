"""Runs inside the train runtime: errors and warnings, each as one line of words."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import jinja2  # type: ignore[import-not-found,unused-ignore]
from datasets.exceptions import DatasetGenerationError  # type: ignore[import-not-found]
from pydantic import ValidationError
from tokens_ledger import Unusable  # type: ignore[import-not-found]

_LONGEST = 400
_WARNINGS = 20
# What code that did not expect such data ends in.
_PLAIN = (AttributeError, IndexError, TypeError)


class Warnings(logging.Handler):
    """Keeps the first warnings that are logged, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        text = " ".join(record.getMessage().removeprefix("[RANK 0] ").split())
        if len(self.texts) < _WARNINGS and text not in self.texts:
            self.texts.append(text)


def words(error: BaseException) -> str:
    """What went wrong, in one line."""
    text = " ".join(_said(error).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def root(error: BaseException) -> BaseException:
    """The error that tells most: what the datasets library wraps, or what stopped us."""
    if isinstance(error, Unusable) and error.cause is not None:
        return root(error.cause)
    wrapped = isinstance(error, DatasetGenerationError)
    return root(error.__cause__) if wrapped and error.__cause__ is not None else error


def _said(error: BaseException) -> str:
    if isinstance(error, Unusable):
        return str(error)
    error = root(error)
    text = str(error)
    if isinstance(error, KeyError):
        return f"there is no {error.args[0] if error.args else 'such key'} in it"
    if isinstance(error, jinja2.TemplateError):
        return f"the chat template: {text}"
    if isinstance(error, ValidationError):
        return "; ".join(_problems(error))
    if isinstance(error, StopIteration) or text.endswith("corresponds to no data!"):
        return "it holds no rows"
    if text.startswith("text input must be of type"):
        return "a value is no text where axolotl needs text"
    if type(error) in _PLAIN:
        return f"axolotl cannot read it ({type(error).__name__}: {text})"
    return text or type(error).__name__


def _problems(error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        place = ".".join(str(step) for step in one["loc"] if str(step).islower())
        message = one["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        yield f"{place}: {message}" if place else message
