"""FSDP1, the older way to shard a model over GPUs: `fsdp:` lists and what FSDP2 has no more.

axolotl 0.21 has FSDP2 only; 0.19 takes both and warns of the older one.
https://docs.axolotl.ai/docs/multi-gpu.html#sec-migrate-fsdp1-fsdp2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config import schema
from ftui.config.edit import Drop, Edit, Put, Rename
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.plan.nearest import nearest
from ftui.plan.places import steps

_ONLY_FSDP2 = (0, 20)
"""The first axolotl whose schema ftui judges as one without FSDP1."""

OPTIONS: Mapping[str, tuple[str, Any]] = {
    "auto_wrap": ("auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    "full_shard": ("reshard_after_forward", True),
    "offload": ("offload_params", True),
    "shard_grad_op": ("reshard_after_forward", False),
}
"""Words of the `fsdp:` list, and the key and value of `fsdp_config` that say the same."""

STRATEGIES: Mapping[str, bool] = {
    "1": True,
    "2": False,
    "FULL_SHARD": True,
    "SHARD_GRAD_OP": False,
}
"""Sharding strategies, by name or by number, and the `reshard_after_forward` of each."""

NO_MORE = (
    "backward_prefetch",
    "backward_prefetch_policy",
    "forward_prefetch",
    "limit_all_gathers",
    "sync_module_states",
    "use_orig_params",
)
"""Keys of `fsdp_config` that FSDP2 does without."""

_OPTIMIZERS = {"adamw_8bit", "adamw_bnb_8bit"}
_DOCS = "https://docs.axolotl.ai/docs/multi-gpu.html#sec-migrate-fsdp1-fsdp2"


def fsdp_list(subject: Subject) -> Iterator[Finding]:
    """`fsdp:` with a list of options."""
    new = subject.axolotl >= _ONLY_FSDP2
    words = subject.get("fsdp")
    if not words:
        if "fsdp" in subject.config and (new or words is not None):
            yield _tell(subject)("fsdp", "fsdp is an old key", _EMPTY, Drop(("fsdp",)))
        return
    listed = words.split() if isinstance(words, str) else words
    told = {str(word) for word in listed} if isinstance(listed, list) else {str(listed)}
    message = "the `fsdp` list belongs to FSDP1" + (", which axolotl has no more" if new else "")
    hint = f"write `fsdp_version: 2` and `fsdp_config`; see {_DOCS}"
    edits: tuple[Edit, ...] = ()
    if told <= OPTIONS.keys() and not _stuck(subject):
        edits = (Drop(("fsdp",)), *_to_fsdp2(subject), *_options(subject, told))
    yield _tell(subject)("fsdp", message, hint, *edits)


_EMPTY = "it says nothing here: take it out"


def _options(subject: Subject, told: set[str]) -> Iterator[Edit]:
    """The words of the list as keys of `fsdp_config`, where it does not say them itself."""
    for word, (key, value) in OPTIONS.items():
        if word == "auto_wrap" and _by_size(subject):
            value = "SIZE_BASED_WRAP"
        names = (key, f"fsdp_{key}", *_STRATEGY) if key in _RESHARD else (key, f"fsdp_{key}")
        if word in told and not any(subject.has(f"fsdp_config.{name}") for name in names):
            yield Put(("fsdp_config", key), value)


def _by_size(subject: Subject) -> bool:
    """Whether FSDP1 wraps whatever is large enough: the size comes before the name of a layer."""
    places = ("fsdp_config.min_num_params", "fsdp_config.fsdp_min_num_params")
    return any((subject.number(place) or 0) > 0 for place in places)


_RESHARD = ("reshard_after_forward",)
_STRATEGY = ("sharding_strategy", "fsdp_sharding_strategy")


def fsdp_version(subject: Subject) -> Iterator[Finding]:
    """A version other than 2, or none where that means 1."""
    for place in ("fsdp_version", "fsdp_config.fsdp_version", "fsdp_config.version"):
        version = subject.get(place)
        if version is not None and str(version) != "2":
            message = f"FSDP{version} is old: FSDP2 has taken its place"
            edits = () if _stuck(subject) else (Put(steps(place), 2), *_to_fsdp2(subject))
            yield _tell(subject)(place, message, f"write `fsdp_version: 2`; see {_DOCS}", *edits)
    implied = subject.get("fsdp_config") and not subject.get("fsdp") and not _versions(subject)
    if implied and subject.axolotl < _ONLY_FSDP2:
        message = "without `fsdp_version: 2` this means FSDP1, which the next axolotl has no more"
        edits = () if _stuck(subject) else tuple(_to_fsdp2(subject))
        yield warning("fsdp_config", message, f"write `fsdp_version: 2`; see {_DOCS}", *edits)


def fsdp_keys(subject: Subject) -> Iterator[Finding]:
    """Keys of `fsdp_config` with the old prefix, and those that FSDP2 has no more."""
    inside = subject.get("fsdp_config")
    for key in inside if isinstance(inside, Mapping) else ():
        name = str(key).removeprefix("fsdp_")
        place = ("fsdp_config", str(key))
        if key in ("fsdp_version", "version") or inside[key] is None:
            continue
        if name == "sharding_strategy":
            yield _strategy(subject, place)
        elif name in NO_MORE:
            yield from _no_more(subject, place, name)
        elif name != key:
            yield from _prefixed(subject, place, name)


def _strategy(subject: Subject, place: tuple[str, str]) -> Finding:
    old = str(subject.get(".".join(place)))
    message, new = f"{place[1]} belongs to FSDP1", "reshard_after_forward"
    reshard = STRATEGIES.get(old.upper())
    if reshard is None:
        return error(place, f"{message}, and FSDP2 has no {old}", f"see {_DOCS}")
    hint = f"write `{new}: {str(reshard).lower()}`"
    if _stuck(subject) or subject.has(f"fsdp_config.{new}"):
        return error(place, message, hint, *(() if _stuck(subject) else (Drop(place),)))
    return error(place, message, hint, Put(place, reshard), Rename(place, new))


def _no_more(subject: Subject, place: tuple[str, str], name: str) -> Iterator[Finding]:
    if name == "use_orig_params" and subject.text("optimizer").startswith("q_galore"):
        return  # axolotl wants it there
    still = name in ("sync_module_states", "use_orig_params") and subject.axolotl < _ONLY_FSDP2
    tell = warning if still else error
    edits = () if _stuck(subject) else (Drop(place),)
    yield tell(place, f"FSDP2 has no {name} and does not need it", "take the line out", *edits)


def _prefixed(subject: Subject, place: tuple[str, str], name: str) -> Iterator[Finding]:
    known = schema.load(subject.version)["$defs"]["FSDPConfig"]["properties"]
    if name not in known:
        meant = nearest(name, known)
        if meant and not subject.has(f"fsdp_config.{meant}"):
            message = f"axolotl does not know {place[1]!r} here and would ignore it"
            yield error(place, message, f"did you mean {meant}?", Rename(place, meant))
        return
    message = f"{place[1]} is an old name"
    if subject.has(f"fsdp_config.{name}"):
        yield warning(place, f"{message}, and {name} is here too", "take it out", Drop(place))
    else:
        yield warning(place, message, f"write `{name}`", Rename(place, name))


def _to_fsdp2(subject: Subject) -> Iterator[Edit]:
    """What else a config needs to run with FSDP2."""
    if not _versions(subject):
        yield Put(("fsdp_version",), 2)
    if subject.get("optimizer") in _OPTIMIZERS:
        yield Put(("optimizer",), "adamw_torch_8bit")
    name = "cpu_ram_efficient_loading"
    loading = subject.on(f"fsdp_config.{name}") or subject.on(f"fsdp_config.fsdp_{name}")
    if loading and subject.on("load_in_4bit") and subject.axolotl < _ONLY_FSDP2:
        yield Rename(("fsdp_config", f"fsdp_{name}"), name)
        yield Put(("fsdp_config", name), False)


def _versions(subject: Subject) -> list[Any]:
    places = ("fsdp_version", "fsdp_config.fsdp_version", "fsdp_config.version")
    return [subject.get(place) for place in places if subject.has(place)]


def _stuck(subject: Subject) -> bool:
    """Whether FSDP2 cannot do what the config asks for, so that nothing is to be mended."""
    quantized = subject.on("load_in_4bit") or subject.on("load_in_8bit")
    return quantized and subject.get("rl") in ("dpo", "ipo", "kto", "orpo")


def _tell(subject: Subject) -> Any:
    return error if subject.axolotl >= _ONLY_FSDP2 else warning


RULES: tuple[Rule, ...] = (fsdp_list, fsdp_version, fsdp_keys)
