"""Published measurements, and the one that is nearest to a training."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ftui.estimate.training import Checkpointing, Sharding, Training

_FILE = Path(__file__).with_name("measured.csv")
_FAR = 1.5
"""A measurement counts as near while size and tokens differ by less than about this power of e."""
_OTHER_KIND = 1.0
"""What another width of weights, or no checkpointing instead of some, adds to the distance."""


@dataclass(frozen=True)
class Measurement:
    """What somebody measured: a training in a few figures, and GiB on one GPU."""

    source: str
    model: str
    parameters: float
    method: str
    bits: str
    tokens: int
    """Of a micro-batch."""
    shape: str
    """`2048 × 4`: sequence length × micro-batch."""
    checkpointing: bool
    gpus: int
    divided: bool
    gib: float

    @property
    def words(self) -> str:
        """In one line: `24.7 GiB: Llama-3.1-8B, qlora, 2048 × 4 tokens (ritikmahy5/ftune)`."""
        gpus = f", {self.gpus} GPUs" if self.gpus > 1 else ""
        name = self.model.rpartition("/")[2]
        where = self.source.split(" ")[0]
        return f"{self.gib:.1f} GiB: {name}, {self.method}, {self.shape} tokens{gpus} ({where})"


def nearest(training: Training) -> Measurement | None:
    """The measurement most like this training; None where none is near."""
    found = min(_measurements(), key=lambda one: _distance(one, training))
    return found if _distance(found, training) < _FAR else None


def _distance(one: Measurement, training: Training) -> float:
    method = "full" if training.adapter is None else "lora"
    if (one.method == "full") != (method == "full"):
        return math.inf
    if (one.gpus > 1) != (training.gpus > 1):
        return math.inf
    size = abs(math.log(one.parameters / max(training.model.parameters, 1)))
    length = abs(math.log(one.tokens / training.tokens))
    kinds = int(one.bits != str(min(training.weight_bits, 16)))
    kinds += one.checkpointing != (training.checkpointing is not Checkpointing.NONE)
    kinds += one.divided != (training.sharding is Sharding.WEIGHTS)
    return size + length / 2 + _OTHER_KIND * kinds


@cache
def _measurements() -> tuple[Measurement, ...]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = [_measurement(row) for row in csv.DictReader(file) if _is_whole(row)]
    return tuple(rows)


def _is_whole(row: Mapping[str, str]) -> bool:
    """Whether it says enough, of a dense model, and not only roughly."""
    figures = (row["seq_len"], row["micro_batch"], row["measured_gb_per_gpu"])
    # What trains its embeddings, too, needs much more than another adapter.
    vague = any(word in row["notes"] for word in ("quality=C", "moe=", "lm_head"))
    return all(figures) and row["seq_len"].isdigit() and not vague


def _measurement(row: Mapping[str, str]) -> Measurement:
    length, rows = int(row["seq_len"]), int(row["micro_batch"])
    return Measurement(
        source=row["source"],
        model=row["model"],
        parameters=float(row["params_b"]) * 1e9,
        method=row["method"],
        bits=row["bits"],
        tokens=length * rows,
        shape=f"{length} × {rows}",
        checkpointing=row["grad_ckpt"] == "yes",
        gpus=int(row["n_gpu"]),
        divided="FSDP" in row["sharding"] or "ZeRO-3" in row["sharding"],
        gib=float(row["measured_gb_per_gpu"]),
    )
