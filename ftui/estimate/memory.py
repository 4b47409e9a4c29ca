"""The most memory that a training needs on one GPU, and what it is made of.

What torch holds is worked out for each of the moments that can be the fullest, from what the
training keeps all the time, what backward needs, and what comes and goes; the fullest one counts.
The sum is compared with published measurements in the README.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ftui.estimate.layers import passing_through, saved_by_layer
from ftui.estimate.lora import linear_layers
from ftui.estimate.training import HALF, WIDE, Checkpointing, Loss, Sharding, Training
from ftui.estimate.weights import (
    counts,
    gradient_bytes,
    master_bytes,
    share,
    state_bytes,
    step_bytes,
    trained_bytes,
    weight_bytes,
)

GIB = 2**30
CACHE = 0.05
"""What torch reserves beyond what it holds at the fullest moment: 5 to 9 % in the five published
runs that tell both (can-i-finetune-this); less where the memory is short."""
CONTEXT_GIB = 0.5
"""What the driver and the CUDA libraries take of a GPU before anything is loaded."""
PROCESS_GIB = 1.0
"""What a trainer on a CPU holds of system memory beside the model: Python, torch and axolotl.

0.9 to 1.2 GiB were measured with nano."""
BAND = 0.2
"""Most published measurements lie within this part of the estimate; see the README."""
_CHUNKS = 8
"""Into so many parts torchtune and axolotl divide the logits."""


@dataclass(frozen=True)
class Term:
    """One part of the memory: GiB on one GPU, and a word for people."""

    name: str
    gib: float


@dataclass(frozen=True)
class Memory:
    """GiB on one GPU at the fullest moment; `expected` is the sum of the terms."""

    terms: tuple[Term, ...]
    moment: str
    """When that is, in words."""

    @property
    def expected(self) -> float:
        """What torch reserves, without the driver's own share (CONTEXT_GIB)."""
        return sum(term.gib for term in self.terms)

    @property
    def allocated(self) -> float:
        """What torch holds, as `torch.cuda.max_memory_allocated` tells it."""
        return sum(term.gib for term in self.terms if term.name != "cache")

    @property
    def low(self) -> float:
        """The lower end of the band."""
        return (1 - BAND) * self.expected

    @property
    def high(self) -> float:
        """The upper end of the band."""
        return (1 + BAND) * self.expected


def memory(training: Training) -> Memory:
    """What this training needs on each of its GPUs."""
    held = _held(training)
    moments = {name: {**held, **more} for name, more in _moments(training).items()}
    name = max(moments, key=lambda name: sum(moments[name].values()))
    return Memory(tuple(_terms(moments[name])), name)


def _terms(parts: Mapping[str, float]) -> Iterable[Term]:
    for name, size in parts.items():
        if size > 0:
            yield Term(name, size / GIB)
    yield Term("cache", CACHE * sum(parts.values()) / GIB)


def _held(training: Training) -> dict[str, float]:
    """Bytes that are there all the time, by term."""
    weights = share(training, Sharding.WEIGHTS)
    states = share(training, Sharding.OPTIMIZER)
    full = training.adapter is None
    here = 0.0 if training.offloaded else 1.0
    return {
        "weights": here * weights * weight_bytes(training),
        "reference": weights * weight_bytes(training) if training.has_reference else 0.0,
        "adapter": 0.0 if full else weights * trained_bytes(training),
        "optimizer": here * states * (state_bytes(training) + master_bytes(training)),
        "gathered": _gathered(training),
    }


def _gathered(training: Training) -> float:
    """What comes from the other GPUs for a while: this layer and the next, or an embedding.

    DDP and ZeRO-1/2 send gradients in buckets instead: torch's DDP holds all of them twice.
    """
    if training.sharding is Sharding.WEIGHTS:
        model, numbers = training.model, counts(training.model)
        bits = 4 if training.weight_bits == 4 else 16
        layer = numbers.linear / model.layers * bits / 8
        return max(2 * layer, HALF * model.vocabulary * model.hidden)
    return gradient_bytes(training) if training.gpus > 1 else 0.0


def _moments(training: Training) -> dict[str, dict[str, float]]:
    """Bytes that are there beside what is held, for each moment that can be the fullest."""
    gradients = share(training, Sharding.GRADIENTS) * gradient_bytes(training)
    kept = gradients if training.accumulation > 1 or training.adapter else 0.0
    saved, unpacked = _saved(training), _unpacked(training)
    again, passing = _again(training), training.tokens * passing_through(training.model)
    inside = {"layer": again + passing, "dequantised": unpacked}
    moments = {
        "at the loss": {"gradients": kept, "activations": saved, "logits": logits(training)},
        "in the first layer of the way back": {
            "gradients": kept,
            "activations": saved,
            **inside,
        },
        "at the end of the way back": {"gradients": gradients, **inside},
        "in the optimizer's step": {
            "gradients": 0.0 if training.offloaded else gradients,
            "step": _in_step(training),
        },
    }
    if training.eval_tokens:
        moments["in an evaluation"] = {"gradients": 0.0, "logits": _eval_logits(training)}
    return moments


def _in_step(training: Training) -> float:
    if training.offloaded:
        return 0.0
    return share(training, Sharding.OPTIMIZER) * step_bytes(training)


def _saved(training: Training) -> float:
    """Bytes that backward needs of all layers, when forward is through."""
    model, tokens = training.model, training.tokens
    if training.checkpointing is Checkpointing.NONE:
        return model.layers * tokens * saved_by_layer(training)
    inputs = tokens * model.hidden * training.hidden_width
    # Those of two layers are on the GPU while the others wait in system memory.
    return inputs * (2 if training.checkpointing is Checkpointing.OFFLOADED else model.layers)


def _again(training: Training) -> float:
    """Bytes of one layer that was worked out again for its backward pass."""
    if training.checkpointing is Checkpointing.NONE:
        return 0.0
    return training.tokens * saved_by_layer(training)


def _unpacked(training: Training) -> float:
    """A 4-bit or 8-bit layer is made 16-bit when its turn comes: the largest one."""
    if training.weight_bits not in (4, 8):
        return 0.0
    return HALF * float(max(a * b for _, (a, b) in linear_layers(training.model)))


def logits(training: Training) -> float:
    """Bytes of the logits at the loss's fullest moment.

    Measured with transformers 5.16 in bf16 (tests/measured/inside.py): 12 a logit: their
    log-softmax, its gradient and the one that goes on, 32-bit each. Where a program holds the
    model's output until backward is through, as a loop by hand or TRL does, 4 more.

    In parts, the fullest moment is the end of forward: the 16-bit logits, and the 32-bit ones that
    accelerate makes of the model's output.
    """
    numbers = float(training.model.vocabulary) * training.tokens
    if training.loss is Loss.STOCK:
        return training.habits.logit_bytes * numbers
    if training.loss is Loss.FUSED:
        return 0.0
    part = training.habits.logit_bytes * numbers / _CHUNKS
    return HALF * numbers + max(part, WIDE * numbers if training.habits.wide_output else 0.0)


def _eval_logits(training: Training) -> float:
    """Without a way back: 16-bit logits, 32-bit ones, and their log-softmax (measured as above)."""
    if training.loss is not Loss.STOCK:
        return 0.0
    return 10.0 * training.model.vocabulary * training.eval_tokens
