"""Images of any size by tiles of one: where they lie, how they are blended, rows that are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

__all__ = ["Side", "blend", "drawn_by_tiles", "num_tiles"]


def blend(size: int, overlap: int, before: bool = True, after: bool = True) -> np.ndarray:
    """How much each pixel of a tile counts, along one side.

    Nothing in the outer quarter of an overlap, which lacks context, then rising as sin^2 over half of it, then all.

    Args:
        size: of the tile.
        overlap: pixels that two neighbours share, at most half of `size`.
        before, after: whether there are neighbours; at a border all counts.

    Returns:
        float64 (size,) in [0, 1].

    Example:
        >>> blend(8, 4, after=False).round(2)
        array([0.  , 0.15, 0.85, 1.  , 1.  , 1.  , 1.  , 1.  ])
    """
    kept = overlap // 4
    rising = np.sin(np.pi / 2 * (np.arange(overlap - 2 * kept) + 0.5) / max(overlap - 2 * kept, 1)) ** 2
    rising = np.concatenate([np.zeros(kept), rising, np.ones(kept)])
    weights = np.ones(size)
    if before:
        weights[:overlap] = rising
    if after:
        weights[size - overlap :] = rising[::-1]
    return weights


class Side:
    """How one side of an image is cut into tiles.

    Args:
        length: of the side.
        size: of a tile; a side that is shorter is one tile, brought to `least` at least.
        overlap: pixels that neighbours share at least.
        multiple: tiles begin at multiples of it, and are so long.
        least: the shortest tile; None for `size`, where a network has one size.

    Attributes:
        size: of every tile. begins: where they begin. padded: where the last one ends, `length` or beyond.
    """

    def __init__(self, length: int, size: int, overlap: int, multiple: int = 1, least: int | None = None):
        if least is not None and length <= size:
            size = -(-max(length, least) // multiple) * multiple
        step = max((size - overlap) // multiple, 1) * multiple  # one tile may be no longer than an overlap
        beyond = max(length - size, 0)
        last = -(-beyond // multiple) * multiple
        self.length, self.size, self.padded = length, size, size + last
        self.begins = [*range(0, last, step), last]

    def weights(self, overlap: int, factor: int) -> list[np.ndarray]:
        """How much each tile counts at each of its pixels, enlarged `factor` times: together 1 everywhere."""
        ends = self.begins[0], self.begins[-1]
        each = [blend(self.size * factor, overlap * factor, b != ends[0], b != ends[1]) for b in self.begins]
        total = np.zeros(self.padded * factor)
        for begin, weights in zip(self.begins, each):
            total[begin * factor :][: len(weights)] += weights
        return [weights / total[b * factor :][: len(weights)] for b, weights in zip(self.begins, each)]


def num_tiles(rows: Side, columns: Side) -> int:
    """How many tiles an image has."""
    return len(rows.begins) * len(columns.begins)


def drawn_by_tiles(
    image: np.ndarray,
    draw: Callable[[np.ndarray], np.ndarray],
    rows: Side,
    columns: Side,
    overlap: int,
    factor: int = 1,
    batch: int = 1,
) -> Iterator[np.ndarray]:
    """What `draw` makes of an image, tile by tile, in strips of rows that are done, from top to bottom.

    No more than a row of tiles is held, however large the image is. Where tiles reach beyond it, the image is mirrored.

    Args:
        image: (height, width, channels), of any dtype.
        draw: takes (n, rows.size, columns.size, channels); returns n images, `factor` times as large.
        rows, columns: the image's sides.
        overlap: as the sides were cut with.
        factor: int.
        batch: tiles that `draw` is given at once, at most.

    Yields:
        float32 (some rows, factor * width, channels of what is drawn); together factor * height rows.
    """
    size = (rows.size, columns.size)
    image = np.pad(image, ((0, rows.padded - rows.length), (0, columns.padded - columns.length), (0, 0)), "reflect")
    down, across = rows.weights(overlap, factor), columns.weights(overlap, factor)
    strip = np.zeros(0, "float32")
    for row, top in enumerate(rows.begins):
        for first in range(0, len(columns.begins), batch):
            lefts = columns.begins[first : first + batch]
            drawn = draw(np.stack([image[top : top + size[0], left : left + size[1]] for left in lefts]))
            if not strip.size:
                strip = np.zeros((size[0] * factor, columns.padded * factor, drawn.shape[-1]), "float32")
            for column, (left, tile) in enumerate(zip(lefts, drawn), first):
                counts = np.outer(down[row], across[column]).astype("float32")[..., None]
                strip[:, left * factor : (left + size[1]) * factor] += counts * tile
        end = rows.begins[row + 1] if row + 1 < len(rows.begins) else rows.length
        done = (end - top) * factor
        yield strip[:done, : columns.length * factor].copy()
        strip[: len(strip) - done] = strip[done:]
        strip[len(strip) - done :] = 0
