"""Images made of other images: what a translating model learns to turn back."""

from __future__ import annotations

import numpy as np

from ganzoo.data.preprocessing import check_images

__all__ = ["edges", "grey"]


def grey(images: np.ndarray) -> np.ndarray:
    """The luma of colour images, .299 R + .587 G + .114 B (ITU-R BT.601), rounded: the source of colourising.

    Args:
        images: uint8 (n, height, width, 3); grey images (n, height, width, 1) are returned as they are.

    Returns:
        uint8 (n, height, width, 1).

    Raises:
        ValueError: other images.

    Example:
        >>> grey(np.full((1, 2, 2, 3), 255, "uint8")).max()
        np.uint8(255)
    """
    _check(images)
    if images.shape[-1] == 1:
        return images
    luma = images[..., :3] @ np.array([0.299, 0.587, 0.114], "float32")
    return np.clip(np.rint(luma), 0, 255).astype("uint8")[..., None]


def edges(images: np.ndarray, threshold: float = 0.12) -> np.ndarray:
    """Edge maps, dark lines on white: where neighbouring pixels differ.

    A pixel is on an edge where the Euclidean norm of the gradient, by central differences in each channel, of the
    channel in which it is largest, exceeds `threshold` of the range; the line is as dark as the gradient is steep.

    Args:
        images: uint8 (n, height, width, channels).
        threshold: in (0, 1), of the range of 255 per pixel.

    Returns:
        uint8 (n, height, width, 1): 255 where there is no edge, down to 0 on the steepest.

    Raises:
        ValueError: other images, or another threshold.

    Example:
        >>> step = np.zeros((1, 4, 4, 1), "uint8"); step[:, :, 2:] = 255
        >>> edges(step)[0, 0, :, 0]
        array([255,   0,   0, 255], dtype=uint8)
    """
    _check(images)
    if not 0 < threshold < 1:
        raise ValueError(f"The threshold lies between 0 and 1. Received: {threshold=}")
    lines = np.empty((*images.shape[:3], 1), "uint8")
    for image, line in zip(images, lines):
        padded = np.pad(image.astype("float32"), ((1, 1), (1, 1), (0, 0)), mode="edge")
        across, down = padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]
        slope = np.sqrt(across**2 + down**2).max(axis=-1) / 510.0  # central differences span two pixels
        strength = np.where(slope > threshold, np.clip(slope / 0.5, 0, 1), 0.0)
        line[..., 0] = np.rint(255 * (1 - strength))
    return lines


def _check(images: np.ndarray) -> None:
    if getattr(images, "dtype", np.uint8) != np.uint8:
        raise ValueError(
            "Give uint8 images: `x.astype('uint8')` of what runs from 0 to 255, ganzoo.data.to_uint8(x) of what runs "
            f"from -1 to 1. Received: images of dtype {images.dtype}"
        )
    check_images(images, name="images")
