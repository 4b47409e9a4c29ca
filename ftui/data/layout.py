"""How rows are laid out in a file, and what axolotl calls it."""

from __future__ import annotations

from enum import StrEnum


class Layout(StrEnum):
    """How rows are laid out. The value is what people call it."""

    JSONL = "JSONL"
    JSON = "JSON array"
    CSV = "CSV"
    TSV = "TSV"
    PARQUET = "Parquet"
    ARROW = "Arrow"
    SAVED = "saved dataset"
    """A folder written by `datasets.save_to_disk`."""
    HUB = "hub dataset"

    @property
    def ds_type(self) -> str:
        """axolotl's word for a file of this layout; empty where it takes none, or cannot read it.

        Measured with axolotl 0.19 and datasets 4.8: a saved folder and a hub id take none; a TSV
        file is not read right with any.
        """
        return _DS_TYPES.get(self, "")

    @property
    def needs_runtime(self) -> bool:
        """Whether only the train runtime can read it."""
        return self in (Layout.PARQUET, Layout.ARROW, Layout.SAVED, Layout.HUB)


_DS_TYPES = {
    Layout.JSONL: "json",
    Layout.JSON: "json",
    Layout.CSV: "csv",
    Layout.PARQUET: "parquet",
    Layout.ARROW: "arrow",
}
