"""Presets: readable by people, strict about mistakes, the person's own before ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ftui import paths
from ftui.errors import ExitCode, PresetError
from ftui.estimate.estimate import estimate
from ftui.estimate.fit import Fit
from ftui.plan.hardware import Gpu
from ftui.plan.models import BaseModel, known_models
from ftui.plan.plan import Preset, start
from ftui.plan.presets import catalogue, find, load

GOOD = """\
title: Mine
for: me
axolotl:
  base_model: some/model
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the person's own presets."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    folder = tmp_path / "presets"
    folder.mkdir()
    return folder


def _broken(own: Path, text: str) -> PresetError:
    path = own / "mine.yml"
    path.write_text(text)
    with pytest.raises(PresetError) as caught:
        load(path)
    assert caught.value.exit_code == ExitCode.USAGE
    return caught.value


def test_ships_the_presets_of_the_promise(own: Path) -> None:
    names = [preset.name for preset in catalogue().presets]
    assert names[:2] == ["nano-sql-lora", "nano-sql-qlora"]  # what needs least comes first
    assert len(names) >= 40
    assert set(names) >= {
        "nano-sql-full",
        "smollm2-135m-lora",
        "qwen3-0.6b-lora",
        "llama3-8b-lora",
        "llama3-8b-qlora",
        "llama3-8b-qlora-fsdp",
        "llama3-70b-qlora-fsdp",
        "codellama-7b-sql-lora",
        "mistral-7b-lora-deepspeed",
    }
    assert catalogue().broken == ()


def test_codellama_is_the_classic_guide(own: Path) -> None:
    settings = find("codellama-7b-sql-lora").settings
    assert (settings["lora_r"], settings["lora_alpha"], settings["lora_dropout"]) == (8, 16, 0.05)
    assert settings["lora_target_modules"] == ["q_proj", "v_proj"]


def test_the_smallest_preset_is_a_title_a_reader_and_a_mapping(own: Path) -> None:
    (own / "mine.yml").write_text(GOOD)
    preset = find("mine")
    assert (preset.name, preset.title, preset.audience) == ("mine", "Mine", "me")
    assert preset.settings == {"base_model": "some/model"}
    assert (preset.needs.gpus, preset.evaluation, preset.try_asking) == (0, None, ())


def test_ones_own_preset_wins_over_the_built_in_one(own: Path) -> None:
    (own / "nano-sql-lora.yml").write_text(GOOD)
    assert find("nano-sql-lora").title == "Mine"


def test_a_broken_preset_hides_no_other(own: Path) -> None:
    (own / "mine.yml").write_text("title: [")
    everything = catalogue()
    assert len(everything.presets) >= 10
    [error] = everything.broken
    assert error.where.startswith(str(own / "mine.yml"))


