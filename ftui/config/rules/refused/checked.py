"""Values that axolotl checks by itself, beyond what its schema says of their types."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, drop, put, refuses, written
from ftui.plan.nearest import nearest

_ROWS = (
    Row(
        "save_safetensors",
        "save_safetensors=false",
        "models are saved as safetensors only",
        "remove save_safetensors",
        edits=drop("save_safetensors"),
    ),
)
_METRICS = ("sacrebleu", "comet", "ter", "chrf", "perplexity")
_LARGE_HEADS = ("auto", "sdpa", "triton_flash")
_RESIZE = ("bilinear", "bicubic", "lanczos")
_COMPILE_OPTIONS = (
    "coordinate_descent_tuning",
    "coordinate_descent_check_all_directions",
    "shape_padding",
    "epilogue_fusion",
    "max_autotune_gemm",
    "fx_graph_cache",
    "assume_aligned_inputs",
    "comprehensive_padding",
    "decompose_mem_bound_mm",
    "triton.cudagraphs",
)
_TOP_LEVEL = {"revision": "revision_of_model", "trust_remote_code": "trust_remote_code"}
"""What processor_kwargs must not hold, and the key that says it."""


def _noise(subject: Subject) -> Iterator[Finding]:
    old = "noisy_embedding_alpha"
    place = old if subject.get(old) else "neftune_noise_alpha"
    number = subject.number(place)
    if number is not None and number <= 0:
        yield error(place, f"should be more than 0, not {number:g}", "remove it for no noise")


def _words(subject: Subject) -> Iterator[Finding]:
    """Texts of which axolotl takes some only, in any case of letters."""
    for place, choices in (
        ("large_head_attention", _LARGE_HEADS),
        ("image_resize_algorithm", _RESIZE),
    ):
        value = subject.get(place)
        if isinstance(value, str) and value.lower() not in choices:
            yield error(
                place,
                f"should be one of {', '.join(choices)}, not {value!r}",
                _near(value, choices),
            )


def _near(word: str, choices: tuple[str, ...]) -> str:
    meant = nearest(word, choices)
    return f"did you mean {meant}?" if meant else "remove it"


def _metrics(subject: Subject) -> Iterator[Finding]:
    names = subject.get("eval_causal_lm_metrics")
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if name not in _METRICS:
            words = f"should be one of {', '.join(_METRICS)}, not {written(name)!r}"
            yield error(f"eval_causal_lm_metrics.{index}", words, _near(written(name), _METRICS))


def _compile_options(subject: Subject) -> Iterator[Finding]:
    options = subject.get("torch_compile_options")
    for key in options if isinstance(options, dict) else ():
        if key not in _COMPILE_OPTIONS:
            place = ("torch_compile_options", str(key))
            message = f"axolotl does not let {key!r} be changed"
            yield error(place, message, _near(str(key), _COMPILE_OPTIONS))


def _processor(subject: Subject) -> Iterator[Finding]:
    settings = subject.get("processor_kwargs")
    for key, real in _TOP_LEVEL.items():
        if isinstance(settings, dict) and key in settings:
            yield error(
                f"processor_kwargs.{key}",
                f"{key} belongs to the top level, not into processor_kwargs",
                f"set {real} at the top level instead",
            )


def _rate(subject: Subject) -> Iterator[Finding]:
    """The learning rate may be text, but it must be a number all the same."""
    rate = subject.text("learning_rate")
    if rate:
        try:
            float(rate)
        except ValueError:
            yield error("learning_rate", f"should be a number, not {rate!r}", "for example 0.0002")


def _quoted(subject: Subject) -> Iterator[Finding]:
    """Numbers that axolotl compares before it has read text as a number."""
    groups = ("trl.num_generations",) if subject.get("rl") == "grpo" else ()
    for place in ("gc_steps", "tensor_parallel_size", *groups):
        number = subject.number(place)
        if isinstance(subject.get(place), str) and number is not None and number.is_integer():
            message = "axolotl cannot read this number in quotes"
            yield error(place, message, "take the quotes away", *put(place, int(number)))


def _nothing(subject: Subject) -> Iterator[Finding]:
    """axolotl looks for a name in these before it looks whether there is any."""
    for key in ("base_model_config", "tokenizer_config"):
        looks = not subject.has("tokenizer_use_mistral_common")
        if looks and key in subject.config and not subject.has(key):
            message = "axolotl cannot read a config where this is left empty"
            yield error(key, message, f"remove {key}")


def _plugin_names(subject: Subject) -> Iterator[Finding]:
    names = subject.get("plugins")
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and "." not in name:
            yield error(
                f"plugins.{index}",
                f"a plugin is named by its module and its class, not {name!r}",
                "for example axolotl.integrations.liger.LigerPlugin",
            )


def _pairs(subject: Subject) -> Iterator[Finding]:
    """Lists of exactly two whole numbers."""
    size = subject.get("image_size")
    layers = subject.get("peft_layer_replication")
    places = ["image_size"] if isinstance(size, list) else []
    for index in range(len(layers) if isinstance(layers, list) else 0):
        places.append(f"peft_layer_replication.{index}")
    for place in places:
        pair = subject.get(place)
        numbers = [subject.number(f"{place}.{index}") for index in (0, 1)]
        if not isinstance(pair, list) or len(pair) != 2 or None in numbers:
            yield error(place, "should be two whole numbers", "for example [512, 512]")


RULES: tuple[Rule, ...] = (
    refuses(_ROWS),
    _noise,
    _words,
    _metrics,
    _compile_options,
    _processor,
    _rate,
    _quoted,
    _nothing,
    _plugin_names,
    _pairs,
)
"""What axolotl checks of single values."""
