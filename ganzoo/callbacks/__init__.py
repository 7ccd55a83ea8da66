"""Callbacks for `fit`, beside those of Keras."""

from __future__ import annotations

from ganzoo.callbacks.backup import Backup
from ganzoo.callbacks.sample_grid import SampleGrid

__all__ = ["Backup", "SampleGrid"]
