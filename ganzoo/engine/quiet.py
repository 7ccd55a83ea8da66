"""What frameworks write while they start: left out of what a command prints."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator

__all__ = ["begin_command", "printable", "starting"]

# TensorFlow's notes of what it found; they come before its logging knows any level. Errors and all else stay.
NOTE = re.compile(rb"WARNING: All log messages before absl|[IW]\d{4} |To enable the following instructions")

_in_command = False


def begin_command() -> None:
    """From now on this process is a command, whose output is its own."""
    global _in_command
    _in_command = True
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = _in_one_line


def printable(line: str) -> str:
    """A line without what would move a terminal's cursor or colours: text may come from a stranger's file."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)


def _in_one_line(message, category, filename, lineno, file=None, line=None) -> None:
    """Ours as errors are shown; those of the library that reads images are told per file, where they matter."""
    if os.path.join("PIL", "") not in filename:
        print(f"ganzoo: {printable(str(message))}", file=file or sys.stderr)


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """To import a framework in: in a command its notes on stderr are left out, and all else is written at the end."""
    try:
        stderr = os.dup(2) if _in_command else None
    except OSError:  # closed
        stderr = None
    if stderr is None:
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not NOTE.match(line):
                    os.write(2, line)
