"""Label maps that are stored as colour images: their colours, their classes, and how well drawn classes fit true ones.

Such maps are often JPEG files, whose colours are not exact: `palette` finds the colours that classes have, `classes_of`
takes the nearest for each pixel, and `ambiguous` says for how many pixels that is a close call.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganzoo.metrics.checks import checked_count, checked_images

__all__ = ["ambiguous", "classes_of", "interval", "mean_iou", "palette", "pixel_accuracy"]

FLAT = 8  # grey levels by which neighbours of one class differ at most, in each channel
APART = 40  # grey levels, in a straight line between two colours: as near as two classes may be
RARE = 1e-5  # a colour with less than this share of the flat places is none of a class
CLOSE = 0.8  # where the nearest colour is farther away than this times the second nearest, a pixel is ambiguous

_PIXELS = 2**18  # at a time
_SHIFT, _BINS = 3, 32  # bins of 8 levels in each channel


def palette(maps: np.ndarray, num_classes: int = 12) -> np.ndarray:
    """Finds the colours that stand for classes: the peaks of a histogram of colours, over the flat places of the maps.

    A place is flat where it and its four neighbours differ by at most `FLAT` levels in each channel. Borders between
    classes, where a JPEG file holds mixtures of colours, are not; that is what k-means on all pixels stumbles over,
    which gives centres to the mixtures of common classes and none to rare ones. Peaks are taken from the fullest bin
    down, none nearer than `APART` to an earlier one; each colour is the mean of the flat places within `APART` / 2.

    Args:
        maps: uint8 (n, height, width, 3), of the training set, at least 3 x 3 pixels.
        num_classes: How many colours there are, at least 2: 12 in CMP facades.

    Returns:
        uint8 (num_classes, 3), the most frequent first. The same maps give the same colours. Keep them with a model:
        the row is the number of the class, and other maps may come in another order.

    Raises:
        ValueError: The maps are no RGB images, or have fewer colours that are `APART` from each other.

    Example:
        >>> maps = np.zeros((1, 8, 8, 3), "uint8")
        >>> maps[:, :, 5:] = 255, 80, 0
        >>> palette(maps, 2).tolist()
        [[0, 0, 0], [255, 80, 0]]
    """
    maps, num_classes = _checked_maps(maps), checked_count(num_classes, "num_classes", least=2)
    counts, sums = _histogram(maps)
    full = np.flatnonzero(counts)
    counts, means = counts[full], sums[full] / counts[full, None]
    peaks = _peaks(counts, means, num_classes)
    if len(peaks) < num_classes:
        raise ValueError(
            f"The flat places of the maps have {len(peaks)} colours that are {APART} levels apart: give more maps, not "
            f"scaled with interpolation, or fewer classes. Received: num_classes={num_classes}, maps.shape={maps.shape}"
        )
    near = _squared(means[:, None], means[peaks]) < (APART / 2) ** 2  # no bin is near two peaks
    colours = [np.average(means[each], axis=0, weights=counts[each]) for each in near.T]
    return np.round(colours).astype("uint8")


def classes_of(maps: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The class of each pixel: the row of the palette that is nearest in a straight line between the colours.

    Args:
        maps: uint8 (n, height, width, 3).
        palette: uint8 (num_classes, 3), from `palette`.

    Returns:
        int32 (n, height, width); of two colours equally near, the first.

    Raises:
        ValueError: The maps are no RGB images, or the palette is not one of two or more different colours.

    Example:
        >>> classes_of(np.full((1, 1, 2, 3), 250, "uint8"), np.array([[0, 0, 0], [255, 255, 255]], "uint8"))
        array([[[1, 1]]], dtype=int32)
    """
    maps, palette = _checked_maps(maps), _checked_palette(palette)
    return np.concatenate([distances.argmin(axis=-1).astype("int32") for distances in _distances(maps, palette)])


