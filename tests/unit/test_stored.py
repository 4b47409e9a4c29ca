"""What is kept of a run elsewhere, as the heaps that a person thinks of; and `ftui files`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ftui.runs import store
from ftui.runs.model import RunRecord
from ftui.targets.stored import Fetched, StoredFile, heaps

FTUI = str(Path(sys.executable).with_name("ftui"))


def of(*paths: str) -> list[StoredFile]:
    return [StoredFile(path, 10, float(number)) for number, path in enumerate(paths)]


def test_files_are_put_together_the_newest_checkpoint_first() -> None:
    found = heaps(
        of(
            "config.yml",
            "feed/00001",
            "out/adapter_model.safetensors",
            "out/checkpoint-9/optimizer.pt",
            "out/checkpoint-10/optimizer.pt",
            "out/checkpoint-10/deep/er",
            "out/merged/model.safetensors",
            "out/checkpoint-10.txt",
            "inputs/rows.jsonl",
        )
    )
    names = [heap.name for heap in found]
    assert names[:4] == ["checkpoint-10", "checkpoint-9", "weights", "merged"]
    assert names[4:] == ["log", "inputs", "other", "everything"]
    first, everything = found[0], found[-1]
    assert (first.folder, first.size, first.time) == ("out/checkpoint-10", 20, 5.0)
    assert [file.path for file in found[2].files][1:] == ["out/checkpoint-10.txt"]
    assert found[2].folder is None  # checkpoints are in the same folder
    assert (everything.folder, everything.size) == ("", 90)


def test_what_a_run_of_this_machine_has_is_told_as_what_it_is() -> None:
    found = {
        heap.name: {file.path for file in heap.files}
        for heap in heaps(
            of(
                "run.json",
                "train.log",
                "serve-2.log",
                "events.jsonl",
                "feed/00001",
                "out.1/checkpoint-9/optimizer.pt",
                "out.1/adapter_model.safetensors",
                "out/debug.log",
            )
        )
    }
    assert list(found) == ["weights", "set-aside", "log", "other", "everything"]
    assert found["log"] == {"train.log", "serve-2.log", "events.jsonl", "feed/00001"}
    assert len(found["set-aside"]) == 2
    assert found["weights"] == {"out/debug.log"}
    [log] = [heap for heap in heaps(of("train.log", "feed/00001")) if heap.name == "log"]
    assert log.folder is None, "not all of it is in the feed"


def test_of_nothing_there_is_nothing() -> None:
    assert heaps([]) == ()


@pytest.mark.parametrize(
    ("files", "summed", "words"),
    [
        (9, 9, "9 files in out, each verified by its sha256"),
        (1, 0, "1 file in out, each verified by its size"),
        (9, 2, "9 files in out, each verified by its size, 2 by their sha256"),
    ],
)
def test_it_is_said_how_it_is_known_that_it_is_whole(files: int, summed: int, words: str) -> None:
    assert Fetched("out", files, summed).words == words


# ── The command ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with a run of this machine and one of Modal, who is not logged in there."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "modal.toml"))
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for target in ("local", "modal"):
        run = store.create(f"on-{target}")
        store.write_record(run, RunRecord(run.name, "nano", "", target, 1.0, {}))


def files(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FTUI, "files", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("on-local", "--fetch", "weights"), 2, "is on this machine"),
        (("on-local", "--remove", "weights"), 2, "is on this machine"),
        (("on-modal",), 3, "not logged in to Modal"),
        (("on-modal", "--json"), 3, "not logged in to Modal"),
        (("on-modal", "--fetch", "a", "--remove", "b"), 2, "--fetch NAME, or --remove NAME"),
        (("on-modal", "-y"), 2, "--fetch NAME, or --remove NAME"),
        (("nobody",), 2, "nobody"),
    ],
)
def test_what_cannot_be_listed_is_told(
    person: None, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = files(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_what_is_on_this_machine_is_listed_and_where_it_is(person: None, tmp_path: Path) -> None:
    run = store.find("on-local")
    (run.output_dir / "checkpoint-7").mkdir(parents=True)
    (run.output_dir / "checkpoint-7" / "optimizer.pt").write_bytes(b"0" * 2**20)
    done = files("on-local")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("checkpoint-7")
    assert "1.0 MiB" in done.stdout
    assert f"on this machine: {run.folder}" in done.stderr
    told = json.loads(files("on-local", "--json").stdout)
    assert [heap["name"] for heap in told] == ["checkpoint-7", "other", "everything"]
    assert told[0]["bytes"] == 2**20
