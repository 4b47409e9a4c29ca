"""GPUs, limits, names and words of a run on Modal: what needs no Modal to be right."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.errors import TargetUnavailable, UsageError
from ftui.runs import store
from ftui.runs.model import Run, RunRecord
from ftui.targets.modal import app, gpu, inputs, login, modal_app, position
from ftui.targets.modal.api import RUNS, STOPS, Standing
from ftui.targets.modal.options import Options, parse, read
from ftui.targets.modal.states import words
from ftui.targets.remote.inputs import bring
from tests.standins.scripted_trainer import save_weights

# ── GPUs ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "count", "asked"),
    [("H100", 2, "H100:2"), ("h100!", 1, "H100!:1"), ("A100", 8, "A100:8"), ("", 0, "")],
)
def test_what_modal_is_asked_for(name: str, count: int, asked: str) -> None:
    assert gpu.request(name, count) == asked


@pytest.mark.parametrize(("name", "count"), [("H100", 9), ("A10", 5), ("L4", -1)])
def test_more_than_go_together_is_refused(name: str, count: int) -> None:
    with pytest.raises(UsageError, match="do not go together"):
        gpu.request(name, count)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("FOO", "there is T4, L4"), ("H10O", "did you mean H100?"), ("a100-80", "A100-80GB?")],
)
def test_a_gpu_that_modal_has_not(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match="Modal has no GPU") as caught:
        gpu.find(name)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["H100:2", "H100:0", "L4:"])
def test_a_count_in_the_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not part of their name") as caught:
        gpu.find(name)
    assert "--gpus" in caught.value.hint


@pytest.mark.parametrize(
    ("memory", "name"),
    [(0, "L4"), (24, "L4"), (40, "L40S"), (48, "L40S"), (80, "A100-80GB"), (141, "H200")],
)
def test_the_cheapest_that_has_the_memory(memory: float, name: str) -> None:
    assert gpu.cheapest(memory).name == name


def test_more_memory_than_any_gpu_has() -> None:
    with pytest.raises(UsageError, match="no GPU of Modal has 400 GiB"):
        gpu.cheapest(400)


def test_an_hour_costs_the_gpus_and_the_machine() -> None:
    machine = gpu.dollars("", 0)
    assert machine == pytest.approx(4 * 0.04716 + 16 * 0.007992)
    assert gpu.dollars("H100", 2) == pytest.approx(7.90 + 2 * machine)
    assert gpu.words("H100", 2) == "2 × H100 · $8.53/h (Modal's list of 2026-07-01)"


# ── Limits ───────────────────────────────────────────────────────────────────────────────────


def test_wishes_as_a_person_types_them() -> None:
    typed = {"gpu": " h100 ", "max_hours": "2.5", "max_dollars": "20", "retries": "0"}
    assert parse(typed) == Options(gpu="H100", max_hours=2.5, max_dollars=20.0, retries=0)
    assert parse({}) == Options()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gpu", "FOO"),
        ("gpu", ""),
        ("max_hours", "0"),
        ("max_hours", "nan"),
        ("max_dollars", "inf"),
        ("max_dollars", "$3"),
        ("retries", "-1"),
        ("retries", "11"),
        ("retries", "²"),
        ("max_price", "2"),
    ],
)
def test_wishes_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        parse({name: text})


def test_both_limits_hold() -> None:
    assert Options(max_hours=12).hours(4.0) == 12
    assert Options(max_hours=12, max_dollars=20).hours(4.0) == 5
    assert Options(max_hours=2, max_dollars=20).hours(4.0) == 2


@given(st.recursive(st.none() | st.integers() | st.text(), lambda v: st.dictionaries(st.text(), v)))
def test_a_record_of_any_content_is_read(raw: object) -> None:
    assert read({"modal": raw}) == Options()
    assert read({"modal": {"options": {"gpu": raw}}}).max_hours == 12.0


# ── modal_app.py ─────────────────────────────────────────────────────────────────────────────

VALUES = app.Values("nano-1128-amber", "H100:2", 2, 1, 2.5, ("huggingface", "wandb"))


def constants(text: str) -> dict[str, object]:
    """The constants of a module that are plain values."""
    found: dict[str, object] = {}
    for node in ast.parse(text).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and value is not None:
            try:
                found[target.id] = ast.literal_eval(value)
            except ValueError:
                continue
    return found


def test_the_file_is_filled_in_and_says_the_rest_as_it_ships() -> None:
    made = constants(app.text(VALUES))
    shipped = constants(Path(modal_app.__file__).read_text())
    changed = {
        "RUN": "nano-1128-amber",
        "APP": "ftui-nano-1128-amber",
        "GPU": "H100:2",
        "GPUS": 2,
        "RETRIES": 1,
        "MAX_HOURS": 2.5,
        "SECRETS": ["huggingface", "wandb"],
        "SERVE_GPU": "H100:2",
    }
    assert made == shipped | changed


def test_without_a_gpu_it_is_served_on_the_usual_one() -> None:
    made = constants(app.text(app.Values("nano", "", 0, 3, 12.0)))
    assert (made["GPU"], made["GPUS"]) == ("", 0)
    assert made["SERVE_GPU"] == "L40S"


def test_the_file_and_ftui_mean_the_same() -> None:
    assert modal_app.MARK == position.MARK
    text = Path(modal_app.__file__).read_text()
    assert gpu.dollars("", 0) == pytest.approx(
        (modal_app.CORES * 0.0000131 + modal_app.MEMORY_GIB * 0.00000222) * 3600
    )
    for volume in (RUNS, STOPS):
        assert f'Volume.from_name("{volume}"' in text


@given(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,90}-1128-(amber|fox-2)-3f9a01", fullmatch=True))
def test_the_name_of_an_app_is_short_and_keeps_what_tells_runs_apart(run: str) -> None:
    name = app.app_name(run)
    assert len(f"{name}-serve") <= 64
    assert name.startswith("ftui-")
    assert name.endswith(run[run.rindex("-1128-") :])


def test_it_goes_on_from_the_newest_checkpoint_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modal_app, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert modal_app._newest_checkpoint() == ""
    for step in range(2, 14, 2):
        save_checkpoint(step)
    whole = {step: tmp_path / "out" / f"checkpoint-{step}" for step in (4, 6, 8, 10, 12)}
    (whole[12] / "trainer_state.json").unlink()
    weights = whole[10] / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (whole[8] / "optimizer.pt").write_bytes(b"PK")
    (whole[6] / "trainer_state.json").write_text("{")
    assert modal_app._newest_checkpoint() == "checkpoint-4"


def test_what_was_noted_of_checkpoints_holds_for_the_try_that_saved_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modal_app, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    for step in (2, 4):
        save_checkpoint(step)
    modal_app._sum_up_checkpoints()
    sums = {step: tmp_path / "sums" / f"checkpoint-{step}.json" for step in (2, 4)}
    weights = "out/checkpoint-4/adapter_model.safetensors"
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    assert json.loads(sums[4].read_text())[weights]["sha256"] == digest
    assert modal_app._sums_beyond("checkpoint-4") == []
    assert modal_app._sums_beyond("checkpoint-2") == [sums[4]]
    assert sorted(modal_app._sums_beyond("")) == sorted(sums.values())


def save_checkpoint(step: int) -> None:
    """As transformers does: weights, the optimizer, and last its state."""
    folder = Path("out") / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    save_weights(folder)
    with zipfile.ZipFile(folder / "optimizer.pt", "w") as optimizer:
        optimizer.writestr("data", bytes(100))
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))


def test_two_runs_of_one_name_do_not_meet_on_modal(tmp_path: Path) -> None:
    places = []
    for number, created in enumerate((1.25, 1.250001, 1.25)):
        run = Run(tmp_path / str(number) / "nano-1128-amber")
        store.write_record(run, RunRecord(run.name, "nano", "Nano", "modal", created, {}))
        places.append(app.place_of(run))
    assert places[0] == places[2] != places[1]
    assert all(re.fullmatch(r"nano-1128-amber-[0-9a-f]{6}", place) for place in places)


# ── What travels ─────────────────────────────────────────────────────────────────────────────


def test_what_is_on_this_disk_comes_along(tmp_path: Path) -> None:
    model, rows = tmp_path / "my model", tmp_path / "rows é.jsonl"
    (model / "deep").mkdir(parents=True)
    (model / "deep" / "weights").write_text("w")
    rows.write_text("{}")
    config = {
        "base_model": str(model),
        "datasets": [{"path": str(rows)}, {"path": "org/hub"}, {"path": str(rows)}],
    }
    packed = bring(config, tmp_path / "run")
    assert packed == {
        "base_model": "./inputs/my_model",
        "datasets": [
            {"path": "./inputs/rows__.jsonl"},
            {"path": "org/hub"},
            {"path": "./inputs/rows__.jsonl"},
        ],
    }
    assert (tmp_path / "run" / "inputs" / "my_model" / "deep" / "weights").read_text() == "w"
    assert bring(packed, tmp_path / "run") == packed


HERE = {"base_model": "./inputs/nano", "datasets": [{"path": "./inputs/rows.jsonl"}]}


@pytest.mark.parametrize(
    ("config", "downloaded"),
    [
        (HERE, []),
        ({**HERE, "base_model": "org/model"}, ["the base model org/model"]),
        ({**HERE, "base_model": "gpt2", "revision_of_model": "v1"}, ["the base model gpt2"]),
        ({**HERE, "datasets": [{"path": "org/rows"}]}, ["the rows org/rows"]),
        (
            {**HERE, "test_datasets": [{"path": "org/rows", "name": ["a", "b"]}]},
            ["the rows org/rows"] * 2,
        ),
        ({**HERE, "datasets": [{"path": "json", "data_files": "a.json"}]}, []),
        ({**HERE, "datasets": [{"path": "https://host/rows.jsonl"}]}, []),
    ],
)
def test_what_comes_from_the_hub_is_downloaded_before_there_is_a_gpu(
    config: dict[str, object], downloaded: list[str]
) -> None:
    assert inputs.asks_hub(config) == bool(downloaded)
    assert [what for what, _ in modal_app._downloads(config)] == downloaded


def test_rows_are_asked_for_as_axolotl_will() -> None:
    entry = {"path": "org/rows", "name": "sql", "split": "train", "type": "alpaca"}
    [(_, command)] = modal_app._downloads({**HERE, "datasets": [entry]})
    assert command[:2] == ["python", "-c"]
    wanted = {"path": "org/rows", "name": "sql", "split": "train"}
    assert json.loads(command[3]) == {**wanted, "data_files": None, "revision": None}


# ── Words ────────────────────────────────────────────────────────────────────────────────────


def test_where_a_call_stands() -> None:
    queued, there = Standing(1, 0), Standing(0, 1)
    assert words("train", queued, "H100:2", heard=False) == (
        "waiting for a machine with H100:2 (queued)"
    )
    assert words("prepare", queued, "H100:2", heard=False) == "waiting for a machine (queued)"
    assert words("train", there, "H100:2", heard=False) == "the container is starting"
    assert words("prepare", there, "", heard=True) == ""
    assert words("train", there, "", heard=True) == "axolotl is at work"


# ── Login ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the person's logins are; there is no other one."""
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "modal.toml"))
    return tmp_path / "modal.toml"


