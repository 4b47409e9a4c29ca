"""What axolotl's own plugins refuse. Their rules count only where the plugin is listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, drop, refuses

_LIGER = (
    Row(
        "liger_swiglu",
        "liger_swiglu? liger_glu_activation?",
        "this is the old name of liger_glu_activation, and both are set",
        "remove liger_swiglu",
        edits=drop("liger_swiglu"),
    ),
    Row(
        "liger_glu_activation",
        "liger_glu_activation=true tiled_mlp=true !tiled_mlp_use_original_mlp",
        "liger_glu_activation and tiled_mlp exclude each other: both replace the same layers",
        "remove one of liger_glu_activation and tiled_mlp",
    ),
    Row(
        "liger_glu_activation",
        "liger_swiglu=true tiled_mlp=true !tiled_mlp_use_original_mlp",
        "liger_glu_activation and tiled_mlp exclude each other: both replace the same layers",
        "remove one of liger_swiglu and tiled_mlp",
    ),
    Row(
        "liger_rms_norm",
        "liger_rms_norm tensor_parallel_size>1",
        "liger_rms_norm does not work with matrices split over GPUs (tensor_parallel_size)",
        "remove one of liger_rms_norm and tensor_parallel_size",
    ),
    Row(
        "liger_use_token_scaling",
        "liger_use_token_scaling !liger_fused_linear_cross_entropy",
        "liger_use_token_scaling is a part of liger_fused_linear_cross_entropy, which is off",
        "set `liger_fused_linear_cross_entropy: true`",
    ),
    Row(
        "liger_fused_linear_cross_entropy",
        "liger_fused_linear_cross_entropy tensor_parallel_size>1",
        "Liger's loss does not work with matrices split over GPUs (tensor_parallel_size)",
        "remove one of liger_fused_linear_cross_entropy and tensor_parallel_size",
    ),
)
_CUT_CROSS_ENTROPY = (
    Row(
        "cut_cross_entropy",
        "cut_cross_entropy !bf16 !fp16",
        "cut_cross_entropy computes in 16 bits only, and neither bf16 nor fp16 says so",
        "set `bf16: auto`, or `fp16: true` on a GPU older than Ampere",
    ),
    Row(
        "chunked_cross_entropy",
        "chunked_cross_entropy",
        "chunked_cross_entropy and the CutCrossEntropyPlugin exclude each other: "
        "each replaces the code of the loss",
        "remove chunked_cross_entropy, or the plugin",
    ),
    Row(
        "cut_cross_entropy_c_grad_chunk_size",
        "cut_cross_entropy_c_grad_chunk_size !cut_cross_entropy_accum_c_fp32",
        "this size is a part of cut_cross_entropy_accum_c_fp32, which is off",
        "set `cut_cross_entropy_accum_c_fp32: true`",
        since=(0, 21),
    ),
)
_MERGED = "nvfp4_merge_aware"
_KERNELS = (
    Row(
        "expert_backend",
        "expert_backend? expert_backend!=scattermoe|sonicmoe|eager|builtin",
        "should be one of scattermoe, sonicmoe, eager, builtin",
        "scattermoe is the usual one",
    ),
    Row(
        "use_scattermoe",
        "expert_backend? expert_backend!=scattermoe use_scattermoe=true",
        "use_scattermoe says something else than expert_backend",
        "remove use_scattermoe",
    ),
    Row(
        "use_sonicmoe",
        "expert_backend? expert_backend!=sonicmoe use_sonicmoe=true",
        "use_sonicmoe says something else than expert_backend",
        "remove use_sonicmoe",
    ),
    Row(
        "use_sonicmoe",
        "use_scattermoe use_sonicmoe",
        "use_scattermoe and use_sonicmoe exclude each other: both compute the experts",
        "remove one of use_scattermoe and use_sonicmoe",
    ),
    Row(
        "dsv4_fp4_grouped_mode",
        "dsv4_fp4_grouped_mode? dsv4_fp4_grouped_mode!=nvfp4|NVFP4",
        "should be nvfp4: training works in no other mode",
        "set it to nvfp4, or remove it",
    ),
    Row(
        "dsv4_fp8_nonexpert_mode",
        "dsv4_fp8_nonexpert_mode? dsv4_fp8_nonexpert_mode!=float8tensor|bf16",
        "should be float8tensor or bf16",
        "remove it to use the usual one",
    ),
    Row(
        "moe_grouped_backend",
        "moe_grouped_backend? moe_grouped_backend!=auto|marlin|cutlass|deepgemm",
        "should be one of auto, marlin, cutlass, deepgemm",
        "set it to auto",
    ),
    Row(
        "nonexpert_quantization",
        "nonexpert_quantization? nonexpert_quantization!=none|bf16|fp8|fp8_blockwise|nf4|nvfp4",
        "should be one of none, bf16, fp8, fp8_blockwise, nf4, nvfp4",
        "set it to none",
    ),
    Row(
        "lora_target_modules",
        "use_dsv4_kernels lora_target_modules !lora_exclude_modules",
        "with use_dsv4_kernels only the experts can have adapters",
        "name them in lora_target_parameters, and remove lora_target_modules",
    ),
    Row(
        "lora_target_linear",
        "use_dsv4_kernels lora_target_linear !lora_exclude_modules",
        "with use_dsv4_kernels only the experts can have adapters",
        "name them in lora_target_parameters, and remove lora_target_linear",
    ),
    Row(
        f"{_MERGED}_start_step",
        f"!{_MERGED} {_MERGED}_start_step?",
        f"{_MERGED}_start_step is a part of {_MERGED}, which is off",
        f"set `{_MERGED}: true`, or remove {_MERGED}_start_step",
        before=(0, 21),
    ),
    Row(
        _MERGED,
        f"{_MERGED} !use_sonicmoe expert_backend!=sonicmoe",
        f"{_MERGED} needs the experts computed by SonicMoE",
        "set `expert_backend: sonicmoe`",
        before=(0, 21),
    ),
    Row(
        _MERGED,
        f"{_MERGED} adapter!=lora",
        f"{_MERGED} is about a LoRA adapter",
        "set `adapter: lora`",
        before=(0, 21),
    ),
    Row(
        _MERGED,
        f"{_MERGED} use_scattermoe",
        f"{_MERGED} needs the experts computed by SonicMoE",
        "set `use_sonicmoe: true` instead of use_scattermoe",
        since=(0, 21),
    ),
    Row(
        "use_sonicmoe",
        "use_sonicmoe quantize_moe_experts",
        "SonicMoE cannot compute quantized experts (quantize_moe_experts)",
        "set `use_scattermoe: true` instead",
        since=(0, 21),
    ),
)
_NEMO_GYM = (
    Row(
        "nemo_gym_enabled",
        "nemo_gym_enabled !nemo_gym_config_paths nemo_gym_auto_start!=false",
        "NeMo Gym needs nemo_gym_config_paths to start its servers",
        "set nemo_gym_config_paths, or `nemo_gym_auto_start: false`",
    ),
    Row(
        "nemo_gym_enabled",
        "nemo_gym_enabled !nemo_gym_datasets",
        "NeMo Gym needs its own datasets: nemo_gym_datasets",
        "list at least one in nemo_gym_datasets, with path and server_name",
    ),
)
_SWANLAB = (
    Row(
        "use_swanlab",
        "use_swanlab !swanlab_project",
        "SwanLab needs the name of a project",
        "set swanlab_project, or remove use_swanlab",
    ),
    Row(
        "swanlab_mode",
        "swanlab_mode? swanlab_mode!=cloud|local|offline|disabled",
        "should be one of cloud, local, offline, disabled",
        "set it to local to keep everything on this machine",
    ),
)
_SPECTRUM = (
    Row(
        "fsdp_config",
        "fsdp fsdp_config !fsdp_config.use_orig_params",
        "training a part of the model (Spectrum) with FSDP needs the parameters as they are",
        "set fsdp_config.use_orig_params to true",
        before=(0, 21),
    ),
)


def listed(subject: Subject, name: str) -> bool:
    """Whether a plugin is listed, by the name of its class."""
    return any(plugin.endswith(f".{name}") for plugin in subject.plugins)


def _of(name: str, rows: Sequence[Row]) -> Rule:
    """A plugin's rows, which count only where it is listed."""
    refuse = refuses(rows)

    def rule(subject: Subject) -> Iterator[Finding]:
        if listed(subject, name):
            yield from refuse(subject)

    return rule


