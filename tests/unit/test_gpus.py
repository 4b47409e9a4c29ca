"""A GPU is known by the names that people and drivers give it."""

from __future__ import annotations

import pytest

from ftui.errors import UsageError
from ftui.plan import gpus
from ftui.plan.gpus import find, parse


@pytest.mark.parametrize(
    ("written", "name", "memory", "capability"),
    [
        ("h100", "H100", 79.6, "sm_90"),
        ("NVIDIA H100", "H100", 79.6, "sm_90"),
        ("NVIDIA H100 80GB", "H100", 79.6, "sm_90"),
        ("Tesla T4", "T4", 15, "sm_75"),
        ("v100", "V100", 16, "sm_70"),
        ("a100", "A100", 40, "sm_80"),
        ("A100-40GB", "A100", 40, "sm_80"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB", 80, "sm_80"),
        ("a100-80gb", "A100 80GB", 80, "sm_80"),
        ("A10G", "A10G", 22.5, "sm_86"),
        ("a6000", "RTX A6000", 48, "sm_86"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090", 24, "sm_89"),
        ("rtx4090", "RTX 4090", 24, "sm_89"),
        ("4090", "RTX 4090", 24, "sm_89"),
        ("rtx_2080_ti", "RTX 2080 Ti", 11, "sm_75"),
        ("l40s", "L40S", 45, "sm_89"),
        ("h200", "H200", 140.4, "sm_90"),
        ("b200", "B200", 179, "sm_100"),
        ("gh200", "GH200", 95.6, "sm_90"),
        ("1080 ti", "GTX 1080 Ti", 11, "sm_61"),
        ("5090", "RTX 5090", 32, "sm_120"),
        ("a100 80 gib", "A100 80GB", 80, "sm_80"),
        ("6000 ada", "RTX 6000 Ada", 48, "sm_89"),
        ("gb200", "GB200", 186, "sm_100"),
        # as nvidia-smi prints them
        ("NVIDIA A100 80GB PCIe", "A100 80GB", 80, "sm_80"),
        ("NVIDIA H100 80GB HBM3", "H100", 79.6, "sm_90"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", 48, "sm_89"),
        ("NVIDIA GH200 480GB", "GH200", 95.6, "sm_90"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000", 96, "sm_120"),
        ("Tesla P100-PCIE-16GB", "P100", 16, "sm_60"),
        ("Tesla V100-SXM2-32GB", "V100 32GB", 32, "sm_70"),
    ],
)
def test_a_gpu_is_found_by_its_name(
    written: str, name: str, memory: float, capability: str
) -> None:
    gpu = find(written)
    assert (gpu.name, gpu.memory_gib, gpu.compute_capability) == (name, memory, capability)


def test_every_gpu_of_the_table_is_found_by_its_own_name() -> None:
    for line in gpus._TABLE.strip().splitlines():
        name = line.split("  ")[0]
        assert find(name).name == name
        assert find(f"NVIDIA {name}".lower()).name == name


def test_no_other_name_is_one_that_is_found_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(gpus._ALSO)
    monkeypatch.setattr(gpus, "_ALSO", {})
    assert [name for name in names if gpus._plain(name) in gpus._gpus.__wrapped__()] == []


@pytest.mark.parametrize(
    ("written", "hint"), [("h10", "H100"), ("rtx 4091", "RTX 4090"), ("", "T4"), ("xyzzy", "T4")]
)
def test_an_unknown_gpu_is_refused_with_a_hint(written: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(written)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("written", "count"),
    [("h100", 1), ("h100:8", 8), ("H100 : 2", 2), (" a10:1 ", 1), ("none", 0), ("CPU", 0)],
)
def test_a_number_of_gpus_follows_the_colon(written: str, count: int) -> None:
    assert len(parse(written)) == count


@pytest.mark.parametrize("written", ["h100:0", "h100:", "h100:-1", "h100:x", "h100:99999", "cpu:2"])
def test_what_is_no_number_of_gpus_is_refused(written: str) -> None:
    with pytest.raises(UsageError):
        parse(written)


def test_no_gpu_is_not_counted() -> None:
    with pytest.raises(UsageError, match="none takes no number"):
        parse("none:3")
