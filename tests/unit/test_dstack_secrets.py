"""Secrets of a dstack project: made only when asked, and said where one may be missing."""

from __future__ import annotations

import pytest

from ftui.errors import TargetUnavailable
from ftui.targets.dstack import preflight
from ftui.targets.dstack.api import Api, Refused
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.preflight import Secrets

WANTED = {"HF_TOKEN": "hf_token", "WANDB_API_KEY": "wandb_api_key"}


class Closed(Api):
    """A project that tells its secrets to others."""

    def __init__(self, code: str = "forbidden") -> None:
        super().__init__(Login("main", "http://nowhere", "none"))
        self.code = code

    async def secrets(self) -> frozenset[str]:
        raise Refused("no", code=self.code)


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
    assert await preflight.known_secrets(project, WANTED, create=False) == Secrets()
    assert project.kept == {}


async def test_what_is_missing_is_made_of_what_this_environment_has() -> None:
    project = Project()
    found = await preflight.known_secrets(project, WANTED, create=True)
    assert found.names == {"hf_token"}
    assert project.kept == {"hf_token": "of-this-machine"}


async def test_what_the_project_has_is_left_alone() -> None:
    project = Project(hf_token="of-the-team")
    found = await preflight.known_secrets(project, WANTED, create=True)
    assert found.names == {"hf_token"}
    assert project.kept == {"hf_token": "of-the-team"}


def test_the_hint_names_the_flag_only_where_it_would_help() -> None:
    [line] = preflight.advice(WANTED, Secrets())
    assert "--machine create_secrets=yes" in line
    assert "of-this-machine" not in line
    with pytest.raises(TargetUnavailable, match="wandb_api_key") as caught:
        preflight.refuse_missing(WANTED, ("hf_token",), "there")
    assert caught.value.hint == 'dstack secret set wandb_api_key "$WANDB_API_KEY"'
    assert preflight.advice(WANTED, Secrets(frozenset({"hf_token"}))) == []
    preflight.refuse_missing(WANTED, WANTED.values(), "there")


async def test_nobody_asks_for_secrets_that_nothing_needs() -> None:
    assert await preflight.known_secrets(Closed(), {}, create=False) == Secrets()


async def test_a_member_who_is_told_no_secrets_goes_on_and_hears_of_it() -> None:
    found = await preflight.known_secrets(Closed(), WANTED, create=False)
    preflight.refuse_missing(WANTED, found.names, "there")
    assert "hf_token" not in found.names, "a reference to a secret that is not there ends the run"
    [line] = preflight.advice(WANTED, found)
    assert "only managers" in line


@pytest.mark.parametrize(("code", "create"), [("forbidden", True), ("no_project", False)])
async def test_another_refusal_is_one(code: str, create: bool) -> None:
    with pytest.raises(Refused):
        await preflight.known_secrets(Closed(code), WANTED, create=create)
