"""Configs that are edited by hand: each belongs to a plan, in a file that an editor may have open.

An editor that was opened for other answers goes on writing into its own file, never into another
plan's config.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ftui.errors import FtuiError
from ftui.paths import write_atomic
from ftui.plan.plan import Plan


class Draft:
    """The config of a plan, as ftui built it or as a person edited it."""

    def __init__(self, plan: Plan, text: str) -> None:
        self.plan = plan
        self.text = text
        self.edited = False
        """Whether the text is something else than what ftui built."""
        self.unsaved = False
        """Whether it holds edits that are in no file of the person's own."""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._seen = b""

    @property
    def path(self) -> Path | None:
        """Where its file is; None as long as nothing was edited."""
        return Path(self._folder.name, "config.yml") if self._folder else None

    def open(self) -> Path:
        """The file for an editor, holding the text. Raises FtuiError when it cannot be written."""
        return self._write(self.text)

    def change(self, text: str) -> None:
        """Another text, in the file too. Raises FtuiError, and is then what it was."""
        if text != self.text:
            self._write(text)
            self._become(text)

    def look(self) -> bool:
        """Take what was saved in an editor since the last look; whether it is another text.

        Raises FtuiError, once for each save, when what was saved cannot be read.
        """
        data = self._in_file()
        if not data or data == self._seen:  # empty: an editor is about to write it
            return False
        self._seen = data
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise FtuiError("what was saved is not UTF-8 text", hint="save it as UTF-8") from error
        changed = text != self.text
        if changed:
            self._become(text)
        return changed

    def refuse(self) -> Path | None:
        """Put the text back in place of what was saved since the last look.

        Where that is kept now; None when nothing was saved. Raises FtuiError when the file cannot
        be written.
        """
        path, data = self.path, self._in_file()
        if path is None or not data or data == self._seen:
            return None
        kept = path.with_name(f"left-{len(list(path.parent.iterdir()))}.yml")
        try:
            path.replace(kept)
        except OSError as error:
            raise _cannot_edit(error) from error
        self._write(self.text)
        return kept

    def saved(self, plan: Plan) -> None:
        """The person's own file holds the text now, and `plan` begins with it."""
        self.plan, self.unsaved = plan, False

    def close(self) -> None:
        """Remove the file."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _become(self, text: str) -> None:
        self.text = text
        self.edited = self.unsaved = True

    def _in_file(self) -> bytes:
        """What the file holds; nothing while an editor replaces it."""
        try:
            return self.path.read_bytes() if self.path else b""
        except OSError:
            return b""

    def _write(self, text: str) -> Path:
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="ftui-", ignore_cleanup_errors=True
                )
            path = Path(self._folder.name, "config.yml")
            if self._in_file() != text.encode():
                write_atomic(path, text)
        except OSError as error:
            raise _cannot_edit(error) from error
        self._seen = text.encode()
        return path


class Drafts:
    """The drafts of every plan that was reviewed. Their files go with the app."""

    def __init__(self) -> None:
        self._drafts: list[Draft] = []

    def of(self, plan: Plan, built: str) -> Draft:
        """The draft of a plan as it was left; without edits it is the config as `built` now."""
        draft = next((each for each in self._drafts if each.plan == plan), None)
        if draft is None:
            draft = Draft(plan, built)
        else:
            self._drafts.remove(draft)
        self._drafts.append(draft)
        if not draft.edited:
            draft.text = built
        return draft

    def left_out(self, draft: Draft) -> Draft | None:
        """The last draft with edits, when this one has none: the person may miss them here."""
        if draft.edited:
            return None
        return next((each for each in reversed(self._drafts) if each.unsaved), None)

    def saved_elsewhere(self, draft: Draft) -> Draft | None:
        """Another draft, in which something was saved since the last look. Raises FtuiError."""
        return next((each for each in self._drafts if each is not draft and each.look()), None)

    @property
    def unsaved(self) -> bool:
        """Whether there are edits that are in no file of the person's own."""
        return any(draft.unsaved for draft in self._drafts)

    def close(self) -> None:
        """Remove their files."""
        for draft in self._drafts:
            draft.close()


def _cannot_edit(error: OSError) -> FtuiError:
    return FtuiError("the config cannot be edited", why=error.strerror or str(error))
