"""Two sets of features compared through nearest neighbours: precision, recall, density, coverage; authenticity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganzoo.data.progress import progress
from ganzoo.metrics.checks import checked_count, checked_pair

__all__ = ["authenticity", "nearest_neighbours", "prdc"]

_CHUNK_BYTES = 32 * 2**20  # of one block of distances; two or three live at a time
_ROUNDING = 1e-12  # of a squared distance, relative to itself: what lies on a surface is not inside
_PAIRS_BYTES = 16 * 2**20  # of the differences of pairs that are looked at once more


def prdc(real_features: np.ndarray, fake_features: np.ndarray, k: int = 5) -> dict[str, float]:
    """Precision, recall, density and coverage of N real and M fake features, from balls around them.

    B(x) is the open ball around x that reaches to its k-th nearest neighbour in its own set:

    - precision: the part of the fakes that lie in some real ball (Kynkaanniemi et al., eq. 1 and 2)
    - recall: the part of the reals that lie in some fake ball (the same, with the roles turned)
    - density: the number of real balls around a fake, on average, over k (Naeem et al., section 3); can exceed 1
    - coverage: the part of the real balls that hold some fake (Naeem et al., section 3)

    Distances are taken block by block in float64: 10 000 against 10 000 of up to 128 dimensions needs less than 0.5 GB.
    What lies on the surface of a ball, up to rounding, is outside, so that ties (copies of images, whole numbers as
    features) are decided alike.

    All four depend on N and M: compare at equal counts, N = M, only. For two samples of the same distribution the
    expected coverage is 1 - (N-1)...(N-k) / (2N-1)...(2N-k), about 1 - 2^-k,
    .97 for k = 5, and the expected density is 1 (Naeem et al., section 3).

    Args:
        real_features: (N, d).
        fake_features: (M, d).
        k: which neighbour gives a ball its radius; less than N and M.

    Returns:
        `{"precision": ..., "recall": ..., "density": ..., "coverage": ...}`.

    Raises:
        ValueError: if there are not more than k of each, or the features do not match or are not finite.

    Example:
        >>> import numpy as np
        >>> real, fake = np.arange(8.0)[:, None], np.arange(4.0)[:, None] + 0.25
        >>> prdc(real, fake, k=1)
        {'precision': 1.0, 'recall': 0.625, 'density': 2.0, 'coverage': 0.625}

    Reference: Kynkaanniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797.

    Differs from the paper: Kynkaanniemi et al. count the surface of a ball in, Naeem et al. in their code do not; this
    follows the latter, so that the density of a set against itself is exactly 1.
    """
    real, fake = checked_pair(real_features, fake_features)
    k = checked_count(k, "k")
    if k >= min(len(real), len(fake)):
        raise ValueError(
            f"A k-th neighbour takes more than k={k} samples of each kind. Received: {len(real)} real, {len(fake)} fake"
        )
    real_radii, fake_radii = (_squared_radii(x, k) * (1 - _ROUNDING) for x in (real, fake))
    balls_around_fake = np.zeros(len(fake), "int64")
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, distances, error in _squared_distances(real, fake):
        inside = distances < real_radii[rows, None]
        near = _closely(distances, real_radii[rows, None], error) | _closely(distances, fake_radii, error)
        i, j = near.nonzero()
        distances[i, j] = _exactly(real, fake, rows.start + i, j)
        inside[i, j] = distances[i, j] < real_radii[rows.start + i]
        balls_around_fake += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distances < fake_radii).any(axis=1)
    return {
        "precision": float((balls_around_fake > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls_around_fake.mean() / k),
        "coverage": float(covered.mean()),
    }


def nearest_neighbours(features: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest neighbour of each of `features` among others: to look at what a generator may have memorised.

    Args:
        features: (n, d).
        among: (m, d), such as those of the training images.

    Returns:
        Distances, float64 (n,), and rows of `among`, int (n,).

    Raises:
        ValueError: features that do not match or are not finite.

    Example:
        >>> nearest_neighbours([[0.0]], [[3.0], [-1.0]])
        (array([1.]), array([1]))
    """
    features, among = checked_pair(features, among)
    squared, indices = np.empty(len(features)), np.empty(len(features), "int64")
    for rows, distances, error in _squared_distances(features, among):
        _narrow(distances, error, 1, features, among, rows.start)
        indices[rows] = distances.argmin(axis=1)
        squared[rows] = distances.min(axis=1)
    return np.sqrt(squared), indices


