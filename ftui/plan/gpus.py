"""Common GPUs by name, for a machine that is not this one: `ftui check --gpu h100:8`.

Memory in GiB, as the driver tells it of the usual cards (less than sold, where ECC or the maker
takes a part; others as sold); compute capability as on https://developer.nvidia.com/cuda/gpus
(2026-11-25).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from ftui.errors import UsageError
from ftui.plan.hardware import Gpu
from ftui.plan.nearest import nearest

_MOST = 4096
"""More GPUs than this are a slip of the keyboard."""
_NONE = ("none", "cpu")

_TABLE = """
P100          16  sm_60
P4             8  sm_61
P40           24  sm_61
GTX 1080 Ti   11  sm_61
V100          16  sm_70
V100 32GB     32  sm_70
Titan V       12  sm_70
T4            15  sm_75
Titan RTX     24  sm_75
Quadro RTX 6000  24  sm_75
Quadro RTX 8000  48  sm_75
RTX 2060       6  sm_75
RTX 2070       8  sm_75
RTX 2080       8  sm_75
RTX 2080 Ti   11  sm_75
A100          40  sm_80
A100 80GB     80  sm_80
A30           24  sm_80
A2            16  sm_86
A10           22.5  sm_86
A10G          22.5  sm_86
A16           16  sm_86
A40           45  sm_86
RTX A2000     12  sm_86
RTX A4000     16  sm_86
RTX A4500     20  sm_86
RTX A5000     24  sm_86
RTX A5500     24  sm_86
RTX A6000     48  sm_86
RTX 3060      12  sm_86
RTX 3060 Ti    8  sm_86
RTX 3070       8  sm_86
RTX 3070 Ti    8  sm_86
RTX 3080      10  sm_86
RTX 3080 Ti   12  sm_86
RTX 3090      24  sm_86
RTX 3090 Ti   24  sm_86
L4            22.5  sm_89
L40           45  sm_89
L40S          45  sm_89
RTX 6000 Ada  48  sm_89
RTX 5000 Ada  32  sm_89
RTX 4000 Ada  20  sm_89
RTX 4060       8  sm_89
RTX 4060 Ti   16  sm_89
RTX 4070      12  sm_89
RTX 4070 Ti   12  sm_89
RTX 4070 Ti Super  16  sm_89
RTX 4080      16  sm_89
RTX 4080 Super  16  sm_89
RTX 4090      24  sm_89
H100          79.6  sm_90
H100 NVL      94  sm_90
H200         140.4  sm_90
H20           96  sm_90
GH200         95.6  sm_90
B200         179  sm_100
GB200        186  sm_100
B300         288  sm_103
GB300        288  sm_103
RTX 5060       8  sm_120
RTX 5060 Ti   16  sm_120
RTX 5070      12  sm_120
RTX 5070 Ti   16  sm_120
RTX 5080      16  sm_120
RTX 5090      32  sm_120
RTX PRO 6000  96  sm_120
GB10         128  sm_121
"""
USUAL = (
    *("RTX 3060", "T4", "RTX 4060 Ti", "L4", "A10", "RTX 4090", "A100", "L40S"),
    *("H100", "A100 80GB", "H200", "B200"),
)
"""What people have, and what is for hire, by memory."""
_ALSO: Mapping[str, str] = {
    "a100 40gb": "A100",
    "p100 16gb": "P100",
    "v100 16gb": "V100",
    "h100 80gb": "H100",
    "gh200 480gb": "GH200",
    "dgx spark": "GB10",
}
"""Other names that people and drivers give them; GH200 480GB has so much memory beside its GPU."""


def find(name: str) -> Gpu:
    """The GPU of a name, in any case, with or without spaces and "NVIDIA", "RTX" or "GB".

    Raises UsageError, with the nearest name, for one that is not in the table.
    """
    gpus, wanted = _gpus(), _plain(name)
    if wanted in gpus:
        return gpus[wanted]
    shown = {_plain(gpu.name): gpu.name for gpu in gpus.values()}
    near = nearest(wanted, shown)
    hint = f"did you mean {shown[near]}?" if near else f"There is {', '.join(_EXAMPLES)}, …"
    raise UsageError(f"there is no GPU {name!r} in ftui's table", hint=hint)


_EXAMPLES = ("T4", "A10", "A100", "L4", "RTX 4090", "H100", "H200", "B200", "none")


def usual_name(name: str) -> str:
    """What the table calls a GPU that a driver or a cloud has another name for; else the same."""
    gpu = _gpus().get(_plain(name))
    return gpu.name if gpu else name


def parse(text: str) -> tuple[Gpu, ...]:
    """The GPUs of `NAME` or `NAME:COUNT`, such as `h100:8`; `none` or `cpu` are none.

    Raises UsageError for a name that is not in the table, and a count that is none.
    """
    name, colon, count = text.strip().partition(":")
    if _plain(name) in _NONE:
        if colon:
            raise UsageError(f"{name.strip()} takes no number", hint=f"write {name.strip()}")
        return ()
    gpu = find(name.strip())
    if not colon:
        return (gpu,)
    if not re.fullmatch(r"[1-9]\d{0,3}", count.strip(), re.ASCII) or int(count) > _MOST:
        hint = f"a number from 1 to {_MOST} after the colon, such as {_plain(name)}:8"
        raise UsageError(f"{count.strip()!r} is not a number of GPUs", hint=hint)
    return (gpu,) * int(count)


@cache
def _gpus() -> dict[str, Gpu]:
    """The table, by the plain form of every name."""
    gpus = {}
    for line in _TABLE.strip().splitlines():
        name, memory, capability = re.split(r"\s{2,}", line)
        gpus[_plain(name)] = Gpu(name, float(memory), capability)
    for other, name in _ALSO.items():
        gpus[_plain(other)] = gpus[_plain(name)]
    # `4090` is an RTX 4090: nobody else's number is that.
    shorter = {re.sub("^[gr]tx", "", plain): gpu for plain, gpu in gpus.items()}
    return {**shorter, **gpus}


_MAKER = re.compile(
    r"nvidia|geforce|tesla|generation|blackwell.*|(?<=\d)[\s_-]*gi?b(?![a-z])"
    r"|hbm\d?e?|sxm\d?|pcie|[\s_-]"
)


def _plain(name: str) -> str:
    """A name without what does not tell one GPU from another: `NVIDIA A100-80GB` is `a10080`."""
    return _MAKER.sub("", name.strip().lower())
