"""Figures: scatters of toy samples, training curves."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganzoo.plot.images import write_beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["curves", "scatter"]

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # told apart by colour-blind eyes too


def scatter(samples: Any, limit: float | None = None, title: str = "") -> Figure:
    """Draws samples of a toy distribution: points for two dimensions, a histogram for one.

    Args:
        samples: float `(n, 2)` or `(n, 1)`.
        limit: The axes run from -limit to limit. `None` takes the smallest of 1.25, 2.5, 5, 10, ... that holds 99 % of
            the samples, so that figures of one training mostly share their axes.
        title: Over the figure.

    Returns:
        A `matplotlib.figure.Figure`, known to no window and no notebook until it is shown.

    Raises:
        ValueError: Samples of another shape.

    Example:
        >>> ganzoo.plot.scatter(model.generate(2000, seed=0)).savefig("ring.png")
    """
    from matplotlib.figure import Figure

    samples = np.asarray(samples)
    if samples.ndim != 2 or samples.shape[1] not in (1, 2):
        raise ValueError(f"Samples are (n, 1) or (n, 2). Received: samples.shape={samples.shape}")
    if limit is None:
        reach = np.quantile(np.abs(samples[np.isfinite(samples)]), 0.99) if np.isfinite(samples).any() else 1.0
        limit = 1.25 * 2.0 ** max(0, math.ceil(math.log2(max(reach, 1e-9) / 1.25)))
    figure = Figure(figsize=(5, 5), dpi=100)
    axes = figure.add_axes((0.13, 0.1, 0.82, 0.82), title=title, xlim=(-limit, limit))  # at one place in all figures
    if samples.shape[1] == 1:
        axes.hist(samples[:, 0], bins=list(np.linspace(-limit, limit, 61)), density=True, color=COLORS[0])
        axes.set_ylabel("density")
    else:
        axes.scatter(samples[:, 0], samples[:, 1], s=6, alpha=0.5, linewidths=0, color=COLORS[0])
        axes.set(ylim=(-limit, limit), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def curves(log: Any, path: str | os.PathLike | None = None) -> Figure:
    """Draws a training log: a panel each for losses, accuracies and whatever else was logged.

    Long logs are drawn faintly, with their running mean over them. `loss`, the sum of the players' losses, is left out
    where these are in the log.

    Args:
        log: What `fit` returned, the path of a `CSVLogger` file, or a dict of lists. A column `step` or `epoch` is
            the horizontal axis; without one, each entry is an epoch. Epochs are taken to count from 0, as Keras has
            them, and drawn from 1 on.
        path: Where to write the figure, its format by its ending (.png, .svg, .pdf); `None` writes nothing.

    Returns:
        A `matplotlib.figure.Figure`, known to no window and no notebook until it is shown.

    Raises:
        ValueError: A log without a single number.

    Example:
        >>> history = model.fit(images, epochs=5)
        >>> ganzoo.plot.curves(history, "curves.png")
    """
    from matplotlib.figure import Figure

    columns = _columns_of(log)
    axis = next((name for name in ("step", "epoch") if name in columns), None)
    steps = columns.pop(axis) if axis else None
    columns = {name: values for name, values in columns.items() if np.isfinite(values).any() and name != "epoch"}
    if any(name.endswith("_loss") for name in columns):
        columns.pop("loss", None)
    if not columns:
        raise ValueError(f"There is nothing to draw in this log. Received: {log=}")
    panels: dict[str, list[str]] = {}
    for name in columns:
        panels.setdefault(next((kind for kind in ("loss", "accuracy") if kind in name), name), []).append(name)
    across = min(len(panels), 3)
    down = -(-len(panels) // across)
    figure = Figure(figsize=(5.2 * across, 3.4 * down), dpi=120, layout="constrained")
    for index, (title, names) in enumerate(panels.items()):
        axes = figure.add_subplot(down, across, index + 1, title=title.replace("_", " "))
        for name, color in zip(names, COLORS * len(names), strict=False):
            _draw_curve(axes, steps, columns[name], color, name.replace("_", " "))
        _finish(axes, axis or "epoch", legend=len(names) > 1)
    if path is not None:
        ending = Path(path).suffix.lstrip(".") or "png"
        write_beside(path, lambda file: figure.savefig(file, format=ending))
    return figure


def _columns_of(log: Any) -> dict[str, np.ndarray]:
    """The numbers of a log by name; missing ones are NaN, columns without any are left out by the caller."""
    epochs = None
    if hasattr(log, "history"):  # keras.callbacks.History
        epochs, log = log.epoch, log.history
    if not isinstance(log, Mapping):
        with open(log, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        log = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    columns = {name: np.array([_number(value) for value in values]) for name, values in log.items()}
    if epochs and "epoch" not in columns:
        columns["epoch"] = np.array(epochs, dtype=float)
    if "epoch" in columns:
        columns["epoch"] = columns["epoch"] + 1
    return columns


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _draw_curve(axes: Any, steps: np.ndarray | None, values: np.ndarray, color: str, label: str) -> None:
    steps = np.arange(1, len(values) + 1) if steps is None else steps
    window = len(values) // 50
    if window < 4:
        axes.plot(steps, values, color=color, label=label, marker="o" if len(values) < 2 else None)
        return
    axes.plot(steps, values, color=color, alpha=0.2, linewidth=0.8, zorder=1)
    mean = np.convolve(values, np.ones(window) / window, "valid")
    axes.plot(steps[window // 2 :][: len(mean)], mean, color=color, label=label, zorder=3)


def _finish(axes: Any, label: str, legend: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)
    if legend:
        axes.legend(edgecolor="none", framealpha=0.8)
