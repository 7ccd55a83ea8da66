"""Callbacks for `fit`, beside those of Keras."""

from __future__ import annotations

from ganzoo.callbacks.backup import Backup
from ganzoo.callbacks.health_monitor import HealthMonitor
from ganzoo.callbacks.metric_monitor import MetricMonitor
from ganzoo.callbacks.sample_grid import SampleGrid

__all__ = ["Backup", "HealthMonitor", "MetricMonitor", "SampleGrid"]
