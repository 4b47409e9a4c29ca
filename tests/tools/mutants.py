"""Spoil good configs one key at a time, and see whether the linter says so: recall and precision.

    python -m tests.tools.mutants [COUNT]

Each mutant of a built-in preset's config has one key misspelt, dropped, retyped (a value of
another type, or one that no run can work with) or misplaced (into another mapping). A mutant that
still says something legitimate, only something else, is set aside and counted: a key left out
whose default is fine, a misspelling that is another real key, a key that belongs to both places.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ftui.config import schema
from ftui.config.edit import Drop, Edit, Put, Rename
from ftui.config.edit_text import apply_edits
from ftui.config.issue import Issue
from ftui.config.lint import check
from ftui.config.needs import needs
from ftui.config.text import config_text
from ftui.config.verdict import inside
from ftui.paths import builtin_presets_dir
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.places import Place, steps
from ftui.plan.plan import Preset
from ftui.plan.presets import find
from ftui.plan.steps import begin
from ftui.plan.yaml_source import read

SEED = 20261125
COUNT = 2400

_OPTIONAL = """
    chat_template dataset_prepared_path val_set_size evals_per_epoch saves_per_epoch save_strategy
    eval_strategy eval_steps save_steps save_total_limit logging_steps
    num_epochs max_steps micro_batch_size gradient_accumulation_steps optimizer
    lr_scheduler warmup_steps warmup_ratio weight_decay max_grad_norm seed
    lora_dropout eot_tokens fsdp_version model_quantization_config_kwargs
    transformer_layer_cls_to_wrap deepspeed dequantize tokenizer_use_mistral_common
    template_thinking_key field_thinking
    bf16 tf32 attn_implementation sample_packing pad_to_sequence_len eval_sample_packing
    gradient_checkpointing gradient_checkpointing_kwargs use_reentrant
    special_tokens pad_token tokenizer_config trust_remote_code train_on_inputs
    ds_type split field_messages message_property_mappings role content field_system system_prompt
    field_instruction field_input field_output format no_input_format field field_human
    field_model field_chosen field_rejected field_prompt shuffle_merged_datasets streaming
    auto_wrap_policy state_dict_type reshard_after_forward offload_params
    cpu_ram_efficient_loading activation_checkpointing
    rl_beta kto_desirable_weight kto_undesirable_weight orpo_alpha
    adam_beta1 adam_beta2 adam_epsilon
    lora_modules_to_save
    lora_mlp_kernel lora_qkv_kernel lora_o_kernel lora_embedding_kernel
"""
FINE_WITHOUT = frozenset(_OPTIONAL.split())
"""Keys that may be left out: what axolotl does then is legitimate, if not the preset's choice."""


@dataclass(frozen=True)
class Mutant:
    """A spoilt config: what was done to which key, and where it must be told."""

    kind: str
    preset: str
    key: str
    """The key's own name."""
    text: str
    place: Place
    """Where the spoilt key is now; for a dropped one, where it was."""
    gpus: tuple[Gpu, ...]
    what: str


@dataclass(frozen=True)
class Outcome:
    """What the linter said of a mutant."""

    mutant: Mutant
    issues: tuple[Issue, ...]
    told: bool
    """Whether it was reported at the right line, with the right suggestion."""
    unrelated: tuple[Issue, ...]
    """Issues that do not speak of the spoilt key."""


@cache
def configs() -> Mapping[str, tuple[str, tuple[Gpu, ...]]]:
    """The config of each built-in preset on the machine that it asks for, and its GPUs."""
    return {name: _config(find(name)) for name in preset_names()}


def preset_names() -> list[str]:
    """The built-in presets."""
    return sorted(path.stem for path in builtin_presets_dir().glob("*.yml"))


def _config(preset: Preset) -> tuple[str, tuple[Gpu, ...]]:
    gpus = (Gpu("NVIDIA H100", 80.0, "sm_90"),) * preset.needs.gpus
    return config_text(begin(preset, Hardware(8, 256.0, gpus))), gpus


def lint(text: str, gpus: Sequence[Gpu]) -> list[Issue]:
    """What the review says without axolotl; `ftui check` says it without `needs`."""
    return [*check(text, gpus=gpus, folder=Path.cwd()), *needs(text)]


