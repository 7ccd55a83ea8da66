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
    warnings.formatwarning = _in_one_line
    # Those of the library that reads images are told per file, where they matter.
    warnings.filterwarnings("ignore", module=r"PIL\.")


def printable(line: str) -> str:
    """A line without what would move a terminal's cursor or colours: text may come from a stranger's file."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)


def _in_one_line(message, category, filename, lineno, line=None) -> str:
    """A warning as errors are shown."""
    return f"ganzoo: {printable(str(message))}\n"


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
