"""Runs inside the train runtime: how many steps, evaluations and checkpoints a config makes.

axolotl's own builder says what it tells the trainer, its own sampler how the rows are packed,
and transformers' own callback is led through the steps of a training that does not happen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from accelerate.data_loader import BatchSamplerShard
from axolotl.core.builders import HFCausalTrainerBuilder, HFRLTrainerBuilder
from axolotl.utils.samplers import MultipackBatchSampler, get_dataset_lengths
from axolotl.utils.trainer import calculate_total_num_steps
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler
from transformers import set_seed
from transformers.trainer_callback import DefaultFlowCallback, TrainerControl, TrainerState
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

SEED = 0
"""axolotl counts packed steps in an order that nobody seeded; ours is always the same."""
_FEW_ROWS, _TRIES, _TRIES_OF_MANY = 5_000, 8, 2
"""So many other orders show how far the count may be off; few of many rows, which differ less."""
Settings = dict[str, Any]


@dataclass
class Walk:
    """The steps at which a training would evaluate and save."""

    evals: list[int] = field(default_factory=list)
    saves: list[int] = field(default_factory=list)
    steps: int = 0


def receipt(config: Any, tokenizer: Any, meta: Any, rows: Any, world: int) -> dict[str, Any]:
    """The receipt of a config whose training gets these rows, on so many processes."""
    made = told_to_trainer(config, tokenizer, meta)
    batches = batches_per_epoch(config, rows, world)
    per_epoch = max(math.ceil(batches / config.gradient_accumulation_steps), 1)
    steps = int(config.max_steps or meta.total_num_steps or 0) if len(rows) else 0
    walk, intervals = walked(config, made, steps, batches, per_epoch)
    warmup = made["warmup_steps"]
    return {
        "packed": bool(config.sample_packing),
        "micro_batch_size": config.micro_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "world": world,
        "batches_per_epoch": batches,
        "steps_per_epoch": per_epoch,
        "steps": walk.steps,
        "steps_range": steps_range(config, meta.train_dataset, walk.steps),
        "epochs": epochs(walk.steps, per_epoch, batches, config.gradient_accumulation_steps),
        "warmup_steps": int(warmup) if warmup >= 1 else math.ceil(steps * warmup),
        "evals": len(walk.evals),
        "checkpoints": len(walk.saves),
        "checkpoints_kept": min(len(walk.saves), made["save_total_limit"]),
        "packing_efficiency": config.sample_packing_eff_est if config.sample_packing else None,
        **intervals,
    }


def epochs(steps: int, per_epoch: int, batches: int, waits: int) -> float:
    """The epochs that so many steps are; the last step of an epoch may have fewer batches."""
    whole, more = divmod(steps, per_epoch)
    return round(whole + (more * waits / batches if more else 0), 3)


def walked(
    config: Any, made: Settings, steps: int, batches: int, per_epoch: int
) -> tuple[Walk, Settings]:
    """The walk through a training, and the steps from one evaluation or checkpoint to the next."""
    state, args = TrainerState(), arguments(made, bool(config.rl))
    state.compute_steps(args, steps)
    state.max_steps = steps
    walk = Walk(evals=[0] if made.get("eval_on_start") and steps else [])
    if batches:
        lead(walk, args, state, per_epoch)
    elif steps:  # packed into less than one batch: transformers stops at once and saves
        walk.saves = [0]
    if config.save_first_step and walk.steps and 1 not in walk.saves:
        walk.saves.insert(0, 1)
    intervals = {}
    if args.eval_strategy == IntervalStrategy.STEPS:
        intervals["eval_steps"] = state.eval_steps
    if args.save_strategy == SaveStrategy.STEPS:
        intervals["save_steps"] = state.save_steps
    return walk, intervals


def told_to_trainer(config: Any, tokenizer: Any, meta: Any) -> Settings:
    """What axolotl tells the trainer about warm-up, evaluations and checkpoints."""
    builder = (HFRLTrainerBuilder if config.rl else HFCausalTrainerBuilder)(config, None, tokenizer)
    builder.train_dataset, builder.eval_dataset = meta.train_dataset, meta.eval_dataset
    made: Settings = {}
    builder._configure_warmup_and_logging(meta.total_num_steps, made)
    builder._configure_save_and_eval_strategy(made)
    return made


def arguments(made: Settings, first_step: bool) -> SimpleNamespace:
    """As much of transformers' arguments as its callback reads."""
    args = SimpleNamespace(
        eval_strategy=IntervalStrategy(made.get("eval_strategy", "no")),
        eval_steps=made.get("eval_steps"),
        eval_delay=0,
        save_strategy=SaveStrategy(made["save_strategy"]),
        save_steps=made.get("save_steps", 500),
        logging_strategy=IntervalStrategy.STEPS,
        logging_steps=made["logging_steps"],
        logging_first_step=first_step,
    )
    if args.eval_strategy == IntervalStrategy.STEPS and args.eval_steps is None:
        args.eval_steps = args.logging_steps
    return args


