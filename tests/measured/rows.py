"""One published measurement, and the same training in the words of ftui's estimate.

The column `notes` tells what the other columns cannot: what was measured (`metric`), the layers
with an adapter (`targets`), the loss (`ce`). What a row leaves out is what its program does, as
read in that program's source; those are the habits below, each by the program's name.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftui.estimate.architecture import counted
from ftui.estimate.lora import linear_layers
from ftui.estimate.training import (
    HALF,
    WIDE,
    Adapter,
    Checkpointing,
    Habits,
    Loss,
    Optimizer,
    Sharding,
    Training,
)
from ftui.plan.models import BaseModel
from tests.measured.architectures import architecture

ALPACA_TOKENS = 512
"""Tokens of a long row of alpaca, where a row says no more than that batches were as long as their
longest row."""

_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj")


@dataclass(frozen=True)
class Row:
    """A row of the table: its columns, and its notes by name."""

    columns: Mapping[str, str]
    notes: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.columns[name]

    @property
    def gib(self) -> float | None:
        """What was measured on one GPU, in GiB; None of what ran out of memory."""
        return float(self["measured_gb_per_gpu"]) if self["measured_gb_per_gpu"] else None

    @property
    def capacity_gib(self) -> float | None:
        """What the GPU had, where the row ran out of memory."""
        return float(self.notes["capacity_gib_per_gpu"]) if self.notes.get("outcome") else None

    @property
    def is_allocated(self) -> bool:
        """Whether torch's own count was measured, without what it keeps in reserve."""
        metric = self.notes.get("metric", "")
        return any(word in metric for word in ("allocated", "active"))

    @property
    def program(self) -> str:
        """What trained: `litgpt`, `torchtune`, `QwenLM`, `axolotl` …"""
        known = ("litgpt", "torchtune", "QwenLM", "LLaMA-Factory", "fsdp_qlora", "axolotl")
        return next((name for name in known if name in self["source"]), "transformers")


