"""How a config is laid out for people: sections, the order of keys in them, a remark for each.

Keys that are not here follow under `Everything else`, with the first sentence of axolotl's own
description where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

SECTIONS: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        "Model",
        {
            "base_model": "hub id or folder of the model to start from",
            "tokenizer_config": "the tokenizer, where it is not the model's own",
            "trust_remote_code": "run code that comes with the model",
            "load_in_8bit": "weights in 8 bits",
            "load_in_4bit": "weights in 4 bits: this is QLoRA",
            "chat_template": "how turns become text",
            "special_tokens": "tokens that the tokenizer does not name itself",
        },
    ),
    (
        "Data",
        {
            "datasets": "what to learn from",
            "test_datasets": "what to measure the eval loss on",
            "val_set_size": "share of the rows kept back for the eval loss",
            "dataset_prepared_path": "tokenized rows are kept here",
            "shuffle_merged_datasets": "mix several datasets",
            "sequence_len": "longest example, in tokens",
            "sample_packing": "several short examples share one sequence",
            "eval_sample_packing": "the same for the eval loss",
            "pad_to_sequence_len": "every sequence has the full length: steady memory",
            "train_on_inputs": "whether the questions are learnt too",
        },
    ),
    (
        "Adapter",
        {
            "adapter": "lora, qlora, or no such line to train every weight",
            "lora_r": "rank: how much the adapter can hold",
            "lora_alpha": "scale of the adapter: alpha / rank",
            "lora_dropout": "share of the adapter switched off at random in each step",
            "lora_target_linear": "on every linear layer",
            "lora_target_modules": "on these layers",
            "lora_modules_to_save": "trained in full beside the adapter",
            "lora_mlp_kernel": "fused GPU code",
            "lora_qkv_kernel": "fused GPU code",
            "lora_o_kernel": "fused GPU code",
            "lora_embedding_kernel": "fused GPU code",
        },
    ),
    (
        "Training",
        {
            "num_epochs": "times through the data",
            "max_steps": "stop after so many optimizer steps",
            "micro_batch_size": "examples at once on each GPU",
            "gradient_accumulation_steps": "micro-batches in one optimizer step",
            "optimizer": "what turns gradients into steps",
            "learning_rate": "size of a step",
            "lr_scheduler": "how the learning rate falls",
            "warmup_steps": "steps in which it rises first",
            "warmup_ratio": "share of the steps in which it rises first",
            "weight_decay": "pulls weights towards zero",
            "max_grad_norm": "longer gradients are cut to this length",
            "seed": "the same seed, the same rows in the same order",
        },
    ),
    (
        "Memory and speed",
        {
            "bf16": "16-bit numbers with the range of 32",
            "tf32": "faster, slightly coarser arithmetic",
            "attn_implementation": "how attention is computed",
            "gradient_checkpointing": "compute twice instead of remembering: less memory",
            "gradient_checkpointing_kwargs": "for gradient_checkpointing",
            "fsdp_version": "weights are split over the GPUs (FSDP2)",
            "fsdp_config": "for FSDP",
            "deepspeed": "weights are split over the GPUs (DeepSpeed)",
        },
    ),
    (
        "Output",
        {
            "output_dir": "checkpoints and the result",
            "logging_steps": "steps from one loss line to the next",
            "evals_per_epoch": "eval losses in an epoch",
            "eval_strategy": "when to measure the eval loss",
            "eval_steps": "steps between eval losses",
            "saves_per_epoch": "checkpoints in an epoch",
            "save_strategy": "when to write a checkpoint",
            "save_steps": "steps between checkpoints",
            "save_total_limit": "older checkpoints are deleted",
            "plugins": "ftui_events writes events.jsonl, which the monitor reads",
        },
    ),
)

OTHERS = "Everything else"