def authenticity(train_features: np.ndarray, fake_features: np.ndarray) -> float:
    """The part of the fakes that are no copies: farther from their nearest training image than that one is from its
    own nearest neighbour in training.

    A generator that has memorised its training images has 0; new samples of the training distribution have about .5.

    Args:
        train_features: (N, d), of all images that the generator was trained on.
        fake_features: (M, d).

    Returns:
        In [0, 1].

    Raises:
        ValueError: fewer than two training images, or features that do not match or are not finite.

    Example:
        >>> authenticity([[0.0], [1.0]], [[0.1], [3.0]])
        0.5

    Reference: Alaa et al. 2022, arXiv:2102.08921, section 3.3.
    """
    train, fake = checked_pair(train_features, fake_features)
    if len(train) < 2:
        raise ValueError(f"A training image has a neighbour: at least two. Received: {len(train)}")
    distances, indices = nearest_neighbours(fake, train)
    near, places = np.unique(indices, return_inverse=True)
    own, chosen = np.empty(len(near)), train[near]
    for rows, squared, error in _squared_distances(chosen, train):
        squared[np.arange(len(squared)), near[rows]] = np.inf
        _narrow(squared, error, 1, chosen, train, rows.start)
        own[rows] = np.sqrt(squared.min(axis=1))
    return float(np.mean(distances > own[places]))


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Blocks of rows of the matrix |a_i - b_j|^2, and how far they are off at most."""
    # Around a common centre |a|^2 + |b|^2 - 2ab keeps digits that a large mean would cancel.
    centre = a.mean(axis=0)
    a, b = a - centre, b - centre
    squares, others = (np.einsum("ij,ij->i", x, x) for x in (a, b))
    unit = 4 * (a.shape[1] + 2) * np.finfo("float64").eps
    size = max(1, _CHUNK_BYTES // (8 * len(b)))
    starts = range(0, len(a), size)
    for start in progress(starts, len(starts), "Neighbours"):
        rows = slice(start, min(start + size, len(a)))
        both = squares[rows, None] + others
        distances = a[rows] @ b.T
        distances *= -2
        distances += both
        both *= unit
        yield rows, np.maximum(distances, 0, out=distances), both


def _closely(distances: np.ndarray, radii: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Where it takes more digits to say which is larger."""
    return np.abs(distances - radii) <= error


def _exactly(a: np.ndarray, b: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """|a_i - b_j|^2 of pairs, from their differences: right to the last digits, however near they are."""
    squared, size = np.empty(len(i)), max(1, _PAIRS_BYTES // (8 * a.shape[1]))
    for start in range(0, len(i), size):
        some = slice(start, start + size)
        differences = a[i[some]] - b[j[some]]
        squared[some] = np.einsum("ij,ij->i", differences, differences)
    return squared


def _narrow(distances: np.ndarray, error: np.ndarray, k: int, a: np.ndarray, b: np.ndarray, start: int) -> None:
    """Makes the k least of each row exact, and infinite what cannot be one of them."""
    most = np.partition(distances + error, k - 1, axis=1)[:, k - 1]
    i, j = (distances - error <= most[:, None]).nonzero()
    exact = _exactly(a, b, start + i, j)
    exact[np.isinf(distances[i, j])] = np.inf  # what the caller has left out
    distances[:] = np.inf
    distances[i, j] = exact


def _squared_radii(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distance from each point to its k-th nearest neighbour, itself not counted."""
    radii = np.empty(len(features))
    for rows, distances, error in _squared_distances(features, features):
        own = np.arange(len(distances))
        distances[own, rows.start + own] = np.inf
        _narrow(distances, error, k, features, features, rows.start)
        distances.partition(k - 1, axis=1)
        radii[rows] = distances[:, k - 1]
    return radii