def test_an_unknown_name_gets_the_nearest_one(own: Path) -> None:
    with pytest.raises(PresetError) as caught:
        find("nano-sql-lorra")
    assert "nano-sql-lora?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title: a\nfor: [b\naxolotl: {}\n", 3, "not YAML"),
        (GOOD + "tittle: x\n", 5, "unknown key 'tittle'"),
        (GOOD + "needs: {gpu: 1}\n", 5, "unknown key 'gpu'"),
        (GOOD + "needs: 3\n", 5, "'needs' is a mapping"),
        (GOOD + "needs:\n  gpus: two\n", 6, "'gpus' should be a whole number"),
        (GOOD + "needs:\n  gpus: -1\n", 6, "'gpus' should be a whole number"),
        (GOOD + "needs:\n  gpus: true\n", 6, "'gpus' should be a whole number"),
        (GOOD + "try_asking: why\n", 5, "'try_asking' should be a list"),
        (GOOD + "title: again\n", 5, "'title' is given twice"),
        (GOOD + "evaluation: {metric: sql}\n", 5, "'dataset' is missing"),
        (GOOD + "evaluation:\n  dataset: x\n  metric: bleu\n", 7, "there is no metric"),
        ("title: a\nfor: b\naxolotl: 3\n", 3, "'axolotl' should be a mapping"),
        ("title: a\nfor: b\n", 1, "'axolotl' is missing"),
        ("for: b\naxolotl: {}\n", 1, "'title' is missing"),
        ("- title: a\n", 1, "a preset is a mapping"),
        ("", 1, "a preset is a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_line(own: Path, text: str, line: int, words: str) -> None:
    error = _broken(own, text)
    assert error.where == f"{own / 'mine.yml'}:{line}"
    assert words in error.what


def test_an_unknown_key_gets_the_nearest_one(own: Path) -> None:
    assert "title?" in _broken(own, GOOD + "tittle: x\n").hint


def test_a_preset_that_is_not_text(own: Path) -> None:
    (own / "mine.yml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(PresetError, match="UTF-8"):
        find("mine")


def test_a_preset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="no such file"):
        load(tmp_path / "mine.yml")


def test_names_are_safe(own: Path) -> None:
    (own / "My Preset.yml").write_text(GOOD)
    [error] = catalogue().broken
    assert "not a name" in error.what


BUILT_IN = tuple(load(path) for path in sorted(paths.builtin_presets_dir().glob("*.yml")))
MODELS = {model.id: model for model in known_models()}


def _model(preset: Preset) -> BaseModel:
    return MODELS[preset.settings["base_model"]]


@pytest.fixture(params=BUILT_IN, ids=lambda preset: preset.name)
def built_in(request: pytest.FixtureRequest) -> Preset:
    preset: Preset = request.param
    return preset


def test_families_ways_and_lessons_are_all_there() -> None:
    settings = [preset.settings for preset in BUILT_IN]
    families = {_model(preset).decoder_layer for preset in BUILT_IN}
    assert families >= {
        "LlamaDecoderLayer",
        "MistralDecoderLayer",
        "Ministral3DecoderLayer",
        "Qwen3DecoderLayer",
        "Qwen3_5DecoderLayer",
        "Gemma3DecoderLayer",
        "Phi3DecoderLayer",
        "GptOssDecoderLayer",
        "GraniteDecoderLayer",
        "Olmo2DecoderLayer",
    }
    assert {each.get("adapter") for each in settings} == {"lora", "qlora", None}
    assert {each["rl"] for each in settings if "rl" in each} == {"dpo", "orpo", "kto"}
    assert any(each["datasets"][0].get("type") == "completion" for each in settings)
    assert any("fsdp_config" in each for each in settings)
    used = {each["deepspeed"] for each in settings if "deepspeed" in each}
    assert used == {"builtin:deepspeed/zero2.json", "builtin:deepspeed/zero3.json"}


def test_each_says_for_whom_what_it_needs_and_where_its_numbers_come_from(
    built_in: Preset,
) -> None:
    assert built_in.audience
    assert built_in.source
    if built_in.needs.gpus:
        assert re.search(r"GPUs? with \d+ GiB", built_in.needs.text)
        assert f"{built_in.needs.gpu_memory_gib:g} GiB" in built_in.needs.text
    if "builtin:" not in built_in.settings["base_model"]:
        assert "GB of disk" in built_in.needs.text


def test_each_says_whether_its_memory_was_measured_or_estimated(built_in: Preset) -> None:
    text = built_in.path.read_text(encoding="utf-8")
    if built_in.needs.gpus:
        assert "estimated" in text or "measured" in text


def test_each_fits_its_base_model(built_in: Preset) -> None:
    settings, model = built_in.settings, _model(built_in)
    assert settings.get("tokenizer_use_mistral_common", False) == model.mistral_common
    if "chat_template" in settings:
        assert settings["chat_template"] == model.chat_template
        assert settings.get("eot_tokens", [""]) == [model.end_of_turn]
    if model.pad_token and settings["datasets"][0].get("type") != "completion":
        assert settings["special_tokens"]["pad_token"] == model.pad_token
    if "fsdp_config" in settings:
        assert settings["fsdp_config"]["transformer_layer_cls_to_wrap"] == model.decoder_layer
    if settings.get("adapter"):
        assert settings.get("lora_qkv_kernel", True) == model.lora_kernels


def test_an_adapter_leaves_the_image_encoder_alone(built_in: Preset) -> None:
    if _model(built_in).vision is None:
        return
    pattern = re.compile(built_in.settings["lora_target_modules"])
    assert pattern.fullmatch("model.language_model.layers.11.self_attn.q_proj")
    assert pattern.fullmatch("model.language_model.layers.0.mlp.down_proj")
    assert not pattern.fullmatch("model.vision_tower.encoder.layers.3.self_attn.q_proj")
    assert not pattern.fullmatch("model.visual.blocks.3.mlp.down_proj")
    assert "lora_target_linear" not in built_in.settings


def test_several_gpus_are_asked_for_exactly_where_the_weights_are_shared_out(
    built_in: Preset,
) -> None:
    shared = "fsdp_config" in built_in.settings or "deepspeed" in built_in.settings
    assert (built_in.needs.gpus > 1) == shared


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_the_deepspeed_files_are_what_their_names_say(stage: int) -> None:
    path = paths.builtin_presets_dir() / "deepspeed" / f"zero{stage}.json"
    settings = json.loads(path.read_text())
    assert settings["zero_optimization"]["stage"] == stage
    assert settings["train_micro_batch_size_per_gpu"] == "auto"  # axolotl's config decides


def test_what_a_preset_says_of_its_memory_is_what_ftui_fit_says(built_in: Preset) -> None:
    told = re.search(r"estimated: about (\d+) GiB", built_in.path.read_text(encoding="utf-8"))
    model = next(m for m in known_models() if m.id == built_in.settings["base_model"])
    if told is None or model.linear_attention:
        return
    found = estimate(built_in.settings, model, start(built_in).all_gpus)
    assert int(told[1]) == round(found.memory.expected)
    asked_for = Gpu("any", built_in.needs.gpu_memory_gib, "")
    assert found.fit(asked_for) is not Fit.NO
