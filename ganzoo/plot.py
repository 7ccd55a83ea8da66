"""Pictures: sheets of images, paths through the latent space, scatters of toy samples, training curves."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ganzoo.data.preprocessing import to_uint8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # told apart by colour-blind eyes too


def image_grid(images: Any, columns: int | None = None, padding: int = 2, background: int = 255) -> np.ndarray:
    """Lays images out in rows, left to right, as one image.

    Args:
        images: `(n, height, width, channels)` with 1 or 3 channels, uint8 or float in [-1, 1].
        columns: Images in a row; `None` for a sheet that is about as high as wide.
        padding: Pixels between the images and around them.
        background: Grey value of the padding and of the places that stay empty, 0 to 255.

    Returns:
        The sheet, uint8 `(rows * (height + padding) + padding, columns * (width + padding) + padding, channels)`.

    Raises:
        ValueError: Images of another shape, range or type.

    Example:
        >>> sheet = ganzoo.plot.image_grid(model.generate(64, seed=0))  # (242, 242, 1) for images of 28 x 28
    """
    images = _to_uint8(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"Images are (n, height, width, 1 or 3). Received: images.shape={images.shape}")
    if columns is not None and columns < 1:
        raise ValueError(f"A row holds at least one image. Received: {columns=}")
    number, height, width, channels = images.shape
    columns = min(columns or _columns(number), number)
    rows = -(-number // columns)
    down, across = height + padding, width + padding
    sheet = np.full((rows * down + padding, columns * across + padding, channels), background, "uint8")
    for index, image in enumerate(images):
        top, left = padding + index // columns * down, padding + index % columns * across
        sheet[top : top + height, left : left + width] = image
    return sheet


def _columns(number: int) -> int:
    """The nearest to a square that leaves no gap (10 as 5 x 2), or a square with gaps where that is too flat (7)."""
    side = math.ceil(math.sqrt(number))
    return next((columns for columns in range(side, 2 * side) if number % columns == 0), side)


def _to_uint8(images: Any) -> np.ndarray:
    images = np.asarray(images)
    if images.dtype.kind == "f" and images.size and max(-np.nanmin(images), np.nanmax(images)) > 1.001:
        raise ValueError(f"Float images lie in [-1, 1]. Received: {np.nanmin(images)} to {np.nanmax(images)}")
    return to_uint8(images)


def save_png(path: str | os.PathLike, images: Any, columns: int | None = None, scale: int = 1) -> Path:
    """Writes a sheet of images, or a single image, as a PNG.

    Args:
        path: Where to; its folder must exist. Written beside and renamed, so that no half file is ever seen.
        images: `(n, height, width, channels)`, laid out by `image_grid`, or one image `(height, width, channels)`,
            written as it is; uint8 or float in [-1, 1].
        columns: Images in a row.
        scale: How many pixels of the file, in each direction, make one of the image.

    Returns:
        The path written.

    Example:
        >>> ganzoo.plot.save_png("digits.png", model.generate(64, seed=0), scale=2)
    """
    from PIL import Image

    picture = _to_uint8(images) if np.ndim(images) == 3 else image_grid(images, columns)
    if scale < 1 or scale != int(scale):
        raise ValueError(f"The scale is a whole number from 1 on. Received: {scale=}")
    picture = picture.repeat(int(scale), axis=0).repeat(int(scale), axis=1)  # sharp pixels: nothing is invented
    picture = picture[..., 0] if picture.shape[-1] == 1 else picture
    return write_beside(path, lambda file: Image.fromarray(picture).save(file, "PNG", optimize=True))


def write_beside(path: str | os.PathLike, write: Callable[[BinaryIO], Any]) -> Path:
    """Calls `write` with a file beside `path`, and renames it to `path` once it is complete."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            write(file)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def save_gif(path: str | os.PathLike, sheets: Sequence[str | os.PathLike]) -> Path:
    """Writes picture files of one size as the frames of an animation.

    The frames pass in about ten seconds, no faster than 25 and no slower than 2 a second; the last one stays for two.

    Args:
        path: Where to. Written beside and renamed.
        sheets: The picture files, in order.

    Returns:
        The path written.

    Raises:
        ValueError: No pictures.

    Example:
        >>> ganzoo.plot.save_gif("training.gif", sorted(Path("samples").glob("epoch_*.png")))
    """
    from PIL import Image

    if not sheets:
        raise ValueError(f"An animation has at least one picture. Received: {sheets=}")
    duration = min(max(10_000 // len(sheets), 40), 500)
    durations = [duration] * (len(sheets) - 1) + [2000]
    first, *others = sheets
    with Image.open(first) as start:
        frames = (Image.open(sheet) for sheet in others)  # opened one by one: a long training has many
        options = {"append_images": frames, "duration": durations, "loop": 0}
        return write_beside(path, lambda file: start.save(file, "GIF", save_all=True, **options))


def slerp(start: np.ndarray, end: np.ndarray, fraction: float) -> np.ndarray:
    """Spherical interpolation between vectors.

    A Gaussian latent of many dimensions lies close to a sphere. The straight line between two of them passes well
    inside, where the generator was never trained; the great circle does not.

    Args:
        start, end: `(..., latent_dim)`.
        fraction: From 0 (`start`) to 1 (`end`).

    Returns:
        sin((1 - t) omega) / sin(omega) start + sin(t omega) / sin(omega) end, with omega the angle between the two;
        the straight line where they are parallel.

    Reference:
        White 2016, "Sampling Generative Networks", arXiv:1609.04468.
    """
    norms = np.linalg.norm(start, axis=-1, keepdims=True) * np.linalg.norm(end, axis=-1, keepdims=True)
    cosine = np.sum(start * end, axis=-1, keepdims=True) / np.maximum(norms, 1e-12)
    omega = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(omega)
    straight = sine < 1e-6
    sine = np.where(straight, 1.0, sine)
    a = np.where(straight, 1 - fraction, np.sin((1 - fraction) * omega) / sine)
    b = np.where(straight, fraction, np.sin(fraction * omega) / sine)
    return a * start + b * end


def interpolate(model: Any, num_steps: int = 10, num_paths: int = 1, seed: int | None = 0) -> np.ndarray:
    """The images along paths through the latent space, each from one random latent to another.

    Smooth changes with a believable image at every step say that the generator has not memorised single images.

    Args:
        model: A `ganzoo.GAN` with Gaussian latents: it is asked for `latent_dim` and `predict(latents)`.
        num_steps: Images on a path, both ends included; at least 2.
        num_paths: How many paths.
        seed: Of the ends, drawn with NumPy: one seed gives the same paths on every backend.

    Returns:
        uint8 `(num_paths * num_steps, height, width, channels)`, path after path: with `columns=num_steps` each path
        is a row of the sheet. Of a model of vectors, float32 `(num_paths * num_steps, features)`.

    Reference:
        The spherical path of White 2016, arXiv:1609.04468 (see `slerp`).

    Example:
        >>> images = ganzoo.plot.interpolate(model, num_steps=10, num_paths=5)
        >>> ganzoo.plot.save_png("paths.png", images, columns=10)
    """
    if num_steps < 2 or num_paths < 1:
        raise ValueError(f"Two steps make a path, one path a sheet, at least. Received: {num_steps=}, {num_paths=}")
    start, end = np.random.default_rng(seed).normal(size=(2, num_paths, model.latent_dim))
    latents = np.stack([slerp(start, end, fraction) for fraction in np.linspace(0, 1, num_steps)], axis=1)
    latents = latents.reshape(num_paths * num_steps, model.latent_dim).astype("float32")
    images = np.asarray(model.predict(latents, verbose=0))
    return _to_uint8(images) if images.ndim == 4 else images


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


def drawable(sample_shape: Sequence[int]) -> bool:
    """Whether `save_samples` can draw samples of that shape: images of 1 or 3 channels, vectors of 1 or 2 numbers."""
    return (len(sample_shape), sample_shape[-1]) in ((3, 1), (3, 3), (1, 1), (1, 2))


def save_samples(
    path: str | os.PathLike, model: Any, num: int | None, seed: int, title: str = "", **sheet: Any
) -> Path:
    """Draws samples of a model as a PNG: a sheet of images (64, unless `num` says), or a `scatter` of points (2000).

    Args:
        path: Where to; its folder must exist.
        model: A `GAN` whose `image_shape` is `drawable`.
        num: Samples.
        seed: Of the latents.
        title: Over the points.
        **sheet: `columns` and `scale` of `save_png`.

    Returns:
        The path written.
    """
    if len(model.image_shape) == 3:
        return save_png(path, model.generate(num or 64, seed=seed), **sheet)
    figure = scatter(model.generate(num or 2000, seed=seed), title=title)
    return write_beside(path, lambda file: figure.savefig(file, format="png"))


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
