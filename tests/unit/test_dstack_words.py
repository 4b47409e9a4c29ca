"""dstack's states, refusals, offers and logins, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftui.errors import TargetUnavailable
from ftui.plan.hardware import Gpu
from ftui.targets.dstack import login, market, offers, preflight, states
from ftui.targets.dstack.api import said
from ftui.targets.dstack.options import Options, parse


def run(status: str, /, **job: Any) -> dict[str, Any]:
    return {"status": status, "latest_job_submission": job}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (run("submitted", status="submitted"), "looking for a machine"),
        (run("pending", status="failed"), "waiting for a machine, tries again"),
        (run("provisioning", status="provisioning"), "starting the machine"),
        (run("submitted", status="pulling"), "pulling the image"),
        (
            run(
                "provisioning",
                status="pulling",
                image_pull_progress={"downloaded_bytes": 2**30, "total_bytes": 4 * 2**30},
            ),
            "pulling the image, 25 % of 4.0 GiB",
        ),
        (run("running", status="running"), "running"),
        (run("something new", status="x"), "something new"),
    ],
)
def test_a_run_that_goes_on(told: dict[str, Any], words: str) -> None:
    standing = states.standing(told)
    assert standing.words == words
    assert not standing.over
    assert standing.running == (words == "running")


@pytest.mark.parametrize(
    ("told", "code", "why"),
    [
        (run("done", status="done", exit_status=0), 0, ""),
        (
            run("failed", termination_reason="container_exited_with_error", exit_status=42),
            42,
            "",
        ),
        (
            run(
                "failed",
                termination_reason="failed_to_start_due_to_no_capacity",
                termination_reason_message="No matching fleet found.",
            ),
            1,
            "no machine could be had for it (No matching fleet found)",
        ),
        (
            run("failed", termination_reason="interrupted_by_no_capacity"),
            1,
            "its machine was taken away (spot interruption)",
        ),
        (
            run(
                "terminated",
                termination_reason="terminated_by_server",
                termination_reason_message="Secrets interpolation error: Failed to interpolate "
                "due to missing vars: ['secrets.nope']",
            ),
            1,
            "the project has no secret nope: dstack secret set nope",
        ),
        (run("terminated", termination_reason="max_duration_exceeded"), 1, "it reached its time"),
        (run("failed", termination_reason="a_new_reason"), 1, "a new reason"),
        ({"status": "failed"}, 1, ""),
    ],
)
def test_a_run_that_is_over(told: dict[str, Any], code: int, why: str) -> None:
    standing = states.standing(told)
    assert standing.over
    assert standing.code == code
    assert standing.why.startswith(why)


@pytest.mark.parametrize(
    ("detail", "words", "code"),
    [
        ("Not authenticated", "Not authenticated", ""),
        ({"msg": "Invalid token", "code": None}, "Invalid token", ""),
        ([{"msg": "Run not found", "code": "resource_not_exists"}], "Run not found", "resource"),
        ([{"loc": ["body", "name"], "msg": "bad"}, {"msg": "more"}], "body.name: bad; more", ""),
        ([], "", ""),
        (7, "7", ""),
    ],
)
def test_every_shape_of_a_refusal(detail: Any, words: str, code: str) -> None:
    found, its_code = said(detail)
    assert found == words
    assert its_code.startswith(code)


def offer(price: float = 3.2, *, availability: str = "available", **more: Any) -> dict[str, Any]:
    """A machine as the server tells of it; by default with one A100 of 80 GiB."""
    gpu = {"name": "A100", "memory_mib": 81920}
    resources = {"gpus": [gpu], "spot": False, **more}
    return {
        "backend": "aws",
        "region": "us-east-1",
        "price": price,
        "availability": availability,
        "instance": {"name": "p4", "resources": resources},
    }


def test_offers_that_can_be_had() -> None:
    gpu = {"name": "A100", "memory_mib": 81920}
    job = [
        offer(gpus=[gpu, gpu], spot=True),
        offer(availability="busy"),
        offer(availability="idle", gpus=[]),
    ]
    found = offers.offers({"job_plans": [{"offers": job}, {"offers": job}]})
    assert [offers.words(one) for one in found] == [
        "2 × A100 80GB 80 GiB · spot · aws us-east-1 · $3.20/h",
        "no GPU · on demand · aws us-east-1 · $3.20/h",
    ]
    assert offers.offers({}) == []


@pytest.mark.parametrize(
    ("name", "sold", "known"),
    [
        ("A100", 80, Gpu("A100 80GB", 80.0, "sm_80")),
        ("A100", 40, Gpu("A100", 40.0, "sm_80")),
        ("A10", 24, Gpu("A10", 22.5, "sm_86")),  # ECC takes its part
        ("RTX4090", 24564 / 1024, Gpu("RTX4090", 24564 / 1024, "sm_89")),
        ("RTX3060", 8, Gpu("RTX3060", 8.0, "sm_86")),  # the table has the larger one
        ("GTX9999", 96, Gpu("GTX9999", 96.0, "")),
    ],
)
def test_a_card_has_the_memory_that_a_driver_tells(name: str, sold: float, known: Gpu) -> None:
    assert offers.card(name, sold) == known


def test_of_each_card_the_cheapest_machine_is_shown_and_can_be_asked_for() -> None:
    small = {"name": "A100", "memory_mib": 40960}
    found = offers.offers(
        {
            "job_plans": [
                {
                    "offers": [
                        offer(9.0),
                        offer(3.0),
                        offer(1.0, spot=True),
                        offer(2.0, gpus=[small]),
                    ]
                }
            ]
        }
    )
    kinds = list(market.chosen(found, 1, Options()))
    assert [one.dollars for one in kinds] == [1.0, 2.0, 3.0]
    assert [dict(one.wishes) for one in kinds] == [
        {"gpu": "A100:80GB", "spot_policy": "spot"},
        {"gpu": "A100:40GB", "spot_policy": "on-demand"},
        {"gpu": "A100:80GB", "spot_policy": "on-demand"},
    ]
    for one in kinds:
        assert parse(one.wishes).gpu == one.wishes["gpu"]


def test_who_takes_a_machine_above_the_usual_cap_agrees_to_its_price() -> None:
    [dear] = market.chosen(offers.offers({"job_plans": [{"offers": [offer(5.125)]}]}), 1, Options())
    assert dear.wishes["max_price"] == "5.13"
    assert parse(dear.wishes).price_cap(1) >= 5.125


def test_a_plan_without_gpus_takes_the_cheapest_machine_whatever_is_in_it() -> None:
    found = offers.offers({"job_plans": [{"offers": [offer(3.0), offer(0.5, gpus=[])]}]})
    [one] = market.chosen(found, 0, Options())
    assert (one.gpu, one.count, one.dollars, one.wishes) == (None, 0, 0.5, {})


def test_machines_that_train_together_are_offered_at_the_price_of_all() -> None:
    found = offers.offers({"job_plans": [{"offers": [offer(3.0)]}]})
    [one] = market.chosen(found, 1, Options(nodes=2))
    assert (one.count, one.dollars, one.place) == (2, 6.0, "2 machines, aws us-east-1")
    assert "max_price" not in one.wishes  # which is asked for each of them


def test_of_several_machines_the_one_that_failed_is_named() -> None:
    first = {"status": "terminated", "termination_reason": "terminated_by_server"}
    second = {
        "status": "failed",
        "termination_reason": "container_exited_with_error",
        "exit_status": 7,
    }
    told = {
        "status": "failed",
        "run_spec": {"run_name": "a-run"},
        "jobs": [{"job_submissions": [one]} for one in (first, second)],
        "latest_job_submission": first,
    }
    standing = states.standing(told)
    assert standing.code == 7
    assert standing.why.startswith("machine 2 of 2 failed: exit code 7")
    assert "dstack logs a-run --job 1" in standing.why


@pytest.mark.parametrize(
    ("asked", "unknown"),
    [
        ("nvidia:24GB..:1", False),
        ("0..", False),
        ("nvidia:A100:80GB..:1", False),
        ("nvidia:A100,H100:1", False),
        ("nvidia:FOO:24GB..:1", True),
        ("nvidia:A100,FOO:1", True),
    ],
)
def test_a_card_that_nobody_has_heard_of_is_said_to_be(asked: str, unknown: bool) -> None:
    with pytest.raises(TargetUnavailable, match="no machine") as caught:
        preflight.cheapest({"job_plans": []}, asked, 4.0)
    assert ("knows no GPU of that name" in caught.value.why) == unknown


# ── Logins ───────────────────────────────────────────────────────────────────────────────────

TWO = """\
projects:
- {name: main, url: "http://one/", token: a-secret-of-mine, default: false}
- {name: team, url: "http://two", token: another, default: true}
- {name: half}
- nonsense
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DSTACK_PROJECT", raising=False)
    file = tmp_path / ".dstack" / "config.yml"
    file.parent.mkdir()
    return file


def test_the_project_is_the_one_that_dstack_would_use(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(TWO)
    assert login.find().project == "team"
    assert login.find("main").url == "http://one"
    monkeypatch.setenv("DSTACK_PROJECT", "main")
    assert login.find().project == "main"
    assert "a-secret-of-mine" not in repr(login.find())


@pytest.mark.parametrize("text", [None, "", "projects: 7", "[]", "projects: [{}]"])
def test_no_login(config: Path, text: str | None) -> None:
    if text is not None:
        config.write_text(text)
    with pytest.raises(TargetUnavailable, match="not logged in") as caught:
        login.find()
    assert "dstack project add" in caught.value.hint


def test_a_project_of_which_there_is_no_login(config: Path) -> None:
    config.write_text(TWO)
    with pytest.raises(TargetUnavailable, match="'nobody'") as caught:
        login.find("nobody")
    assert "main, team" in caught.value.hint


def test_a_login_that_cannot_be_read(config: Path) -> None:
    config.write_text("projects: [")
    with pytest.raises(TargetUnavailable, match="cannot be read"):
        login.find()
