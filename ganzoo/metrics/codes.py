"""Whether codes that were found without labels are what one would have labelled: digits, slant, stroke."""

from __future__ import annotations

import numpy as np

__all__ = ["cluster_accuracy", "rank_correlation", "slant", "stroke_width"]

MOST = 16  # classes that are assigned by looking at every subset of them


def cluster_accuracy(found, labels) -> tuple[float, np.ndarray]:
    """How often groups found without labels agree with classes, after the best one-to-one assignment of the two.

    Args:
        found: int (n,), the group of each example, from 0.
        labels: int (n,), its class, from 0. Groups and classes are at most 16.

    Returns:
        The part of the examples that agree, in [0, 1]; and int (groups,), the class assigned to each group, -1 where
        there are more groups than classes and one has none.

    Raises:
        ValueError: arrays of other shapes, or too many groups.

    Reference:
        Chen et al. 2016, arXiv:1606.03657, section 7.2: "matching each category in c1 to a digit type".

    Example:
        >>> cluster_accuracy([1, 1, 0, 0], [0, 0, 1, 0])
        (0.75, array([1, 0]))
    """
    found, labels = np.asarray(found), np.asarray(labels)
    if found.ndim != 1 or found.shape != labels.shape or not len(found) or min(found.min(), labels.min()) < 0:
        raise ValueError(
            "`found` and `labels` are one whole number, from 0, for each example. "
            f"Received: found of shape {found.shape}, labels of shape {labels.shape}"
        )
    size = int(max(found.max(), labels.max())) + 1
    if size > MOST:
        raise ValueError(f"At most {MOST} groups and classes are assigned. Received: {size}")
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (found, labels), 1)
    best: dict[int, tuple] = {
        0: (0, ())
    }  # of the groups so far: by the set of classes that they took, agreements and who took which
    for group in range(size):
        taken: dict[int, tuple] = {}
        for used, (count, chosen) in best.items():
            for label in range(size):
                if not used >> label & 1:
                    total = count + int(table[group, label])
                    if total > taken.get(used | 1 << label, (-1,))[0]:
                        taken[used | 1 << label] = (total, (*chosen, label))
        best = taken
    ((count, chosen),) = best.values()
    groups, classes = int(found.max()) + 1, int(labels.max()) + 1
    return count / len(found), np.array([label if label < classes else -1 for label in chosen[:groups]])


def slant(images) -> np.ndarray:
    """How far ink leans: columns to the left for each row upwards is negative, to the right positive.

    Args:
        images: (n, height, width, 1) or (n, height, width), bright ink on a dark ground: uint8, or float in [-1, 1].

    Returns:
        float64 (n,): the slope of the columns' regression on the height above, by moments of the ink; 0 where all ink
        lies in one row.

    Example:
        >>> stroke = np.eye(8, dtype="uint8")[None, ::-1] * 255           # from the lower left to the upper right
        >>> slant(stroke).tolist()
        [1.0]
    """
    ink = _ink(images)
    height, width = ink.shape[1:]
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    mass = np.maximum(ink.sum((1, 2)), 1e-12)
    row = (ink * rows).sum((1, 2)) / mass
    column = (ink * columns).sum((1, 2)) / mass
    up = -(rows[None] - row[:, None, None])
    both = (ink * up * (columns[None] - column[:, None, None])).sum((1, 2))
    spread = (ink * up**2).sum((1, 2))
    return np.divide(both, spread, out=np.zeros_like(both), where=spread > 1e-9)


def stroke_width(images) -> np.ndarray:
    """How thick strokes are, in pixels: twice the ink over the length of its outline.

    Args:
        images: as for `slant`.

    Returns:
        float64 (n,): of a long stroke its width; 0 for images of one value.

    Example:
        >>> stroke = np.zeros((1, 32, 32), "uint8")
        >>> stroke[0, :, 10:13] = 255
        >>> round(float(stroke_width(stroke)[0]), 6)
        3.0
    """
    ink = np.pad(_ink(images), ((0, 0), (1, 1), (1, 1)), mode="edge")
    down = (ink[:, 2:, 1:-1] - ink[:, :-2, 1:-1]) / 2
    right = (ink[:, 1:-1, 2:] - ink[:, 1:-1, :-2]) / 2
    outline = np.hypot(down, right).sum((1, 2))
    area = ink[:, 1:-1, 1:-1].sum((1, 2))
    return np.divide(2 * area, outline, out=np.zeros_like(area), where=outline > 1e-9)


def rank_correlation(x, y) -> float:
    """Spearman's: the correlation of the ranks, in [-1, 1]. Equal values share their mean rank.

    Example:
        >>> rank_correlation([1, 2, 3], [10, 100, 1000])
        1.0
    """
    return float(np.corrcoef(_ranks(np.asarray(x)), _ranks(np.asarray(y)))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _ink(images) -> np.ndarray:
    """float64 (n, height, width) in [0, 1]."""
    images = np.asarray(images)
    images = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
    if images.ndim != 3:
        raise ValueError(f"Grey images are needed, (n, height, width, 1). Received: images of shape {images.shape}")
    return images / 255.0 if images.dtype == np.uint8 else (images.astype(np.float64) + 1) / 2