def mutants(count: int, seed: int = SEED) -> tuple[list[Mutant], Counter[str]]:
    """`count` mutants that change the meaning, and how many of each kind were set aside."""
    chance = random.Random(seed)
    sites = [(name, place) for name in configs() for place in _places(configs()[name][0])]
    made: list[Mutant] = []
    aside: Counter[str] = Counter()
    while len(made) < count:
        name, place = chance.choice(sites)
        kind = chance.choice(tuple(_KINDS))
        text, gpus = configs()[name]
        mutant = _KINDS[kind](chance, name, text, place, gpus)
        if mutant is None:
            aside[kind] += 1
        else:
            made.append(mutant)
    return made, aside


def judge(mutant: Mutant) -> Outcome:
    """Lint a mutant."""
    issues = tuple(lint(mutant.text, mutant.gpus))
    related = [issue for issue in issues if _speaks_of(issue, mutant)]
    return Outcome(
        mutant,
        issues,
        any(_right(issue, mutant) for issue in related),
        tuple(issue for issue in issues if issue not in related),
    )


def _right(issue: Issue, mutant: Mutant) -> bool:
    if mutant.kind == "drop":
        return True
    here, source = ".".join(mutant.place), read(mutant.text)
    if mutant.kind == "retype" and issue.path.startswith(f"{here}."):  # inside the wrong value
        return issue.line == source.line(steps(issue.path))
    if issue.path != here or issue.line != source.line(mutant.place):
        return False
    if mutant.kind == "misplace":
        return "top level" in issue.hint or "belongs into" in issue.hint
    return mutant.kind == "retype" or mutant.key in issue.hint


def _speaks_of(issue: Issue, mutant: Mutant) -> bool:
    words = re.findall(r"[\w-]+", f"{issue.message} {issue.hint}")
    at_it = inside(issue.path, ".".join(mutant.place))
    return at_it or mutant.key in words or mutant.place[-1] in words


# ── Kinds ────────────────────────────────────────────────────────────────────────────────────


def _misspell(
    chance: random.Random, name: str, text: str, place: Place, gpus: tuple[Gpu, ...]
) -> Mutant | None:
    key = place[-1]
    wrong = _slip(chance, key)
    if wrong == key or wrong in _known():
        return None
    new = (*place[:-1], wrong)
    return Mutant(
        "misspell", name, key, apply_edits(text, [Rename(place, wrong)]), new, gpus, wrong
    )


def _slip(chance: random.Random, key: str) -> str:
    """A key as fingers get it wrong."""
    at = chance.randrange(len(key) - 1)
    ways: tuple[Callable[[], str], ...] = (
        lambda: key[:at] + key[at + 1] + key[at] + key[at + 2 :],
        lambda: key[:at] + key[at + 1 :],
        lambda: key[:at] + key[at] + key[at:],
        lambda: key[:at] + chance.choice("aeiorstnl") + key[at + 1 :],
        lambda: key.replace("_", "-"),
        lambda: key.title(),
        lambda: key + "s",
    )
    return chance.choice(ways)()


def _drop(
    chance: random.Random, name: str, text: str, place: Place, gpus: tuple[Gpu, ...]
) -> Mutant | None:
    del chance
    # Preference rows without a type are taken as they are.
    raw_rows = place[-1] == "type" and "rl" in read(text).data
    if place[-1] in FINE_WITHOUT or raw_rows:
        return None
    return Mutant(
        "drop", name, place[-1], apply_edits(text, [Drop(place)]), place, gpus, "left out"
    )


def _retype(
    chance: random.Random, name: str, text: str, place: Place, gpus: tuple[Gpu, ...]
) -> Mutant | None:
    old = _value(text, place)
    choices = [value for value in _wrong_values(old) if value != old]
    legitimate: tuple[type, ...] = _OTHERS.get(place[-1], ())
    choices = [value for value in choices if not isinstance(value, legitimate)]
    if not choices:
        return None
    wrong = chance.choice(choices)
    return Mutant(
        "retype", name, place[-1], apply_edits(text, [Put(place, wrong)]), place, gpus, repr(wrong)
    )


_OTHERS: Mapping[str, tuple[type, ...]] = {"bf16": (bool,), "lora_target_modules": (str,)}
"""Keys that another type than the preset's suits as well."""


