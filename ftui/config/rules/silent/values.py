"""Numbers that axolotl takes in silence and that cannot be right, or hardly so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftui.config.rules.rule import Finding, Rule, Subject, error, warning


@dataclass(frozen=True)
class Bound:
    """Between which numbers a value makes sense, and how to say so."""

    words: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value is within."""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below and math.isfinite(value)


def _least(low: float) -> Bound:
    return Bound(f"at least {low:g}", low)


_POSITIVE = Bound("more than 0", 0, open_low=True)
_SHARE = Bound("between 0 and 1", 0, 1)
_NOT_ALL = Bound("0 or more and less than 1", 0, 1, open_high=True)
_NOT_NONE = Bound("more than 0 and at most 1", 0, 1, open_low=True)
_PORT = Bound("a port from 1 to 65535", 1, 65535)

_BOUNDS: tuple[tuple[Bound, str], ...] = (
    (
        _least(1),
        """
        micro_batch_size gradient_accumulation_steps batch_size eval_batch_size
        sequence_len eval_sequence_len max_steps logging_steps pad_to_multiple_of max_prompt_len
        lora_r lora_rank_pattern.* mixlora_expert_lora_r num_labels
        dataset_num_proc dataset_processes dataset_shard_num num_dataset_shards_to_save
        datasets.*.shards datasets.*.preprocess_shards test_datasets.*.shards
        datasets.*.length datasets.*.sequence_length datasets.*.max_completion_length
        sample_packing_group_size sample_packing_bin_size dataloader_prefetch_factor
        pretrain_multipack_buffer_size streaming_multipack_buffer_size
        pose_max_context_len pose_num_chunks chunked_cross_entropy_num_chunks tiled_mlp_num_shards
        jagged_restart_steps lisa_n_layers lisa_step_interval
        loss_watchdog_patience ddp_timeout ddp_bucket_cap_mb torch_empty_cache_steps
        dp_shard_size dp_replicate_size context_parallel_size sequence_parallel_degree
        tensor_parallel_size heads_k_stride expert_parallel_size ray_num_workers
        eval_max_new_tokens gradio_max_new_tokens generation_max_new_tokens
        num_generation_samples eaft_k image_size profiler_steps sync_profiler_steps
        dion_rank_multiple_of qgalore_rank qgalore_update_proj_gap qgalore_proj_bits
        qgalore_proj_group_size qgalore_queue_size
        trl.max_completion_length trl.generation_batch_size trl.num_iterations
        trl.ref_model_sync_steps trl.vllm_server_timeout trl.vllm_sync_interval trl.prefetch_depth
        trl.streaming_min_groups trl.reward_num_workers
        vllm.tensor_parallel_size vllm.data_parallel_size vllm.max_model_len
        qat.group_size quantization.group_size
        kd_online_topk kd_online_timeout lm_eval_batch_size
        """,
    ),
    (
        _least(0),
        """
        weight_decay max_grad_norm warmup_steps saves_per_epoch evals_per_epoch eval_steps
        save_steps early_stopping_patience min_sample_len eval_table_size
        dataloader_num_workers dataset_shard_idx datasets.*.shards_idx test_datasets.*.shards_idx
        jagged_restart_warmup_steps jagged_restart_anneal_steps
        rl_beta trl.beta cpo_alpha simpo_gamma center_rewards_coefficient
        eaft_alpha gradio_temperature generation_temperature datasets.*.temperature
        pretraining_dataset.*.skip pretraining_dataset.skip profiler_steps_start
        qat.fake_quant_after_n_steps sync_profiler_start_step
        trl.epsilon trl.epsilon_high trl.num_completions_to_print trl.replay_buffer_size
        kd_ce_alpha kd_alpha
        """,
    ),
    (
        _POSITIVE,
        """
        learning_rate embedding_lr embedding_lr_scale lr_groups.*.lr num_epochs
        lora_alpha lora_alpha_pattern.* loraplus_lr_ratio loraplus_lr_embedding
        mixlora_expert_lora_alpha
        adam_epsilon adam_epsilon2 dion_lr qgalore_scale
        orpo_alpha kto_desirable_weight kto_undesirable_weight dpo_beta
        loss_watchdog_threshold trl.temperature trl.repetition_penalty
        kd_temperature kd_temperature_min
        """,
    ),
    (
        _NOT_ALL,
        """
        lora_dropout mixlora_expert_lora_dropout warmup_ratio adam_beta1 adam_beta2 adam_beta3
        dion_momentum grokfast_alpha
        """,
    ),
    (
        _SHARE,
        """
        cosine_min_lr_ratio cosine_constant_lr_ratio generation_prompt_ratio
        trl.min_p trl.ref_model_mixup_alpha qgalore_cos_threshold
        """,
    ),
    (
        _NOT_NONE,
        """
        sample_packing_eff_est dion_rank_fraction spectrum_top_fraction
        trl.top_p generation_top_p vllm.gpu_memory_utilization
        """,
    ),
    (Bound("0 or more and less than 0.5", 0, 0.5, open_high=True), "dpo_label_smoothing"),
    (Bound("from 0 to 4294967295", 0, 2**32 - 1), "seed datasets.*.seed"),
    (_PORT, "gradio_server_port otel_metrics_port trl.vllm_server_port vllm.port"),
)
"""Places by the bound that they keep; `*` stands for each item of a list or a mapping."""

