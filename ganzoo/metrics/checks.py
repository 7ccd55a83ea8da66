"""What every metric asks of its features."""

from __future__ import annotations

import numpy as np

__all__ = ["checked_features", "checked_images", "checked_labels", "checked_pair"]


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


def checked_labels(
    labels: np.ndarray, num: int | None = None, num_classes: int | None = None, least: int = 0
) -> np.ndarray:
    """Labels as int64 (n,), or a ValueError that says what is wrong with them."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"Labels are integers (n,). Received: dtype={labels.dtype}, shape={labels.shape}")
    if num is not None and len(labels) != num:
        raise ValueError(f"There is one label for each sample. Received: {len(labels)} labels, {num} samples")
    if len(labels) and (labels.min() < least or (num_classes is not None and labels.max() >= num_classes)):
        raise ValueError(
            f"Labels lie in [{least}, {num_classes if num_classes is not None else 'num_classes'}). "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels.astype("int64")


def checked_images(images: np.ndarray, name: str = "images") -> np.ndarray:
    """uint8 images (n, height, width, channels), or a ValueError that says what is wrong with them."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(
            "Metrics are defined on images as they are stored: give uint8 in [0, 255], what `generate` returns. "
            "Round floats in [-1, 1] by np.clip(np.round((x + 1) * 127.5), 0, 255). "
            f"Received: {name}.dtype={images.dtype}"
        )
    if images.ndim != 4 or not images.size:
        raise ValueError(f"Images are an array (n, height, width, channels). Received: {name}.shape={images.shape}")
    return images
