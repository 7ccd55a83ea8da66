"""What every metric asks of its features."""

from __future__ import annotations

import numpy as np

__all__ = ["checked_features", "checked_pair"]


def checked_features(features: np.ndarray, name: str = "features") -> np.ndarray:
    """Features as float64 (n, d), or a ValueError that says what is wrong with them."""
    features = np.asarray(features, "float64")
    if features.ndim != 2 or not features.size:
        raise ValueError(f"Features are an array (n, d), n and d at least 1. Received: {name}.shape={features.shape}")
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features)).any(axis=1).sum())
        raise ValueError(f"Features hold NaN or infinity. Received: {name}, {bad} of {len(features)} rows not finite")
    return features


def checked_pair(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (n, d) and (m, d), or a ValueError that says why they cannot be compared."""
    real, fake = checked_features(real, "real_features"), checked_features(fake, "fake_features")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"Real and fake features differ in dimension. Received: {real.shape[1]} and {fake.shape[1]}")
    return real, fake
