"""Secrets of a dstack project: made only when asked, and said where one may be missing."""

from __future__ import annotations

import pytest

from ftui.errors import TargetUnavailable
from ftui.targets.dstack import preflight
from ftui.targets.dstack.api import Api
from ftui.targets.dstack.login import Login

WANTED = {"HF_TOKEN": "hf_token", "WANDB_API_KEY": "wandb_api_key"}


class Project(Api):
    """A project that keeps what it is given."""

    def __init__(self, **kept: str) -> None:
        super().__init__(Login("main", "http://nowhere", "none"))
        self.kept = kept

    async def secrets(self) -> frozenset[str]:
        return frozenset(self.kept)

    async def create_secret(self, name: str, value: str) -> None:
        self.kept[name] = value


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "of-this-machine")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


async def test_without_being_asked_nothing_is_made() -> None:
    project = Project()
    assert await preflight.known_secrets(project, WANTED, create=False) == frozenset()
    assert project.kept == {}


async def test_what_is_missing_is_made_of_what_this_environment_has() -> None:
    project = Project()
    assert await preflight.known_secrets(project, WANTED, create=True) == {"hf_token"}
    assert project.kept == {"hf_token": "of-this-machine"}


async def test_what_the_project_has_is_left_alone() -> None:
    project = Project(hf_token="of-the-team")
    assert await preflight.known_secrets(project, WANTED, create=True) == {"hf_token"}
    assert project.kept == {"hf_token": "of-the-team"}


def test_the_hint_names_the_flag_only_where_it_would_help() -> None:
    [line] = preflight.advice(WANTED, ())
    assert "--machine create_secrets=yes" in line
    assert "of-this-machine" not in line
    with pytest.raises(TargetUnavailable, match="wandb_api_key") as caught:
        preflight.refuse_missing(WANTED, ("hf_token",), "there")
    assert caught.value.hint == 'dstack secret set wandb_api_key "$WANDB_API_KEY"'
    assert preflight.advice(WANTED, ("hf_token",)) == []
    preflight.refuse_missing(WANTED, WANTED.values(), "there")