def _wrong_values(old: Any) -> list[Any]:
    """Values that no key which holds `old` can take."""
    match old:
        case bool():
            return ["perhaps", [old], {"on": old}, 7]
        case int() | float():
            return ["many", [old], {"is": old}, -3, True]
        case str():
            return [[old], {"is": old}, 3.5, False]
        case list():
            return [3, True, "text"]
        case dict():
            return [3, [1], "text"]
    return []


def _misplace(
    chance: random.Random, name: str, text: str, place: Place, gpus: tuple[Gpu, ...]
) -> Mutant | None:
    data, key = read(text).data, place[-1]
    if len(place) > 1:
        wheres: list[Place] = [()]
    else:
        mappings = ("fsdp_config", "special_tokens")
        wheres = [("datasets", "0"), *((where,) for where in mappings if where in data)]
    where = chance.choice(wheres)
    new = (*where, key)
    if new == place or where[:1] == place[:1] != ():
        return None
    if key in _keys_at(where) or "datasets" not in data:
        return None
    edits: list[Edit] = [Put(new, _value(text, place)), Drop(place)]
    return Mutant("misplace", name, key, apply_edits(text, edits), new, gpus, ".".join(new))


_KINDS: Mapping[str, Callable[[random.Random, str, str, Place, tuple[Gpu, ...]], Mutant | None]] = {
    "misspell": _misspell,
    "drop": _drop,
    "retype": _retype,
    "misplace": _misplace,
}


# ── Places ───────────────────────────────────────────────────────────────────────────────────


def _places(text: str) -> Iterator[Place]:
    """Where each key of a config is, at every depth."""

    def walk(value: Any, place: Place) -> Iterator[Place]:
        items = value.items() if isinstance(value, dict) else ()
        for key, inner in items:
            yield (*place, str(key))
            yield from walk(inner, (*place, str(key)))
        for index, inner in enumerate(value if isinstance(value, list) else ()):
            yield from walk(inner, (*place, str(index)))

    return walk(read(text).data, ())


def _value(text: str, place: Place) -> Any:
    node = read(text).data
    for part in place:
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


@cache
def _known() -> frozenset[str]:
    """Every key that the schema knows anywhere: a slip that hits one is another config."""
    loaded = schema.load()
    inner = (key for each in loaded["$defs"].values() for key in each.get("properties", {}))
    return frozenset({*loaded["properties"], *inner})


def _keys_at(where: Place) -> set[str]:
    loaded = schema.load()
    if not where:
        return set(loaded["properties"])
    names = {"datasets": "Dataset", "fsdp_config": "FSDPConfig", "special_tokens": "SpecialTokens"}
    return {
        key
        for name, each in loaded["$defs"].items()
        if names[where[0]].lower() in name.lower()
        for key in each.get("properties", {})
    }


# ── Report ───────────────────────────────────────────────────────────────────────────────────


def report(outcomes: Sequence[Outcome], aside: Counter[str]) -> str:
    """The table: how many of each kind, how many were told rightly, what else was said.

    Of each kind's tries a share was set aside; recall and precision say nothing of it.
    """
    heads = f"{'kind':<10}{'mutants':>9}{'told':>7}{'recall':>9}{'precision':>11}{'set aside':>17}"
    lines = [heads]
    for kind in (*_KINDS, "all"):
        some = [each for each in outcomes if kind in (each.mutant.kind, "all")]
        told = sum(each.told for each in some)
        said = sum(len(each.issues) for each in some)
        unrelated = sum(len(each.unrelated) for each in some)
        left = sum(aside.values()) if kind == "all" else aside[kind]
        lines.append(
            f"{kind:<10}{len(some):>9}{told:>7}{told / max(len(some), 1):>9.4f}"
            f"{1 - unrelated / max(said, 1):>11.4f}"
            f"{f'{left} ({left / max(left + len(some), 1):.0%})':>17}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table and every mutant that was missed or that brought an unrelated issue."""
    made, aside = mutants(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
    outcomes = [judge(mutant) for mutant in made]
    for each in outcomes:
        mutant = each.mutant
        where = f"{mutant.preset}: {mutant.kind} {'.'.join(mutant.place)} ({mutant.what})"
        if not each.told:
            said = "; ".join(f"{issue.path}: {issue.message}" for issue in each.issues)
            print(f"missed     {where}: {said or 'nothing said'}")
        for issue in each.unrelated:
            print(f"unrelated  {where}: {issue.path}: {issue.message}")
    print(report(outcomes, aside))


if __name__ == "__main__":
    main()
