"""How far a long piece of work is."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["progress"]


def progress(items: Iterable, total: int, what: str) -> Iterable:
    """A bar on a terminal, for what takes longer than a second; one inside another goes when it is full."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=what, delay=1, disable=None, leave=None)