def read(path: Path) -> list[Row]:
    """The rows of a table of measurements."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(columns, _notes(columns["notes"])) for columns in csv.DictReader(file)]


def _notes(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def is_dense(row: Row) -> bool:
    """Whether it was a dense decoder that was trained."""
    return "moe" not in row.notes


def is_single(row: Row) -> bool:
    """Whether one GPU trained it, and nothing was divided or put elsewhere."""
    return row["n_gpu"] == "1" and row["sharding"] == "none"


def training_of(row: Row) -> Training | None:
    """The training of a row; None of a model that is no dense decoder, or of unknown shape."""
    model = architecture(row["model"])
    if model is None or not row["micro_batch"]:
        return None
    model = counted(model)
    tokens = _sequence(row)
    method = row["method"]
    return _with_program(
        Training(
            model=model,
            tokens=tokens * int(row["micro_batch"]),
            keys=tokens,
            weight_bits=int(row["bits"]),
            four_bit_overhead=_overhead(row),
            adapter=None if method == "full" else _adapter(row, model),
            saved_modules=_saved_modules(row, model),
            checkpointing=_checkpointing(row),
            loss=_loss(row),
            optimizer=_optimizer(row),
            gpus=int(row["n_gpu"]),
            sharding=_sharding(row),
            offloaded="offload" in row["sharding"],
        ),
        row,
    )


def _sequence(row: Row) -> int:
    packed = row.notes.get("packed")
    if row["seq_len"].startswith("dynamic") or (row.program == "torchtune" and packed == "no"):
        return ALPACA_TOKENS
    return int(row["seq_len"])


def _overhead(row: Row) -> float:
    quant = row.notes.get("quant", "nf4-dq")
    if quant == "gptq-int4":  # groups of 128, a 16-bit scale and a 4-bit zero point each
        return 2.5 / 128
    return 1 / 64 + 4 / (64 * 256) if quant == "nf4-dq" else 4 / 64


def _adapter(row: Row, model: BaseModel) -> Adapter:
    layers = [name for name, _ in linear_layers(model)]
    litgpt, torchtune = row.program == "litgpt", row.program == "torchtune"
    return Adapter(
        rank=int(row["rank"] or 8),
        layers=tuple(name for name in layers if _is_target(name, row.notes.get("targets", ""))),
        width=HALF if litgpt or torchtune else WIDE,
        dropout=litgpt,
        kernels="Unsloth" in row.notes.get("stack", ""),  # axolotl's kernels come from there
    )


def _is_target(layer: str, targets: str) -> bool:
    part = layer.rpartition(".")[2]
    in_attention = part in _ATTENTION
    if targets in ("attn(qkvo)", "attn"):
        return in_attention
    if targets == "q,v":
        return part in ("q_proj", "v_proj", "qkv_proj")
    if targets == "q,v,o+mlp":
        return part != "k_proj"
    return not in_attention if targets == "mlp" else True


def _saved_modules(row: Row, model: BaseModel) -> float:
    return 2.0 * model.vocabulary * model.hidden if "lm_head" in row.notes.get("targets", "") else 0


def _checkpointing(row: Row) -> Checkpointing:
    if row["grad_ckpt"] != "yes":
        return Checkpointing.NONE
    offloaded = "activations" in row.notes.get("offload", "")
    return Checkpointing.OFFLOADED if offloaded else Checkpointing.LAYERS


def _loss(row: Row) -> Loss:
    ce = row.notes.get("ce", "")
    if "cut_cross_entropy" in ce or "linear" in ce or "Unsloth" in row.notes.get("stack", ""):
        return Loss.FUSED
    # torchtune's recipes for one GPU have it by default.
    chunked = ce == "chunked" or (
        row.program == "torchtune" and not ce and "README" in row["source"]
    )
    return Loss.CHUNKED if chunked else Loss.STOCK


def _optimizer(row: Row) -> Optimizer:
    name = row["optimizer"].lower()
    return Optimizer(
        bits=8 if "8bit" in name else 0,
        paged="paged" in name,
        fused="fused" in name or "8bit" in name or row.program == "torchtune",
    )


def _sharding(row: Row) -> Sharding:
    divided = row["sharding"].startswith(("FSDP", "ZeRO-3"))
    return Sharding.WEIGHTS if divided else Sharding.NONE


def _with_program(training: Training, row: Row) -> Training:
    """What the program that trained does in ways of its own."""
    narrow = row.notes.get("compile") == "yes" or "Unsloth" in row.notes.get("stack", "")
    habits = Habits(logit_bytes=16, narrow_norms=narrow, narrow_mlp=narrow)
    change = dataclasses.replace
    match row.program:
        case "litgpt":
            kept = _litgpt_inputs(row) if training.weight_bits == 4 else 0
            habits = change(habits, shared_inputs=True, four_bit_input_bytes=kept)
        case "torchtune":
            acts_at_once = "bwd" in row["optimizer"]
            habits = change(habits, gradients_kept=not acts_at_once, wide_output=False)
        case "QwenLM" if training.adapter is None:  # finetune_ds.sh: DeepSpeed
            training = change(training, deepspeed=True)
        case "axolotl":
            habits = change(habits, logit_bytes=12)
        case "transformers" if training.weight_bits == 4 and row.is_allocated:
            # prepare_model_for_kbit_training widens embeddings and norms; what follows is wide.
            training = change(training, embedding_width=WIDE, hidden_width=WIDE)
    return change(training, habits=habits)


def _litgpt_inputs(row: Row) -> int:
    """bitsandbytes kept the input of each 4-bit layer; litgpt's later table has twice as much."""
    return 4 if "config_hub" in row["source"] else 2


def judged(rows: Iterable[Row]) -> Iterable[tuple[Row, Training]]:
    """The rows of dense decoders, with their trainings."""
    for row in rows:
        training = training_of(row) if is_dense(row) else None
        if training is not None:
            yield row, training
