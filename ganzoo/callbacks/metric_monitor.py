"""Metrics of the averaged generator during training, logged as Keras logs its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np

__all__ = ["MetricMonitor"]


class MetricMonitor(keras.callbacks.Callback):
    """Measures the averaged generator during training, and adds the numbers to the logs of each epoch.

    `ModelCheckpoint`, `EarlyStopping`, `CSVLogger` and the like see them as they see any metric, if they come after it
    in the list of callbacks. Training goes on as if it had not been measured: random states are not touched.

    Args:
        metric: function of the model that returns a float, or a mapping from names to floats;
            `ganzoo.metrics.scorer(reference)` makes one. One of your own draws what it needs from any model:
            ``lambda model: accuracy(model.generate(labels=labels, seed=0), labels)``.
        every: ``"epoch"``, or int: every so many training steps; the logs of an epoch hold the latest numbers. The
            first epoch of a call of `fit` is measured at its end where no such step came before.
        name: the number's name, where `metric` returns a float; none that the logs have already.

    Attributes:
        history: list of (training step, numbers), of all measurements.

    Raises:
        ValueError: `every` is neither; or, at the end of the first epoch, the logs have a number of that name already.
        TypeError: `metric` returns something else.

    Example:

        >>> reference = ganzoo.metrics.Reference(ganzoo.metrics.extractor("mnist"), validation_images[:2000])
        >>> monitor = ganzoo.callbacks.MetricMonitor(ganzoo.metrics.scorer(reference), every=500)
        >>> best = keras.callbacks.ModelCheckpoint("best.keras", "frechet_distance", mode="min", save_best_only=True)
        >>> model.fit(images, epochs=20, callbacks=[monitor, best])
    """

    def __init__(
        self,
        metric: Callable[[keras.Model], float | Mapping[str, float]],
        every: str | int = "epoch",
        name: str = "metric",
    ):
        super().__init__()
        whole = isinstance(every, (int, np.integer)) and not isinstance(every, bool) and every > 0
        if every != "epoch" and not whole:
            raise ValueError(f"`every` is 'epoch' or a positive integer. Received: every={every!r}")
        self.metric, self.every, self.name = metric, every, name
        self.history: list[tuple[int, dict[str, float]]] = []
        self._begin = self._step = 0
        self._measured = self._added = False

    def on_train_begin(self, logs=None):
        self._measured = self._added = False
        self._refuse({self.name} - {"metric"}, self.model.trackers)

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = self._step = self._step_now()

    def on_train_batch_end(self, batch, logs=None):
        before, self._step = self._step, self._begin + batch + 1  # not read from the model: that would wait for it
        if self.every != "epoch" and self._step // self.every > before // self.every:
            self._measure()

    def on_epoch_end(self, epoch, logs=None):
        if self.every == "epoch" or not self._measured:  # a log's columns are those of its first epoch
            self._measure()
        if logs is not None and self.history:
            if not self._added:
                self._refuse(self.history[-1][1], logs)
            self._added = True
            logs.update(self.history[-1][1])

    def _refuse(self, names, logs) -> None:
        if taken := sorted(set(names) & set(logs)):
            raise ValueError(
                f"The logs have a number of that name already: MetricMonitor(..., name=). Received: {taken[0]!r}"
            )

    def _step_now(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def _measure(self) -> None:
        self._measured = True
        values = self.metric(self.model)
        values = dict(values) if isinstance(values, Mapping) else {self.name: values}
        try:
            numbers = {name: float(keras.ops.convert_to_numpy(value)) for name, value in values.items()}
        except (TypeError, ValueError) as error:
            raise TypeError(
                "The metric of a MetricMonitor returns a number, or a mapping from names to numbers. "
                f"Received: {values!r:.200}"
            ) from error
        self.history.append((self._step_now(), numbers))
