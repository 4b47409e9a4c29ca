"""What axolotl refuses about exporting the trained model for llama.cpp (`axolotl export`)."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.plan.nearest import nearest

_TYPES = (
    *("F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_0", "Q4_K_M"),
    *("Q4_K_S", "Q4_0", "Q4_1", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "Q2_K_S", "IQ4_XS"),
    *("IQ4_NL", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS"),
    *("IQ1_M", "IQ1_S", "TQ1_0", "TQ2_0", "MXFP4_MOE"),
)
"""Kinds of quantized weights that llama.cpp writes."""
_SMALL = ("q8_0", "tq1_0", "tq2_0")


def _types(subject: Subject) -> Iterator[Finding]:
    listed = subject.get("export.quantize")
    names = listed.split(",") if isinstance(listed, str) else listed
    for index, name in enumerate(names if isinstance(names, list) else ()):
        kind = str(name).strip().upper()
        if kind not in _TYPES:
            place = "export.quantize" if isinstance(listed, str) else f"export.quantize.{index}"
            hint = f"did you mean {nearest(kind, _TYPES) or 'Q4_K_M'}?"
            yield error(place, f"llama.cpp has no kind of weights {str(name)!r}", hint)


def _again(subject: Subject) -> Iterator[Finding]:
    if not subject.get("export.quantize"):
        return
    if subject.get("export.outtype") in _SMALL:
        yield error(
            "export.outtype",
            "llama.cpp cannot quantize once more what is quantized already",
            "set `outtype: f16`, or remove quantize",
        )
    name = subject.text("export.outfile")
    if name and "{ftype}" not in name:
        yield error(
            "export.outfile",
            "with quantize there are several files, and this is one name",
            "put {ftype} into it, as in model-{ftype}.gguf",
        )


def _new(subject: Subject) -> Iterator[Finding]:
    """Exporting came with axolotl 0.21."""
    if subject.axolotl >= (0, 21):
        yield from _types(subject)
        yield from _again(subject)


RULES: tuple[Rule, ...] = (_new,)
"""What axolotl refuses about exporting."""
