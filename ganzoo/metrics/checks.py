"""What every metric asks of what it is given."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

__all__ = ["checked_count", "checked_features", "checked_images", "checked_labels", "checked_pair"]


def checked_features(features: np.ndarray, name: str = "features") -> np.ndarray:
    """Features as float64 (n, d), or a ValueError that says what is wrong with them."""
    features = _as_array(features, name)
    if features.dtype.kind in "cOSUmM":
        raise ValueError(f"Features are real numbers. Received: {name}.dtype={features.dtype}")
    features = features.astype("float64", copy=False)
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
    images = _as_array(images, name)
    if images.dtype != np.uint8:
        raise ValueError(
            "Metrics are defined on images as they are stored: give uint8 in [0, 255], what `generate` returns. "
            f"{_towards_uint8(images)}. Received: {name}.dtype={images.dtype}"
        )
    if images.ndim != 4 or not images.size:
        raise ValueError(f"Images are an array (n, height, width, channels). Received: {name}.shape={images.shape}")
    if images.max() == 1:
        raise ValueError(
            f"Pixels run from 0 to 255; where 1 is white, multiply by 255. Received: {name} with no values but 0 and 1"
        )
    return images


def checked_count(value: Any, name: str, least: int = 1) -> int:
    """A whole number as int, or a ValueError that says what it must be."""
    try:
        whole = operator.index(value)
    except TypeError:
        whole = least - 1
    if isinstance(value, (bool, np.bool_)) or whole < least:
        raise ValueError(f"`{name}` is a whole number, at least {least}. Received: {name}={value!r}")
    return whole


def _towards_uint8(images: np.ndarray) -> str:
    """How images of another dtype become uint8."""
    if images.dtype.kind in "iu":
        return 'Integers from 0 to 255 become it by x.astype("uint8")'
    if images.dtype.kind == "b":
        return 'Booleans become it by x.astype("uint8") * 255'
    if images.dtype.kind != "f" or not images.size:
        return "These are no images of one size"
    low, high = float(images.min()), float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return "These hold NaN or infinity: leave such images out, or mend what made them"
    if low < 0:
        return "Floats in [-1, 1] become it by ganzoo.data.to_uint8(x)"
    if high <= 1:
        return "Floats in [0, 1] become it by ganzoo.data.to_uint8(2 * x - 1)"
    return 'Floats in [0, 255] become it by np.clip(np.round(x), 0, 255).astype("uint8")'


def _as_array(values: Any, name: str) -> np.ndarray:
    if hasattr(values, "detach"):  # a tensor of PyTorch, perhaps of a graph or on a device
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(f"One array is needed, all of one shape. Received: {name}, a sequence of several") from None