WORK = '[work]\ntoken_id = "ak"\ntoken_secret = "as"\n'
HOME = '[home]\ntoken_id = "ak"\ntoken_secret = "as"\nactive = true\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [(WORK, "work"), (WORK + HOME, "home"), ('[me]\noauth_refresh_token = "r"\n', "me")],
)
def test_the_login_in_use(toml: Path, text: str, found: str) -> None:
    toml.write_text(text)
    assert login.require() == f"profile {found}"


@pytest.mark.parametrize("text", ["", "[empty]\n", WORK + '[two]\ntoken_id = "ak"\n', WORK])
def test_no_login_is_told(toml: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text(text)
    if text == WORK:
        monkeypatch.setenv("MODAL_PROFILE", "nobody")
    with pytest.raises(TargetUnavailable, match="not logged in to Modal") as caught:
        login.require()
    assert "modal setup" in caught.value.hint
    assert "modal token set" in caught.value.hint


def test_a_login_that_cannot_be_read(toml: Path) -> None:
    toml.write_text("[half")
    with pytest.raises(TargetUnavailable, match="no toml"):
        login.require()


def test_a_token_of_the_environment_goes_first(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text(WORK)
    monkeypatch.setenv("MODAL_TOKEN_ID", "ak")
    monkeypatch.setenv("MODAL_TOKEN_SECRET", "as")
    assert login.require() == "token of the environment"


def test_the_package_is_asked_for(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TargetUnavailable, match="modal is not installed") as caught:
        login.require()
    assert caught.value.hint == "pip install 'ftui-llm[modal]'"