def _masks(subject: Subject) -> Iterator[Finding]:
    low, high = (subject.number(f"diffusion.{key}_mask_ratio") for key in ("min", "max"))
    if (
        listed(subject, "DiffusionPlugin")
        and low is not None
        and low > (0.9 if high is None else high)
    ):
        yield error(
            "diffusion.min_mask_ratio",
            "should not be more than max_mask_ratio",
            "lower min_mask_ratio, or raise max_mask_ratio",
        )


def _chunks(subject: Subject) -> Iterator[Finding]:
    place = "cut_cross_entropy_c_grad_chunk_size"
    size = subject.number(place)
    if listed(subject, "CutCrossEntropyPlugin") and size and (size < 0 or size % 128):
        yield error(place, "should be auto or a multiple of 128", "set it to auto")


def _numbers(subject: Subject) -> Iterator[Finding]:
    """Numbers of the kernels plugin that it checks by itself."""
    if not listed(subject, "KernelsPlugin"):
        return
    place = f"{_MERGED}_start_step"
    start = subject.get(place)
    share = isinstance(start, float) and not 0 < start < 1
    step = isinstance(start, bool) or (isinstance(start, int) and start < 0)
    if subject.get(_MERGED) and (share or step):
        words = "should be a step, 0 or more, or a share of the run between 0 and 1"
        yield error(place, f"{words}, not {start}", "remove it to begin at once")
    size = subject.get("moe_dequant_chunk_size")
    number = subject.number("moe_dequant_chunk_size")
    if size is not None and (number is None or number < 1 or not number.is_integer()):
        yield error("moe_dequant_chunk_size", f"should be 1 or more, not {size}", "remove it")


RULES: tuple[Rule, ...] = (
    _of("LigerPlugin", _LIGER),
    _of("CutCrossEntropyPlugin", _CUT_CROSS_ENTROPY),
    _of("KernelsPlugin", _KERNELS),
    _of("NemoGymPlugin", _NEMO_GYM),
    _of("SwanLabPlugin", _SWANLAB),
    _of("SpectrumPlugin", _SPECTRUM),
    _masks,
    _chunks,
    _numbers,
)
"""What axolotl's plugins refuse."""
