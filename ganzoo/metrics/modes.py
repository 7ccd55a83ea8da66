"""Mode coverage: how many of a distribution's known modes a generator reaches, and how evenly."""

from __future__ import annotations

import numpy as np

from ganzoo.metrics.checks import checked_count, checked_features, checked_labels, checked_pair
from ganzoo.metrics.neighbours import nearest_neighbours

__all__ = ["ModeCounts", "nearest_modes", "stacked_modes"]


class ModeCounts:
    """Counts of the modes that samples fall into, of a stream, in constant memory.

    Args:
        num_modes: How many modes there are: 8 of the ring, 25 of the grid, 1000 of Stacked MNIST.

    Attributes:
        counts: int64 (num_modes,).
        num_samples: int, all samples seen, of a mode or of none.

    Example:
        >>> counts = ModeCounts(4).update([0, 0, 1, -1])
        >>> counts.num_covered, counts.high_quality
        (2, 0.75)
    """

    def __init__(self, num_modes: int):
        num_modes = checked_count(num_modes, "num_modes")
        self.counts, self.num_samples = np.zeros(num_modes, "int64"), 0

    def update(self, modes: np.ndarray) -> ModeCounts:
        """Adds samples by their mode, int (n,), -1 for none; returns itself."""
        modes = checked_labels(modes, num_classes=len(self.counts), least=-1)
        self.counts += np.bincount(modes[modes >= 0], minlength=len(self.counts))
        self.num_samples += len(modes)
        return self

    @property
    def num_covered(self) -> int:
        """Modes with at least one sample. Counts grow with the number of samples: say it."""
        return int((self.counts > 0).sum())

    @property
    def high_quality(self) -> float:
        """The part of the samples that are of any mode."""
        return float(self.counts.sum() / self.num_samples) if self.num_samples else 0.0

    @property
    def kl(self) -> float:
        """KL divergence, in nats, from the counts' distribution over the modes to the uniform one.

        0 where all modes are equally frequent, log(num_modes) where there is one; infinite without any sample of any
        mode. Of n samples from the uniform distribution itself about (num_modes - 1) / 2n is to be expected.
        """
        if not self.counts.any():
            return float("inf")
        p = self.counts[self.counts > 0] / self.counts.sum()
        return float(np.sum(p * np.log(p * len(self.counts))))


def nearest_modes(samples: np.ndarray, centres: np.ndarray, std: float, num_stds: float = 3.0) -> np.ndarray:
    """The mode of each sample: that of the nearest centre, or -1 where it is farther than `num_stds` times `std`.

    Args:
        samples: (n, d).
        centres: (num_modes, d), as from `ganzoo.data.toys.ring_centres`.
        std: Standard deviation of a mode, in each direction.
        num_stds: How many of them still count as a sample of high quality.

    Returns:
        int (n,), for `ModeCounts.update`.

    Example:
        >>> nearest_modes([[0.01], [0.98], [0.5]], [[0.0], [1.0]], std=0.01)
        array([ 0,  1, -1])

    Reference: Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761, section 4.1; Lin et al. 2018 (PacGAN),
    arXiv:1712.04086, section 4.1.
    """
    samples, centres = checked_pair(samples, centres)
    if not (std > 0 and num_stds > 0):
        raise ValueError(f"`std` and `num_stds` are positive. Received: {std=}, {num_stds=}")
    distances, nearest = nearest_neighbours(samples, centres)
    return np.where(distances <= num_stds * std, nearest, -1)


def stacked_modes(*channel_logits: np.ndarray) -> np.ndarray:
    """The mode of images whose channels show a digit each, such as Stacked MNIST's: the digits read as one number.

    Args:
        *channel_logits: one (n, num_classes) for each channel.

    Returns:
        int (n,) in [0, num_classes ** channels).

    Example:
        >>> stacked_modes(np.eye(10)[[1]], np.eye(10)[[2]], np.eye(10)[[3]])
        array([123])

    Reference: Metz et al. 2017, arXiv:1611.02163, section 3.3.1; Lin et al. 2018, arXiv:1712.04086, section 4.2.
    """
    if not channel_logits:
        raise ValueError("Give the logits of each channel. Received: none")
    if len({len(logits) for logits in channel_logits}) > 1:
        raise ValueError(f"Each channel has as many logits. Received: {[len(logits) for logits in channel_logits]}")
    modes: np.ndarray | int = 0
    for logits in channel_logits:
        logits = checked_features(logits, "channel_logits")
        modes = modes * logits.shape[1] + logits.argmax(axis=1)
    return np.asarray(modes)