def lead(walk: Walk, args: Any, state: Any, per_epoch: int) -> None:
    """Lead transformers' callback through every step until it says stop."""
    control, flow = TrainerControl(), DefaultFlowCallback()

    def note() -> None:
        if control.should_evaluate:
            walk.evals.append(walk.steps)
        if control.should_save:
            walk.saves.append(walk.steps)
        control.should_evaluate = control.should_save = control.should_log = False

    while state.max_steps and not control.should_training_stop:
        walk.steps += 1
        state.global_step, state.epoch = walk.steps, walk.steps / per_epoch
        flow.on_step_end(args, state, control)
        note()
        if walk.steps % per_epoch == 0 or control.should_training_stop:
            flow.on_epoch_end(args, state, control)
            note()


def batches_per_epoch(config: Any, rows: Any, world: int) -> int:
    """The batches that one process gets in an epoch."""
    set_seed(config.seed or 42)  # as transformers does before the trainer makes its sampler
    if config.sample_packing:
        sampler: Any = packing(config, rows)
    else:
        drop = bool(config.dataloader_drop_last)
        sampler = BatchSampler(SequentialSampler(rows), config.micro_batch_size, drop)
    sharing = (config.context_parallel_size or 1) * (config.tensor_parallel_size or 1)
    ranks = max(1, world // sharing)
    if ranks == 1:
        return len(sampler)
    even = not config.sample_packing
    return len(BatchSamplerShard(sampler, ranks, process_index=0, even_batches=even))


def packing(config: Any, rows: Any) -> Any:
    """axolotl's sampler, as its trainer makes it."""
    real = config.multipack_real_batches
    separate = (not config.attn_supports_packing) if real is None else real
    size = config.micro_batch_size
    random = RandomSampler if not config.curriculum_sampling else SequentialSampler
    return MultipackBatchSampler(
        random(rows),
        lengths=get_dataset_lengths(rows),
        batch_size=size if separate else 1,
        batch_max_len=config.sequence_len if separate else size * config.sequence_len,
        group_size=config.sample_packing_group_size,
        bin_size=config.sample_packing_bin_size,
        sequential=config.sample_packing_sequentially,
        drop_last=True,
    )


def steps_range(config: Any, rows: Any, steps: int) -> list[int]:
    """The fewest and the most steps that starts of this config may count."""
    if not config.sample_packing or config.max_steps or not len(rows) or not steps:
        return [steps, steps]
    counted = {steps}
    told = config.sample_packing_eff_est
    tries = _TRIES if len(rows) <= _FEW_ROWS else _TRIES_OF_MANY
    for seed in range(SEED + 1, SEED + 1 + tries):
        torch.manual_seed(seed)
        config.sample_packing_eff_est = config.ftui_asked_efficiency
        counted.add(int(calculate_total_num_steps(config, rows, update=False)))
    config.sample_packing_eff_est = told
    return [min(counted), max(counted)]