def ambiguous(maps: np.ndarray, palette: np.ndarray) -> float:
    """The share of pixels that are nearly as far from the second nearest colour as from the nearest.

    These are the pixels whose distance to the nearest colour is more than `CLOSE` (.8) of that to the second nearest.
    What is measured on classes can be no surer than this: say it beside the accuracy of drawn maps.

    Args:
        maps: uint8 (n, height, width, 3).
        palette: uint8 (num_classes, 3), from `palette`.

    Returns:
        A share in [0, 1].

    Raises:
        ValueError: The maps are no RGB images, or the palette is not one of two or more different colours.

    Example:
        >>> maps = np.array([0, 44, 45, 50], "uint8").reshape(1, 1, 4, 1).repeat(3, axis=-1)
        >>> ambiguous(maps, np.array([[0, 0, 0], [100, 100, 100]], "uint8"))  # 45 > .8 * 55, 44 < .8 * 56
        0.5
    """
    maps, palette = _checked_maps(maps), _checked_palette(palette)
    unsure = 0
    for distances in _distances(maps, palette):
        nearest = np.partition(distances, 1, axis=-1)
        unsure += int((nearest[..., 0] > CLOSE**2 * nearest[..., 1]).sum())
    return unsure / maps[..., 0].size


def pixel_accuracy(real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The share of pixels with the right class, of each image.

    Args:
        real: int (n, height, width), the true classes.
        drawn: int of the same shape.

    Returns:
        float64 (n,) in [0, 1]. Its mean is the accuracy over all pixels, `interval` says how sure that is.

    Raises:
        ValueError: The classes are no integers, or of different shapes.

    Example:
        >>> pixel_accuracy(np.array([[[0, 1], [1, 1]]]), np.array([[[0, 1], [1, 0]]]))
        array([0.75])

    Reference: Long, Shelhamer and Darrell 2015, arXiv:1411.4038, section 5.
    """
    real, drawn = _checked_classes(real, drawn)
    return (real == drawn).mean(axis=(1, 2))


def mean_iou(real: np.ndarray, drawn: np.ndarray, num_classes: int) -> float:
    """Intersection over union of each class, over all pixels of a set, averaged over the classes.

    n_ii / (t_i + p_i - n_ii), with n_ii pixels of class i drawn as such, t_i pixels of that class and p_i drawn as it.

    Args:
        real: int (n, height, width), the true classes, from 0 to num_classes - 1.
        drawn: int of the same shape.
        num_classes: How many classes there are.

    Returns:
        A float in [0, 1]. A class that is neither in `real` nor in `drawn` is left out of the mean.

    Raises:
        ValueError: The classes are no integers, of different shapes, or outside of their range.

    Example:
        >>> mean_iou(np.array([[[0, 0, 1, 1]]]), np.array([[[0, 0, 0, 1]]]), num_classes=3)  # (2 / 3 + 1 / 2) / 2
        0.5833333333333333

    Reference: Long, Shelhamer and Darrell 2015, arXiv:1411.4038, section 5.
    """
    real, drawn = _checked_classes(real, drawn)
    num_classes = checked_count(num_classes, "num_classes")
    counts = np.zeros(num_classes**2, "int64")
    for one, other in zip(real, drawn):
        _check_range(one, num_classes, "real")
        _check_range(other, num_classes, "drawn")
        pairs = one.astype("int64") * num_classes + other.astype("int64")
        counts += np.bincount(pairs.ravel(), minlength=num_classes**2)
    confusion = counts.reshape(num_classes, num_classes)
    both = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    return float((both[union > 0] / union[union > 0]).mean())


def interval(values: np.ndarray, seed: int = 0, num: int = 10000) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean over images: percentiles of the means of samples with replacement.

    It says how far the mean would move with other test images, not with another training. Of few images (20) it comes
    out somewhat too narrow.

    Args:
        values: (n,), one for each image, as from `pixel_accuracy`, `psnr`, `ssim` or `l1`.
        seed: Of the samples.
        num: How many samples are drawn.

    Returns:
        The 2.5th and the 97.5th percentile.

    Raises:
        ValueError: `values` is not (n,) or holds NaN or infinity.

    Example:
        >>> interval([0.5, 0.5, 0.5])
        (0.5, 0.5)

    Reference: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3.
    """
    values, num = np.asarray(values, "float64"), checked_count(num, "num")
    if values.ndim != 1 or not values.size:
        raise ValueError(f"There is one value for each image, (n,). Received: values.shape={values.shape}")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise ValueError(
            "The values hold NaN or infinity (`psnr` of an image that equals its truth): leave those images out. "
            f"Received: {bad} of {len(values)} values not finite"
        )
    rng, step = np.random.default_rng(seed), max(1, _PIXELS // len(values))
    sizes = [min(step, num - start) for start in range(0, num, step)]
    means = [values[rng.integers(len(values), size=(size, len(values)))].mean(axis=1) for size in sizes]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def _chunks(maps: np.ndarray) -> Iterator[np.ndarray]:
    step = max(1, _PIXELS // maps[0, ..., 0].size)
    return (maps[start : start + step] for start in range(0, len(maps), step))


def _histogram(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many flat places have a colour in each bin (_BINS^3,), and the sums of their colours (_BINS^3, 3)."""
    counts, sums = np.zeros(_BINS**3, "int64"), np.zeros((_BINS**3, 3))
    for chunk in _chunks(maps):
        colours = chunk[:, 1:-1, 1:-1][_flat(chunk)].astype("int64")
        bins = (colours >> _SHIFT) @ [_BINS**2, _BINS, 1]
        counts += np.bincount(bins, minlength=_BINS**3)
        sums += np.stack([np.bincount(bins, weights=channel, minlength=_BINS**3) for channel in colours.T], axis=1)
    return counts, sums


def _flat(maps: np.ndarray) -> np.ndarray:
    """bool (n, height - 2, width - 2): inner places that are like their four neighbours."""
    maps = maps.astype("int16")
    down = np.abs(np.diff(maps, axis=1)).max(axis=-1) <= FLAT
    right = np.abs(np.diff(maps, axis=2)).max(axis=-1) <= FLAT
    return down[:, :-1, 1:-1] & down[:, 1:, 1:-1] & right[:, 1:-1, :-1] & right[:, 1:-1, 1:]


def _peaks(counts: np.ndarray, means: np.ndarray, num: int) -> list[int]:
    """The fullest bins that are no neighbours of fuller ones, at most `num`."""
    found: list[int] = []
    left, least = counts.copy(), RARE * counts.sum()
    while len(found) < num and left.max(initial=0) > least:
        found.append(int(left.argmax()))
        left[_squared(means, means[found[-1]]) < APART**2] = 0
    return found


def _squared(colours: np.ndarray, others: np.ndarray) -> np.ndarray:
    apart = colours - others
    return np.einsum("...c,...c->...", apart, apart)  # of the same dtype, where sum() would widen int32


def _distances(maps: np.ndarray, palette: np.ndarray) -> Iterator[np.ndarray]:
    """Squared distances int32 (m, height, width, num_classes) of each pixel to each colour, some maps at a time."""
    for chunk in _chunks(maps):
        chunk = chunk.astype("int32")
        yield np.stack([_squared(chunk, colour) for colour in palette.astype("int32")], axis=-1)


def _checked_maps(maps: np.ndarray) -> np.ndarray:
    maps = checked_images(maps, "maps")
    if maps.shape[-1] != 3:
        raise ValueError(f"Label maps are RGB images (n, height, width, 3). Received: maps.shape={maps.shape}")
    return maps


def _checked_palette(palette: np.ndarray) -> np.ndarray:
    palette = np.asarray(palette)
    if palette.dtype != np.uint8 or palette.ndim != 2 or palette.shape[1] != 3:
        raise ValueError(
            "A palette is uint8 (num_classes, 3), what `palette` returns. "
            f"Received: palette.dtype={palette.dtype}, palette.shape={palette.shape}"
        )
    if len(palette) < 2 or len(np.unique(palette, axis=0)) < len(palette):
        raise ValueError(f"A palette has two or more colours, all different. Received: palette={palette.tolist()}")
    return palette


def _checked_classes(real: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real, drawn = np.asarray(real), np.asarray(drawn)
    for classes, name in ((real, "real"), (drawn, "drawn")):
        if classes.dtype.kind not in "iu" or classes.ndim != 3 or not classes.size:
            raise ValueError(
                "Classes are integers (n, height, width), what `classes_of` returns. "
                f"Received: {name}.dtype={classes.dtype}, {name}.shape={classes.shape}"
            )
    if real.shape != drawn.shape:
        raise ValueError(
            "True and drawn classes are compared pixel by pixel: give arrays of one shape. "
            f"Received: real.shape={real.shape}, drawn.shape={drawn.shape}"
        )
    return real, drawn


def _check_range(classes: np.ndarray, num_classes: int, name: str) -> None:
    if classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(
            f"Classes lie in [0, {num_classes}): give `num_classes` as many as the palette has colours. "
            f"Received: {name} from {classes.min()} to {classes.max()}"
        )