_BOUND_OF = {pattern: bound for bound, patterns in _BOUNDS for pattern in patterns.split()}

_WHY: Mapping[str, str] = {
    "learning_rate": "with 0 nothing is learned, below it the model unlearns",
    "lora_r": "it is the rank of the adapter: how much it can hold",
    "lora_alpha": "the adapter is scaled by lora_alpha ÷ lora_r, so 0 trains nothing",
    "lora_dropout": "it is the share of the adapter's inputs that is left out at random",
    "warmup_ratio": "it is the share of the run in which the learning rate rises",
    "micro_batch_size": "it is how many rows a GPU reads at once",
    "max_steps": "axolotl then drops the warm-up; leave it out to train num_epochs",
    "logging_steps": "the run ends with an error when it comes to the first log",
    "saves_per_epoch": "it is how often in an epoch a checkpoint is written",
    "seed": "the random number generators take no other",
    "kto_desirable_weight": "axolotl takes 0 for 1.0",
    "kto_undesirable_weight": "axolotl takes 0 for 1.0",
    "dpo_label_smoothing": "it is the share of pairs that are taken to be labelled the wrong way",
}


@dataclass(frozen=True)
class _Unusual:
    """What runs, but is hardly meant."""

    place: str
    bound: Bound
    message: str
    hint: str


_UNUSUAL: tuple[_Unusual, ...] = (
    _Unusual(
        "learning_rate",
        Bound("", high=0.1),
        "is very high for fine-tuning: the weights are likely to blow up",
        "0.0002 is usual for LoRA, 0.00002 for training every weight",
    ),
    _Unusual(
        "lora_dropout",
        Bound("", high=0.5),
        "leaves out more than half of what the adapter reads",
        "0 to 0.1 is usual",
    ),
    _Unusual(
        "weight_decay",
        Bound("", high=1, open_high=True),
        "pulls the weights to zero faster than they learn",
        "0 to 0.1 is usual",
    ),
    _Unusual(
        "warmup_ratio",
        Bound("", high=0.5),
        "spends more than half of the run on raising the learning rate",
        "0.03 to 0.1 is usual",
    ),
    _Unusual(
        "num_epochs",
        Bound("", high=1000),
        "reads the data more than a thousand times",
        "max_steps is the key for a number of steps",
    ),
    _Unusual(
        "sequence_len",
        Bound("", low=16),
        "is so short that nearly every row is left out as too long",
        "it counts tokens; 512 to 8192 is usual",
    ),
)


def _out_of_bounds(subject: Subject) -> Iterator[Finding]:
    for pattern, bound in _BOUND_OF.items():
        for place in _places(subject, pattern):
            number = subject.number(place)
            nothing_said = place == _STEPS and number == -1
            if number is not None and not bound.holds(number) and not nothing_said:
                why = f": {_WHY[pattern]}" if pattern in _WHY else ""
                yield error(place, f"should be {bound.words}, not {number:g}{why}")


