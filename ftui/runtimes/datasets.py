"""The rows of any dataset: text here, everything else through the train runtime."""

from __future__ import annotations

from pathlib import Path

from ftui.data.dataset import Groups, read_files
from ftui.data.files import files_of, layout_of
from ftui.data.layout import Layout
from ftui.runtimes.rows import Note, read_groups_in_runtime


def read_dataset(source: str, *, on_note: Note | None = None) -> Groups:
    """The rows of a file, a folder or a hub id, each group with the name of its file.

    `on_note` hears what is to be said about the rows. Raises DatasetError, RuntimeMissing.
    """
    layout = layout_of(source)
    if not layout.needs_runtime:
        yield from read_files(source)
        return
    files = [source] if layout is Layout.HUB else [str(each) for each in files_of(Path(source))]
    for file in files:
        for group in read_groups_in_runtime(file, on_note=on_note):
            yield file, group
