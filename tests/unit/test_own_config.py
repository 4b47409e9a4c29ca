"""A person's own config opened in the wizard: changed where it was answered, else left alone."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
import yaml

from ftui.config.changes import changes
from ftui.config.text import config_text, save
from ftui.errors import ConfigError, ExitCode, UsageError
from ftui.plan.flags import plan_from_flags
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.models import known_models
from ftui.plan.own_config import open_config
from ftui.plan.plan import Plan
from ftui.plan.presets import catalogue
from ftui.plan.step import TargetChoice, World
from ftui.plan.step_preset import shortage
from ftui.plan.steps import STEPS, begin, step
from ftui.tui.services import Services

CONFIG = """\
# Our support bot.  Ask Ana before changing the rate.
base_model:   Qwen/Qwen3-0.6B   # small is enough

datasets:
    - path: acme/support   # private
      type: chat_template
chat_template: 'qwen3'
adapter: lora
lora_r: 16      # 8 was too little
lora_alpha: 32
lora_target_linear: true
sequence_len: 1024
learning_rate: 2e-4
output_dir: ./ours
"""
CPU = Hardware(cores=2, memory_gib=8.0)
TWO = Hardware(cores=8, memory_gib=64.0, gpus=(Gpu("NVIDIA A10", 24, "sm_86"),) * 2)
WORLD = World(
    CPU, catalogue().presets, known_models(), (TargetChoice("local", "This machine", CPU.words),)
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    path = tmp_path / "Support Bot.yml"
    path.write_text(CONFIG)
    return path


def opened(file: Path) -> Plan:
    return begin(open_config(file), CPU)


def differing(old: str, new: str) -> list[tuple[str, str]]:
    assert len(old.splitlines()) == len(new.splitlines())
    pairs = zip(old.splitlines(), new.splitlines(), strict=True)
    return [(before, after) for before, after in pairs if before != after]


def test_the_gpu_it_cannot_do_without_is_named_without_a_size(file: Path) -> None:
    file.write_text("base_model: a/b\nbf16: true\n")
    machine = Hardware(cores=2, memory_gib=8.0)
    assert shortage(open_config(file).needs, machine) == "needs a GPU; this machine has no GPU"


def test_what_runs_is_the_file_with_what_a_run_needs(file: Path) -> None:
    text = config_text(opened(file))
    for line in CONFIG.splitlines()[:-1]:
        assert line in text.splitlines(), "comments, blank lines and spacing are kept"
    data = yaml.safe_load(text)
    assert data["output_dir"] == "./out"
    assert "ftui_events.FtuiEvents" in data["plugins"]


def test_a_run_is_called_after_the_file(file: Path) -> None:
    assert open_config(file).name == "support-bot"


def test_saving_what_was_not_changed_changes_no_byte(file: Path) -> None:
    plan = opened(file)
    assert save(plan, config_text(plan), CONFIG) == CONFIG
    assert file.read_text() == CONFIG


def test_an_answer_changes_its_own_line_and_no_other(file: Path) -> None:
    plan = opened(file)
    [rank] = [field for field in step("method").fields if field.id == "lora_r"]
    plan = rank.write(plan, "64")
    save(plan, config_text(plan), CONFIG)
    assert differing(CONFIG, file.read_text()) == [
        ("lora_r: 16      # 8 was too little", "lora_r: 64      # 8 was too little")
    ]


def test_an_edit_by_hand_is_saved_with_its_remark_and_without_the_runs_settings(
    file: Path,
) -> None:
    plan = opened(file)
    edited = config_text(plan).replace("lora_alpha: 32", "lora_alpha: 64  # twice")
    edited = edited.replace(
        "adapter: lora\n", "# one adapter for all\nadapter: lora\nweight_decay: 7\n"
    )
    save(plan, edited, CONFIG)
    expected = CONFIG.replace("lora_alpha: 32", "lora_alpha: 64  # twice")
    before = "# one adapter for all\nadapter: lora\nweight_decay: 7\n"
    expected = expected.replace("adapter: lora\n", before)
    assert file.read_text() == expected


GPU_LINES = "flash_attention: true  # fast\nseed: 1  # lucky\ntf32: true  # faster\n"


def test_what_a_cpu_cannot_do_stays_where_and_as_it_was(file: Path) -> None:
    text = CONFIG.replace("adapter: lora\n", f"{GPU_LINES}adapter: lora\n")
    file.write_text(text)
    plan = dataclasses.replace(opened(file), gpus=0)
    shown = config_text(plan)
    assert "flash_attention" not in shown
    assert save(plan, shown, text) == text
    edited = shown.replace("lora_r: 16 ", "lora_r: 8 # less")
    assert save(plan, edited, text) == text.replace("lora_r: 16 ", "lora_r: 8 # less")


def test_an_answer_and_an_edit_are_saved_together(file: Path) -> None:
    text = CONFIG.replace("adapter: lora\n", f"{GPU_LINES}adapter: lora\n")
    file.write_text(text)
    plan = dataclasses.replace(opened(file), gpus=0)
    [rank] = [field for field in step("method").fields if field.id == "lora_r"]
    plan = rank.write(plan, "64")
    edited = config_text(plan).replace("learning_rate", "# slow\nlearning_rate")
    expected = text.replace("lora_r: 16", "lora_r: 64").replace("learning", "# slow\nlearning")
    assert save(plan, edited, text) == expected


def test_a_file_that_somebody_else_changed_is_not_overwritten(file: Path) -> None:
    plan = opened(file)
    file.write_text(CONFIG + "seed: 1\n")
    with pytest.raises(ConfigError, match="changed meanwhile"):
        save(plan, config_text(plan), CONFIG)
    assert file.read_text() == CONFIG + "seed: 1\n"


@pytest.mark.parametrize("draft", ["a: [1\n", "# nothing\n", "- a\n", "abc\n", ""])
def test_text_that_is_no_config_is_not_saved(file: Path, draft: str) -> None:
    with pytest.raises(ConfigError, match="not written: this is no"):
        save(opened(file), draft, CONFIG)
    assert file.read_text() == CONFIG


@pytest.mark.parametrize(
    ("own", "was", "now"),
    [
        ("lora_dropout:\n", "lora_dropout:\n", ""),
        ("train_on_inputs: true\n", "train_on_inputs: true\n", "train_on_inputs: 1\n"),
        ("save_steps: 2\n", "save_steps: 2\n", "save_steps: 2.0\n"),
        ("save_steps: .nan\n", "", ""),
        ("", "adapter: lora\n", "weight_decay:\nadapter: lora\n"),
    ],
)
def test_an_edit_that_python_calls_equal_is_saved_too(
    file: Path, own: str, was: str, now: str
) -> None:
    file.write_text(CONFIG + own)
    plan = opened(file)
    save(plan, config_text(plan).replace(was, now), CONFIG + own)
    assert file.read_text() == (CONFIG + own).replace(was, now)


def test_a_byte_order_mark_stays(file: Path) -> None:
    file.write_text("\ufeff" + CONFIG)
    plan = opened(file)
    shown = config_text(plan).replace("lora_alpha: 32", "lora_alpha: 8")
    save(plan, shown, "\ufeff" + CONFIG)
    expected = "\ufeff" + CONFIG.replace("lora_alpha: 32", "lora_alpha: 8")
    assert file.read_text(encoding="utf-8") == expected


def test_a_link_stays_a_link_and_the_file_keeps_its_mode(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yml"
    link.symlink_to(file)
    file.chmod(0o600)
    plan = begin(open_config(link), CPU)
    save(plan, config_text(plan).replace("lora_alpha: 32", "lora_alpha: 8"), CONFIG)
    assert link.is_symlink()
    assert "lora_alpha: 8" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_every_step_can_be_asked_of_any_config(tmp_path: Path) -> None:
    for text in ("{}\n", "datasets: x\n", "datasets: [x, 3]\nadapter: [1]\n", "3: 4\nlora_r: {}\n"):
        path = tmp_path / "odd.yml"
        path.write_text(text)
        plan = begin(open_config(path), CPU)
        world = WORLD.with_preset(plan.preset)
        for each in STEPS:
            for option in each.options(plan, world):
                each.explain(plan, option.value, world)
            assert each.apply(plan, each.current(plan), world) == plan
            each.summary(plan)
            assert all(isinstance(field.read(plan), str) for field in each.fields)
        assert yaml.safe_load(config_text(plan))["output_dir"] == "./out"


def test_the_wizard_starts_from_the_file_and_can_come_back_to_it(file: Path) -> None:
    plan = opened(file)
    world = WORLD.with_preset(plan.preset)
    preset = step("preset")
    assert preset.options(plan, world)[0].value == preset.current(plan) == "support-bot"
    other = preset.apply(plan, "nano-sql-lora", world)
    assert "opened" in preset.explain(other, "support-bot", world)
    assert preset.apply(other, "support-bot", world) == plan


@pytest.mark.parametrize(
    ("line", "hardware", "gpus"),
    [
        ("bf16: auto\n", CPU, 0),
        ("bf16: auto\n", TWO, 1),
        ("bf16: true\n", CPU, 1),
        ("fsdp_version: 2\n", TWO, 2),
        ("deepspeed: zero3.json\n", CPU, 2),
        ("attn_implementation: flash_attention_2\n", CPU, 1),
    ],
)
def test_the_gpus_are_those_that_the_config_cannot_do_without(
    file: Path, line: str, hardware: Hardware, gpus: int
) -> None:
    file.write_text(CONFIG + line)
    assert begin(open_config(file), hardware).gpus == gpus


@pytest.mark.parametrize(
    ("data", "where", "words"),
    [
        (b"a: [1\n", ":1", "not YAML"),
        (b"- a\n", ":1", "mapping"),
        (b"", ":1", "mapping"),
        (b"\xff\xfe", "", "UTF-8"),
        (b"#" * (2**20 + 1), "", "too large"),
    ],
)
def test_what_is_no_config_is_refused_with_its_place(
    tmp_path: Path, data: bytes, where: str, words: str
) -> None:
    path = tmp_path / "mine.yml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=words) as caught:
        open_config(path)
    assert caught.value.where == f"{path}{where}"
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        open_config(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        open_config(tmp_path / "missing.yml")


def test_the_flags_start_from_a_config_and_change_it(file: Path) -> None:
    plan = plan_from_flags(WORLD, preset=None, config=str(file), overrides=["lora_r=4"])
    assert "lora_r: 4      # 8 was too little" in config_text(plan)
    with pytest.raises(UsageError, match="give one of them"):
        plan_from_flags(WORLD, preset="x", config=str(file))


def test_what_the_answers_changed_is_told_for_a_file_of_ones_own(file: Path) -> None:
    plan = opened(file)
    assert changes(plan) == []
    settings = {**plan.settings, "lora_r": 8, "bf16": True}
    del settings["chat_template"]
    plan = dataclasses.replace(plan, settings=settings)
    assert changes(plan) == ["lora_r 8", "bf16 true", "chat_template removed"]


def test_what_a_saved_config_needs_is_what_it_needs_now(file: Path) -> None:
    plan = opened(file)
    saved = Services().save(plan, config_text(plan) + "bf16: true\n")
    assert (plan.preset.needs.gpus, saved.preset.needs.gpus) == (0, 1)
