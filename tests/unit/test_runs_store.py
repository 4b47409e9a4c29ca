"""Run folders: names, records, listings; nothing in the folder can make them fall over."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ftui import paths
from ftui.errors import RunNotFound
from ftui.runs import store
from ftui.runs.history import History
from ftui.runs.model import ProcessId, Run, RunRecord, RunState
from ftui.runs.words import WORDS


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))


def made(created: float, preset: str = "nano") -> Run:
    run = store.create(preset)
    record = RunRecord(
        name=run.name,
        preset=preset,
        title="Nano",
        target="local",
        created=created,
        settings={"base_model": "builtin:nano"},
    )
    store.write_record(run, record)
    return run


def test_a_name_says_preset_day_and_a_word() -> None:
    assert re.fullmatch(r"nano-sql-lora-\d{4}-[a-z]+", store.create("nano-sql-lora").name)
    assert re.fullmatch(r"my-preset-\d{4}-[a-z]+", store.create("../My Preset").name)


def test_runs_made_at_the_same_time_have_names_of_their_own() -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(store.create, ["nano"] * (len(WORDS) + 20)))
    assert len({run.name for run in runs}) == len(runs)


def test_there_is_no_run_before_its_record() -> None:
    run = store.create("nano")
    assert store.list_runs() == []
    with pytest.raises(RunNotFound):
        store.find(run.name)


def test_newest_first_whatever_else_lies_there() -> None:
    old, new, middle = made(1.0), made(3.0), made(2.0)
    broken = made(4.0)
    broken.record_file.write_text('{"v": 1, "name": "br')
    runs = paths.runs_dir()
    (runs / "notes.txt").write_text("mine")
    (runs / "empty").mkdir()
    (runs / ".draft").mkdir()
    (runs / ".draft" / "run.json").write_text(new.record_file.read_text())
    assert store.list_runs() == [new, middle, old]
    assert store.find("latest") == new
    assert store.find(old.name) == old


def test_the_latest_is_one_that_was_started() -> None:
    started, written = made(1.0), made(2.0)
    assert store.find("latest") == written
    started.events_file.touch()
    assert store.find("latest") == started


def test_one_that_was_started_again_is_the_newest() -> None:
    old, new = made(1.0), made(2.0)
    store.write_record(old, replace(store.read_record(old), launched=3.0))
    assert store.list_runs() == [old, new]


def test_no_folder_no_runs() -> None:
    assert store.list_runs() == []
    with pytest.raises(RunNotFound, match="no runs yet"):
        store.find("latest")


def test_an_unknown_run_names_the_nearest() -> None:
    run = made(1.0)
    with pytest.raises(RunNotFound) as caught:
        store.find(run.name[:-1] + "zz")
    assert run.name in caught.value.hint


def test_the_beginning_or_the_last_words_of_a_name_do_where_only_one_run_has_them() -> None:
    run, other = made(1.0, "nano-sql"), made(2.0, "llama3")
    word = run.name.rpartition("-")[2]
    for short in ("nano", run.name[:-1], word, run.name.removeprefix("nano-sql-")):
        assert store.find(short) == run
    assert store.find("llama3") == other
    for name in ("sql", word[1:], "", run.name.upper()):
        with pytest.raises(RunNotFound):
            store.find(name)
    with pytest.raises(RunNotFound) as caught:
        store.find("nano", whole=True)
    assert run.name in caught.value.hint


def test_a_short_name_of_several_runs_names_them() -> None:
    runs = [made(float(number), "nano") for number in range(3)]
    with pytest.raises(RunNotFound, match="3 runs are called 'nano' for short") as caught:
        store.find("nano")
    assert caught.value.hint == ", ".join(sorted(run.name for run in runs))
    made(1.0, runs[0].name)
    assert store.find(runs[0].name) == runs[0], "the whole name is no short one"


@pytest.mark.parametrize("name", ["", ".", "..", "../runs", "a/b", "/etc", "nano\n", "NANO", "a\0"])
def test_a_name_cannot_lead_out_of_the_folder(name: str) -> None:
    made(1.0)
    with pytest.raises(RunNotFound):
        store.find(name)


def test_a_record_comes_back_as_it_was_written() -> None:
    run = made(1.0)
    record = replace(
        store.read_record(run),
        command=("python", "-m", "axolotl.cli.train"),
        trainer=ProcessId(12, 3.5),
        extra={"note": "ü"},
    )
    store.write_record(run, record)
    assert store.read_record(run) == record


def test_whatever_yaml_can_say_can_be_recorded() -> None:
    run = made(1.0)
    settings = {"hub_revision": date(2026, 1, 2), "loss": float("nan")}
    store.write_record(run, replace(store.read_record(run), settings=settings))
    assert store.read_record(run).settings["hub_revision"] == "2026-01-02"


def test_a_record_of_a_newer_ftui_is_read_as_far_as_it_is_known() -> None:
    run = made(1.0)
    raw = json.loads(run.record_file.read_text())
    run.record_file.write_text(json.dumps({**raw, "v": 2, "weather": "fine"}))
    assert store.read_record(run).preset == "nano"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"created": "x"}', '{"created": 1}', "\udcff"])
def test_a_broken_record_is_one_clear_error(text: str) -> None:
    run = made(1.0)
    run.record_file.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(RunNotFound) as caught:
        store.read_record(run)
    assert caught.value.where == str(run.record_file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("created", float("nan")),
        ("created", float("-inf")),
        ("target", None),
        ("preset", 7),
        ("settings", []),
        ("trainer", {"pid": "4711", "started": 1.0}),
        ("supervisor", {"pid": 4711, "started": None}),
    ],
)
def test_a_record_with_a_value_of_the_wrong_kind_is_broken(key: str, value: object) -> None:
    run = made(1.0)
    raw = json.loads(run.record_file.read_text())
    run.record_file.write_text(json.dumps({**raw, key: value}))
    with pytest.raises(RunNotFound, match="cannot be read") as caught:
        store.read_record(run)
    assert "wrong kind" in str(caught.value)


def test_a_run_that_was_never_launched_is_created() -> None:
    assert store.state(made(1.0), History()) is RunState.CREATED


def test_a_recycled_pid_is_not_the_trainer() -> None:
    run = made(1.0)
    record = store.read_record(run)
    store.write_record(run, replace(record, trainer=ProcessId(1, started=-5.0)))
    assert store.state(run, History()) is RunState.INTERRUPTED
