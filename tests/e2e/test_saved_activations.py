"""What ftui's estimate says backward needs of a layer is what transformers and PEFT really keep."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ftui.estimate.architecture import read_config
from ftui.estimate.layers import saved_by_layer
from ftui.estimate.memory import logits
from ftui.estimate.training import Adapter, Training
from ftui.runtimes.find import Kind, find
from tests import measured

SHAPE = {
    "hidden_size": 256,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "intermediate_size": 704,
    "vocab_size": 1024,
}
FAMILIES = {
    "LlamaConfig": "llama",
    "MistralConfig": "mistral",
    "Qwen2Config": "qwen2",
    "Qwen3Config": "qwen3",
    "Gemma2Config": "gemma2",
    "Gemma3TextConfig": "gemma3_text",
    "Olmo2Config": "olmo2",
}
RANK = 4
TOKENS = 256
QV = ["q_proj", "v_proj"]
ALL = [*QV, "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
HOWS: dict[str, dict[str, Any]] = {
    "every weight": {},
    "lora": {"rank": RANK, "targets": ALL},
    "lora on q and v": {"rank": RANK, "targets": QV},
    "eager": {"attention": "eager"},
}
CASES = [(family, how) for family in FAMILIES for how in HOWS if how != "eager"]
CASES.append(("LlamaConfig", "eager"))


def training(family: str, how: dict[str, Any], **change: Any) -> Training:
    """The same training in the words of the estimate."""
    named = {"model_type": FAMILIES[family], "num_hidden_layers": 4, **SHAPE}
    model = read_config(named, family)
    layers = tuple(
        f"{'self_attn' if name[0] in 'qkvo' else 'mlp'}.{name}" for name in how.get("targets", ())
    )
    return Training(
        model=model,
        tokens=TOKENS,
        keys=TOKENS,
        adapter=Adapter(RANK, layers) if layers else None,
        eager_attention=how.get("attention") == "eager",
        **change,
    )


def counted(cases: list[dict[str, Any]], folder: Path) -> list[dict[str, float]]:
    """What the real libraries keep; see tests/measured/inside.py."""
    file = folder / "cases.json"
    file.write_text(json.dumps(cases), encoding="utf-8")
    script = Path(measured.__file__).with_name("inside.py")
    runtime = find(Kind.TRAIN)
    assert runtime is not None
    done = subprocess.run(
        [str(runtime.python), str(script), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, float]] = json.loads(done.stdout)
    return found


def case(family: str, how: dict[str, Any], **shape: int) -> dict[str, Any]:
    """A case for inside.py."""
    own = {**SHAPE, **shape}
    if family in ("LlamaConfig", "Qwen2Config", "Olmo2Config"):
        own.pop("head_dim")
    return {"config": family, "shape": own, "tokens": TOKENS, **how}


LOSS: dict[str, Any] = {"rank": RANK, "targets": QV, "checkpointing": True}
"""With checkpointing next to nothing but the logits is there at the loss."""
VOCABULARIES = (8_192, 24_576)


class Real(NamedTuple):
    """What the real libraries kept."""

    layers: dict[tuple[str, str], float]
    """Bytes of a layer for a token."""
    at_loss: list[float]
    """The most bytes that were held, for each of the VOCABULARIES."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """All cases in one process: most of its time goes into imports."""
    cases = [case(family, HOWS[how]) for family, how in CASES]
    losses = [case("LlamaConfig", LOSS, vocab_size=size) for size in VOCABULARIES]
    found = counted([*cases, *losses], tmp_path_factory.mktemp("saved"))
    layers = {key: one["layer"] for key, one in zip(CASES, found, strict=False)}
    return Real(layers, [one["most"] for one in found[len(CASES) :]])


@pytest.mark.parametrize(("family", "how"), CASES)
def test_a_layer_keeps_what_the_estimate_says(family: str, how: str, real: Real) -> None:
    """To within 2 %: an adapter's own small matrices are left out of the estimate."""
    expected = saved_by_layer(training(family, HOWS[how]))
    assert expected == pytest.approx(real.layers[family, how], rel=0.02)


def test_each_logit_takes_twelve_bytes_at_the_loss(real: Real) -> None:
    small, large = real.at_loss
    each = (large - small) / (TOKENS * (VOCABULARIES[1] - VOCABULARIES[0]))
    told = training("LlamaConfig", LOSS)
    assert logits(told) / (TOKENS * SHAPE["vocab_size"]) == pytest.approx(each, rel=0.02)
