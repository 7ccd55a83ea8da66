"""Callbacks of a recipe's training: what is written to its folder while it runs, and how it is stopped."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ganzoo.callbacks import Backup, HealthMonitor
from ganzoo.zoo import weights
from ganzoo.zoo.records import BEST, LOG, read_record, rows, write_record

__all__ = ["HEALTH_STEPS", "MONITOR", "Health", "KeepBest", "StopBetweenSteps"]

HEALTH_STEPS, MONITOR = 200, "frechet_distance"  # steps; the log's column


class KeepBest(keras.callbacks.Callback):
    """Writes the weights of each epoch that is better than all before it, which the log knows, also of earlier runs."""

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        before = [float(row[MONITOR]) for row in rows(self._folder / LOG) if int(row["epoch"]) < epoch]
        if logs[MONITOR] < min(before, default=float("inf")):
            weights.save_weights(self.model, self._folder / BEST, half=False)


class Health(HealthMonitor):
    """Writes its alarms to the record; and a training that has diverged is an error before anything of it is kept."""

    def __init__(self, folder: Path, parts: dict[str, np.ndarray]):
        super().__init__(parts, every=HEALTH_STEPS)
        self._folder = folder

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        self._raise_if_diverged()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._raise_if_diverged()

    def _raise_if_diverged(self) -> None:
        if self.alarms and self.alarms[-1][1] == "not a number":
            raise FloatingPointError(f"The training has diverged. {self.alarms[-1][2]}")

    def _alarm(self, kind: str, message: str) -> None:
        super()._alarm(kind, message)
        record, alarm = read_record(self._folder), {"step": self._step, "kind": kind}
        if alarm not in record.setdefault("alarms", []):  # a resumed training can come to the same step again
            record["alarms"].append(alarm)
        write_record(self._folder, record)


class StopBetweenSteps(keras.callbacks.Callback):
    """Ctrl-C, or SIGTERM, ends a training after the step that runs, with a backup of it; a second one ends it at once.

    An interrupt in the middle of a framework's own code can come out as another error, or be lost.
    """

    def __init__(self, backup: Backup):
        super().__init__()
        self._backup, self._asked = backup, False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopBetweenSteps:
        for number, ordinary in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if threading.current_thread() is threading.main_thread() and signal.getsignal(number) is ordinary:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _ask(self, *_: object) -> None:
        self._asked = True
        self.__exit__()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._asked and self._backup.save():
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._asked:
            raise KeyboardInterrupt
