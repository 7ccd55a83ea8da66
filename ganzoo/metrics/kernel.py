"""The kernel distance: an unbiased estimate that few samples do not shift."""

from __future__ import annotations

import numpy as np

from ganzoo.data.progress import progress
from ganzoo.metrics.checks import checked_pair

__all__ = ["kernel_distance"]

_CHUNK_ROWS = 500


def kernel_distance(real_features: np.ndarray, fake_features: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy with the cubic kernel; between Inception features it is called KID.

    mean over i != j of k(x_i, x_j) + mean over i != j of k(y_i, y_j) - 2 mean over i, j of k(x_i, y_j),
    with k(x, y) = (x.y / d + 1)^3

    Its expectation does not depend on the number of samples, and is 0 for equal distributions: an estimate may be
    negative.

    Args:
        real_features: (n, d), n at least 2.
        fake_features: (m, d), m at least 2.

    Returns:
        The estimate.

    Raises:
        ValueError: if there are fewer than two of a kind, or the features do not match or are not finite.

    Example:
        >>> import numpy as np
        >>> kernel_distance(np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]]))
        98.0

    Reference: Binkowski et al. 2018, arXiv:1801.01401, eq. 4 and section 4.

    Differs from the paper: all samples are one set, where the paper averages over random subsets of 1000; the
    expectation is the same and the variance smaller.
    """
    real, fake = checked_pair(real_features, fake_features)
    if min(len(real), len(fake)) < 2:
        raise ValueError(f"At least two samples of each kind. Received: {len(real)} real, {len(fake)} fake")
    within = _kernel_sum(real, real, diagonal=False) / (len(real) * (len(real) - 1))
    within += _kernel_sum(fake, fake, diagonal=False) / (len(fake) * (len(fake) - 1))
    return float(within - 2 * _kernel_sum(real, fake) / (len(real) * len(fake)))


def _kernel_sum(a: np.ndarray, b: np.ndarray, diagonal: bool = True) -> float:
    total = 0.0
    starts = range(0, len(a), _CHUNK_ROWS)
    for start in progress(starts, len(starts), "Kernel distance"):
        base = a[start : start + _CHUNK_ROWS] @ b.T
        base /= a.shape[1]
        base += 1
        total += float(np.einsum("ij,ij,ij->", base, base, base))
    if not diagonal:
        total -= float(np.sum((np.einsum("ij,ij->i", a, a) / a.shape[1] + 1) ** 3))
    return total
