"""What readers of tables share: their text, and what stands between columns."""

from __future__ import annotations

from pathlib import Path

__all__ = ["decoded", "mark_between"]


def decoded(content: bytes, table: Path) -> str:
    """The text of a table, which is UTF-8.

    Raises:
        ValueError: it is not.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{table} is no UTF-8 text: save it as UTF-8 (a spreadsheet calls it CSV UTF-8), or move it away. "
            f"Received: byte {error.start} is {content[error.start]:#x}"
        ) from None


def mark_between(line: str) -> str | None:
    """What stands between the columns of a line: a comma, a semicolon or a tab; None without one of them."""
    return next((mark for mark in ",;\t" if mark in line), None)