_STEPS = "max_steps"


def _no_steps(subject: Subject) -> Iterator[Finding]:
    """-1, which transformers reads as nothing said."""
    unset = subject.number(_STEPS) == -1
    if unset and (subject.on("pretraining_dataset") or subject.on("streaming")):
        message = "a stream of rows needs a number of steps, and -1 is none: it would never end"
        yield error(_STEPS, message, "set it to 1 or more")
    elif unset:
        message = "-1 trains num_epochs, as without it, but axolotl then drops the warm-up"
        yield warning(_STEPS, message, "take it out")


def _unusual(subject: Subject) -> Iterator[Finding]:
    for case in _UNUSUAL:
        number = subject.number(case.place)
        possible = number is not None and _BOUND_OF[case.place].holds(number)
        if number is not None and possible and not case.bound.holds(number):
            yield warning(case.place, f"{number:g} {case.message}", case.hint)


def _places(subject: Subject, pattern: str) -> Iterator[str]:
    """The places that a pattern stands for in this config."""
    head, star, rest = pattern.partition("*")
    if not star:
        yield pattern
        return
    owner = head.rstrip(".")
    node = subject.get(owner)
    keys: Iterable[Any] = node.keys() if isinstance(node, Mapping) else ()
    if isinstance(node, list):
        keys = [str(index) for index in range(len(node))]
    for key in keys:
        yield from _places(subject, f"{owner}.{key}{rest}")


def _not_a_number(subject: Subject) -> Iterator[Finding]:
    for key, value in subject.config.items():
        if isinstance(value, float) and math.isnan(value):
            yield error(str(key), "should be a number, not `.nan`")


def _validation_share(subject: Subject) -> Iterator[Finding]:
    """axolotl cuts a number above 1 to whole rows; preference training takes shares only."""
    place, size = "val_set_size", subject.number("val_set_size")
    if size is None or 0 <= size < 1:
        return
    hint = "0.05 sets aside one row in twenty"
    if size < 0:
        yield error(place, f"should be 0 or more, not {size:g}", hint)
    elif size == 1:
        yield error(place, "1 sets aside every row: none is left to train on", hint)
    elif not size.is_integer():
        yield error(place, f"{size:g} is neither a share below 1 nor a number of rows", hint)
    elif subject.has("rl"):
        yield error(place, f"with rl it must be a share below 1, not {size:g} rows", hint)
    elif isinstance(subject.get(place), float):
        share = f"; for {size:g} percent write {size / 100:g}" if size < 100 else ""
        rows = f"axolotl reads {subject.get(place)} as {size:g} rows"
        yield error(place, rows, f"for rows write {size:.0f}{share}")


def _shards(subject: Subject) -> Iterator[Finding]:
    pairs = [("dataset_shard_idx", "dataset_shard_num")]
    for key in ("datasets", "test_datasets"):
        pairs += [(f"{at}.shards_idx", f"{at}.shards") for at, _ in subject.entries(key)]
    for index_place, count_place in pairs:
        index, count = subject.number(index_place), subject.number(count_place)
        if index is not None and count is not None and index >= count >= 1:
            last = f"{count - 1:.0f}"
            yield error(index_place, f"of {count:.0f} parts the last is {last}: they count from 0")


def _zero_checkpoints(subject: Subject) -> Iterator[Finding]:
    if subject.number("save_total_limit") == 0:
        message = "axolotl takes 0 for nothing said and keeps the last 4 checkpoints"
        yield warning("save_total_limit", message, "1 keeps only the last; -1 keeps all")


def _prefetch_without_workers(subject: Subject) -> Iterator[Finding]:
    if subject.number("dataloader_num_workers") == 0 and subject.on("dataloader_prefetch_factor"):
        message = "needs a process that reads ahead, and dataloader_num_workers is 0"
        yield error("dataloader_prefetch_factor", message, "take it out, or set a worker")


RULES: tuple[Rule, ...] = (
    _out_of_bounds,
    _no_steps,
    _unusual,
    _not_a_number,
    _validation_share,
    _shards,
    _zero_checkpoints,
    _prefetch_without_workers,
)
"""What this module has to say."""
