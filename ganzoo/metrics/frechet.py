"""The Frechet distance between two Gaussians, and their moments gathered batch by batch."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np

from ganzoo.metrics.checks import checked_features

__all__ = ["GaussianMoments", "frechet_distance"]


@dataclasses.dataclass
class GaussianMoments:
    """Mean and unbiased covariance of a stream of features, in float64 and constant memory.

    Gathered around the running mean (Chan, Golub and LeVeque 1979), so that nothing cancels where the mean is large
    beside the spread. The order and the sizes of the batches do not matter.

    Attributes:
        count: Number of features seen.
        mean: float64 (d,).
        scatter: float64 (d, d), the sum of the outer products of the centred features.

    Example:
        >>> moments = GaussianMoments().update(np.eye(2)).update(3 * np.eye(2))
        >>> moments.count, moments.mean
        (4, array([1., 1.]))
    """

    count: int = 0
    mean: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0), repr=False)
    scatter: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0)), repr=False)

    def update(self, features: np.ndarray) -> GaussianMoments:
        """Adds features (n, d); returns itself."""
        features = checked_features(features)
        mean = features.mean(axis=0)
        centred = features - mean
        return self.merge(GaussianMoments(len(features), mean, centred.T @ centred))

    def merge(self, other: GaussianMoments) -> GaussianMoments:
        """Adds everything that `other` has seen; returns itself."""
        if not self.count:
            self.count, self.mean, self.scatter = other.count, other.mean.copy(), other.scatter.copy()
        elif other.count:
            if self.mean.shape != other.mean.shape:
                raise ValueError(
                    "Moments of features of different dimensions cannot be merged. "
                    f"Received: dimensions={len(self.mean)} and {len(other.mean)}"
                )
            count, shift = self.count + other.count, other.mean - self.mean
            self.scatter = self.scatter + other.scatter + np.outer(shift, shift) * (self.count * other.count / count)
            self.mean = self.mean + shift * (other.count / count)
            self.count = count
        return self

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance, float64 (d, d).

        Raises:
            ValueError: if fewer than two features were seen.
        """
        if self.count < 2:
            raise ValueError(f"A covariance takes at least two samples. Received: count={self.count}")
        return self.scatter / (self.count - 1)

    def distance(self, other: GaussianMoments) -> float:
        """The Frechet distance to the Gaussian with the moments of `other`. Warns where samples are too few."""
        if (least := min(self.count, other.count)) <= self.mean.size:
            warnings.warn(
                f"A covariance of {self.mean.size} features takes more samples than that, and the distance is biased "
                f"upwards the more the fewer they are. Received: {least} samples",
                stacklevel=2,
            )
        return frechet_distance(self.mean, self.covariance, other.mean, other.covariance)


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Squared Frechet (2-Wasserstein) distance between two Gaussians; between Inception features it is called FID.

    |m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1^1/2 C2 C1^1/2)^1/2

    The last trace is the sum of the singular values of C1^1/2 C2^1/2: the symmetric form, real and non-negative by
    construction, and never squared, so that singular covariances lose no digits.

    The estimate from samples is biased upwards, the more the fewer they are: compare at equal sample counts only.

    Args:
        mean1, mean2: (d,).
        cov1, cov2: (d, d), symmetric and positive semi-definite.

    Returns:
        The squared distance, at least 0.

    Raises:
        ValueError: if the shapes do not match, or a value is not finite, or a covariance is not symmetric and positive
            semi-definite.

    Example:
        >>> import numpy as np
        >>> round(frechet_distance(np.zeros(2), np.eye(2), np.ones(2), 4 * np.eye(2)), 9)
        4.0

    Reference: Heusel et al. 2017, arXiv:1706.08500, eq. 6; Dowson and Landau 1982.
    """
    mean1, cov1 = _checked_gaussian(mean1, cov1)
    mean2, cov2 = _checked_gaussian(mean2, cov2)
    if mean1.shape != mean2.shape:
        raise ValueError(f"The Gaussians differ in dimension. Received: {mean1.shape[0]} and {mean2.shape[0]}")
    cross = np.linalg.svd(_square_root(cov1) @ _square_root(cov2), compute_uv=False).sum()
    distance = np.sum((mean1 - mean2) ** 2) + np.trace(cov1) + np.trace(cov2) - 2 * cross
    return max(float(distance), 0.0)


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-6 * max(values[-1], 0):
        raise ValueError(f"A covariance is positive semi-definite. Received: an eigenvalue of {values[0]:.3g}")
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _checked_gaussian(mean: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, cov = np.atleast_1d(np.asarray(mean, "float64")), np.atleast_2d(np.asarray(cov, "float64"))
    if mean.ndim != 1 or cov.shape != (len(mean), len(mean)):
        raise ValueError(f"A Gaussian is a mean (d,) and a covariance (d, d). Received: {mean.shape} and {cov.shape}")
    if not (np.isfinite(mean).all() and np.isfinite(cov).all()):
        raise ValueError("A mean or a covariance holds NaN or infinity. Received: non-finite moments")
    if not np.allclose(cov, cov.T, rtol=1e-6, atol=1e-9 * np.abs(cov).max()):
        raise ValueError(f"A covariance is symmetric. Received: asymmetry up to {np.abs(cov - cov.T).max():.3g}")
    if cov.diagonal().min() < 0:
        raise ValueError(f"No variance is negative. Received: {cov.diagonal().min():.3g} on the diagonal")
    return mean, cov
