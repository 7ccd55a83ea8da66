"""Toy distributions in one and two dimensions, on which mode collapse can be seen and counted.

All are drawn by NumPy on the host: one seed gives the same points on every backend.
"""

from __future__ import annotations

import numpy as np

from ganzoo.data.preprocessing import check_positive

__all__ = ["gaussian_1d", "gaussian_grid", "gaussian_ring", "grid_centres", "ring_centres"]


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """The means of `gaussian_ring`: float32 (modes, 2), counter-clockwise from (radius, 0)."""
    check_positive(modes=modes)
    _require_positive(radius=radius)
    angles = 2 * np.pi * np.arange(modes) / modes
    return (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def gaussian_ring(
    n: int, modes: int = 8, radius: float = 2.0, std: float = 0.02, seed: int | None = None
) -> np.ndarray:
    """Points from equally likely Gaussians on a circle.

    The defaults are those of Metz et al. 2017, "Unrolled Generative Adversarial Networks", arXiv:1611.02163, appendix
    A: eight Gaussians of standard deviation 0.02 on a circle of radius 2. VEEGAN, arXiv:1705.07761, halves both
    (``radius=1, std=0.01``).

    Args:
        n: number of points.
        modes: number of Gaussians.
        radius: of the circle.
        std: standard deviation of each Gaussian in each direction.
        seed: of NumPy's default generator; None draws other points each time.

    Returns:
        float32 (n, 2), in random order. `ring_centres` gives the means.

    Raises:
        ValueError: a number that is not positive.

    Example:
        >>> gaussian_ring(1000, seed=0).shape
        (1000, 2)
    """
    return _mixture(n, ring_centres(modes, radius), std, seed)


def grid_centres(side: int = 5, spacing: float = 2.0) -> np.ndarray:
    """The means of `gaussian_grid`: float32 (side * side, 2), centred on the origin, row by row."""
    check_positive(side=side)
    _require_positive(spacing=spacing)
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)


def gaussian_grid(
    n: int, side: int = 5, spacing: float = 2.0, std: float = 0.05, seed: int | None = None
) -> np.ndarray:
    """Points from equally likely Gaussians on a square grid.

    The defaults are those of VEEGAN, Srivastava et al. 2017, arXiv:1705.07761, in the numbers that PacGAN,
    arXiv:1712.04086, gives: 25 Gaussians with means (-4 + 2i, -4 + 2j) and variance 0.0025.

    Args:
        n: number of points.
        side: Gaussians along each side.
        spacing: distance of neighbouring means.
        std: standard deviation of each Gaussian in each direction.
        seed: of NumPy's default generator; None draws other points each time.

    Returns:
        float32 (n, 2), in random order. `grid_centres` gives the means.

    Raises:
        ValueError: a number that is not positive.

    Example:
        >>> gaussian_grid(1000, seed=0).shape
        (1000, 2)
    """
    return _mixture(n, grid_centres(side, spacing), std, seed)


def gaussian_1d(n: int, mean: float = 4.0, std: float = 0.5, seed: int | None = None) -> np.ndarray:
    """Points from one Gaussian on the line: the setting of figure 1 of Goodfellow et al. 2014, arXiv:1406.2661.

    Differs from the paper: its figure is a sketch without numbers; mean 4 and standard deviation 0.5 are chosen here,
    so that a generator that starts around 0 has a way to go.

    Args:
        n: number of points.
        mean: of the Gaussian.
        std: its standard deviation.
        seed: of NumPy's default generator; None draws other points each time.

    Returns:
        float32 (n, 1).

    Raises:
        ValueError: `n` or `std` is not positive.

    Example:
        >>> gaussian_1d(1000, seed=0).shape
        (1000, 1)
    """
    return _mixture(n, np.array([[mean]]), std, seed)


def _mixture(n: int, centres: np.ndarray, std: float, seed: int | None) -> np.ndarray:
    _require_positive(n=n, std=std)
    rng = np.random.default_rng(seed)
    chosen = centres[rng.integers(len(centres), size=n)]
    return (chosen + std * rng.standard_normal(chosen.shape)).astype(np.float32)


def _require_positive(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise ValueError(f"`{name}` must be positive. Received: {name}={value!r}")
