"""Where the user keeps the files of data sets that have a name."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["base_name", "received", "user_folders"]


def base_name(name: str) -> str:
    """The data set in ``"name/config:version"``."""
    return re.split(r"[/:]", name)[0]


def user_folders(name: str, data_dir: str | os.PathLike | None) -> list[Path]:
    """Where the user keeps files of this data set, the likeliest place first."""
    root = data_dir or os.environ.get("GANZOO_DATA")
    if not root:
        return []
    root = Path(root).expanduser()
    if not root.is_dir() and not (root.is_file() and root.suffix == ".npz"):
        origin = "data_dir" if data_dir else "GANZOO_DATA"
        raise FileNotFoundError(f"No such folder or .npz file: {root}. Received: {origin}={str(root)!r}")
    return [folder for folder in (root / base_name(name), root) if folder.exists()]


def received(folders: list[Path]) -> str:
    return f"data_dir={str(folders[-1]) if folders else None!r}"
