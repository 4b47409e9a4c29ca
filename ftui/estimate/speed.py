"""How fast a training goes: tokens a second, and hours, as a range.

Work for a token is counted in floating-point operations (Kaplan et al., arXiv 2001.08361: 2 for
each weight forward, 4 backward), and a GPU does a part of what its maker promises. That part is
between 20 and 50 % for the usual trainings: 49 to 57 % at best for Llama 2 with every trick
(PaLM's and Meta's model FLOPs utilisation), and less for short rows, small models and sdpa.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftui.estimate.layers import queries
from ftui.estimate.training import Checkpointing, Training
from ftui.estimate.weights import counts, trained
from ftui.plan.gpus import usual_name
from ftui.plan.hardware import Gpu, Hardware

_PART_OF_PEAK = (0.2, 0.5)
_FOUR_BIT_PART = 0.75
"""4-bit weights are made 16-bit for each use, which takes about a quarter of the time."""
_LAYER_SECONDS = (0.0005, 0.003)
"""A GPU gets some hundred orders (kernels) for one layer's way there and back, 5 to 10 µs each: a
micro-batch takes no less time than this a layer, however small it is."""

_TERA = 1e12
_PEAK_TERAFLOPS: Mapping[str, float] = {
    "T4": 65,
    "V100": 112,
    "V100 32GB": 112,
    "A10": 125,
    "A10G": 70,
    "A30": 165,
    "A40": 150,
    "A100": 312,
    "A100 80GB": 312,
    "L4": 121,
    "L40": 181,
    "L40S": 362,
    "RTX 3090": 71,
    "RTX 4090": 165,
    "RTX 5090": 210,
    "RTX A6000": 155,
    "RTX 6000 Ada": 364,
    "RTX PRO 6000": 500,
    "H100": 989,
    "H100 NVL": 835,
    "H200": 989,
    "GH200": 989,
    "B200": 2250,
}
"""Dense 16-bit operations with 32-bit sums, as in the makers' data sheets."""

_CORE_GIGAFLOPS = (10.0, 60.0)
"""Of a CPU core in 32 bits; nano's LoRA does about 34 on each of two (README, `make demo`)."""


@dataclass(frozen=True)
class Speed:
    """Tokens a second of all GPUs together."""

    low: float
    high: float


def work(training: Training) -> float:
    """Floating-point operations for one token."""
    model = training.model
    weights = counts(model).linear + model.vocabulary * model.hidden
    attention = 2 * model.layers * queries(model) * training.keys
    passes = 1 + (1 if training.adapter else 2)
    passes += training.checkpointing is not Checkpointing.NONE
    own = 4 * trained(training) if training.adapter else 0.0
    # Attention has no weights to learn: its way back is twice its way forward.
    again = 3 + (training.checkpointing is not Checkpointing.NONE)
    return 2 * passes * weights + again * attention + own


def speed(training: Training, gpu: Gpu) -> Speed | None:
    """On so many GPUs of a kind; None of one whose speed ftui does not know."""
    peak = _PEAK_TERAFLOPS.get(usual_name(gpu.name))
    if peak is None:
        return None
    part = _FOUR_BIT_PART if training.weight_bits == 4 else 1.0
    each = work(training) * training.tokens / (peak * _TERA * part)
    shortest, longest = (seconds * training.model.layers for seconds in _LAYER_SECONDS)
    low, high = _PART_OF_PEAK
    tokens = training.tokens * training.gpus
    return Speed(tokens / max(each / low, longest), tokens / max(each / high, shortest))


def cpu_speed(training: Training, hardware: Hardware) -> Speed | None:
    """On the cores of a machine without a GPU; None where nobody knows how many those are."""
    if not hardware.cores:
        return None
    low, high = (cores * 1e9 * hardware.cores for cores in _CORE_GIGAFLOPS)
    return Speed(low / work(training), high / work(training))
