"""Bytes of what a training holds all the time: weights, adapter, gradients, optimizer states."""

from __future__ import annotations

from dataclasses import dataclass

from ftui.estimate.lora import linear_layers
from ftui.estimate.training import HALF, WIDE, Adapter, Sharding, Training
from ftui.plan.models import BaseModel


@dataclass(frozen=True)
class Counts:
    """Numbers of a base model: in its decoder's linear layers, its embeddings, and the rest."""

    linear: int
    embeddings: int
    rest: int


def counts(model: BaseModel) -> Counts:
    """The numbers of a model; experts and the image encoder count as linear layers."""
    embeddings = model.vocabulary * model.hidden * (1 if model.tied else 2)
    if model.experts or model.linear_attention or model.vision:
        return Counts(model.parameters - embeddings, embeddings, 0)
    linear = model.layers * sum(before * after for _, (before, after) in linear_layers(model))
    return Counts(linear, embeddings, max(model.parameters - linear - embeddings, 0))


def weight_bytes(training: Training) -> float:
    """Of the base model on one GPU, if nothing were divided.

    Norms and biases are 16-bit, or as wide as the layers. Source of 4-bit: see `Training`.
    """
    numbers = counts(training.model)
    each = training.weight_bits / 8
    if training.weight_bits == 4:
        each += training.four_bit_overhead
    rest = max(each, HALF) * numbers.rest
    return each * numbers.linear + training.embedding_width * numbers.embeddings + rest


def trained(training: Training) -> float:
    """How many numbers are trained."""
    adapter = training.adapter
    if adapter is None:
        return float(training.model.parameters)
    return adapter_numbers(training.model, adapter) + training.saved_modules


def adapter_numbers(model: BaseModel, adapter: Adapter) -> float:
    """How many numbers the two matrices beside each chosen linear layer have."""
    sizes = dict(linear_layers(model))
    pairs = sum(sum(sizes[name]) for name in adapter.layers)
    return float(model.layers * adapter.rank * pairs)


def trained_bytes(training: Training) -> float:
    """Of what is trained: an adapter and whole modules beside it, or the model itself."""
    adapter = training.adapter
    if adapter is None:
        return weight_bytes(training)
    own = trained(training) - training.saved_modules
    return adapter.width * own + HALF * training.saved_modules


def gradient_bytes(training: Training) -> float:
    """One number for each that is trained, as wide as it; none kept by what acts at once."""
    return trained_bytes(training) if training.habits.gradients_kept else 0.0


def state_bytes(training: Training) -> float:
    """What the optimizer keeps; paged states are not counted, see `Optimizer`."""
    optimizer = training.optimizer
    if optimizer.paged:
        return 0.0
    if optimizer.bits:
        # A 32-bit scale for every 256 (bitsandbytes) of the quantised numbers.
        return optimizer.states * (optimizer.bits / 8 + WIDE / 256) * trained(training)
    if training.deepspeed:
        return optimizer.states * WIDE * trained(training)
    return optimizer.states * trained_bytes(training)


def master_bytes(training: Training) -> float:
    """A 32-bit copy of what is trained, where 16-bit weights have one (DeepSpeed's ZeRO)."""
    return WIDE * trained(training) if training.deepspeed else 0.0


def step_bytes(training: Training) -> float:
    """What an optimizer's step needs for a moment beside what is there.

    torch's loop over many weights at once (foreach) makes a second copy of them. DeepSpeed makes
    32-bit gradients of 16-bit ones, and then that copy.
    """
    if training.deepspeed:
        return 2 * WIDE * trained(training)
    return 0.0 if training.optimizer.fused else trained_bytes(training)


def share(training: Training, level: Sharding) -> float:
    """The part of something that one GPU holds, when it is divided from that level on."""
    order = list(Sharding)
    divided = order.index(training.sharding) >= order.index(level)
    return 1 / training.gpus if divided else 1.0
