"""What images must look like at the border of the library, and how other images become such.

Inside ganzoo an image is float32 (height, width, channels) in [-1, 1]; outside it may also be uint8. The engine imports
this module: it needs NumPy alone, and Pillow only inside the functions that resize.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "as_image_shape",
    "check_images",
    "check_positive",
    "resize",
    "resize_and_crop",
    "resize_loaded",
    "to_float",
    "to_uint8",
]

Size = int | tuple[int, int]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by the number of channels

# How far outside [-1, 1] a value may lie: covers the rounding of float16 and of `x / 127.5 - 1`, and no wrong scaling.
RANGE_TOLERANCE = 1e-3


def check_images(
    images: np.ndarray,
    image_shape: tuple[int, ...] | None = None,
    *,
    allow_nonnegative: bool = False,
    name: str = "x",
    floats: bool = False,
) -> None:
    """Refuses images that a GAN would train on without complaint and to no use.

    Args:
        images: (batch, height, width, channels), uint8 or float. Floats must be finite and lie in [-1, 1] (give or take
            0.001), and some must be negative: floats that never are have most likely been scaled to [0, 1]. Where
            `image_shape` has one dimension (toy data), (batch, features), finite floats in any range.
        image_shape: the shape of one image, where it is known.
        allow_nonnegative: accept floats that are never negative.
        name: what to call the images in errors.
        floats: these are no images but other numbers of the given shape: finite floats in any range.

    Raises:
        TypeError: `images` is no NumPy array.
        ValueError: a wrong shape, dtype or range, NaN or infinity, or no images at all. Says how to mend it.

    Example:
        >>> check_images(np.zeros((8, 28, 28, 1), "uint8"), image_shape=(28, 28, 1))
    """
    if not isinstance(images, np.ndarray):
        raise TypeError(f"`{name}` must be a NumPy array: use `np.asarray({name})`. Received: {name}={type(images)}")
    is_vectors = floats or (image_shape is not None and len(image_shape) == 1)
    mistake = (
        _mistake_of_dtype(images, is_vectors)
        or _mistake_of_shape(images, None if image_shape is None else tuple(image_shape), is_vectors)
        or _mistake_of_range(images, is_vectors, allow_nonnegative)
    )
    if mistake:
        expected = "" if image_shape is None else f" where image_shape={tuple(image_shape)}"
        raise ValueError(
            f"`{name}` {mistake.replace('{x}', name)} "
            f"Received: {name} of shape {images.shape} and dtype {images.dtype}{expected}"
        )


def _mistake_of_dtype(images: np.ndarray, is_vectors: bool) -> str | None:
    if images.dtype.kind == "f" or (images.dtype == np.uint8 and not is_vectors):
        return None
    if is_vectors:
        return "must hold floats: use `{x}.astype('float32')`."
    if images.dtype.kind == "b":
        return "must be uint8 or float, not bool: use `{x}.astype('uint8') * 255`."
    if images.dtype.kind in "iu":
        return "must be uint8 or float: if its values run from 0 to 255, use `{x}.astype('uint8')`."
    if images.dtype.kind == "O":
        return "must be one array of uint8 or float: bring the images to one size (ganzoo.data.resize_and_crop) first."
    return "must be uint8 or float: use `{x}.astype('float32')` if it holds real numbers."


def as_image_shape(image_shape) -> tuple[int, ...]:
    """Returns the shape of a model's images, (height, width, channels) or (features,), as a tuple of Python's ints.

    Raises:
        ValueError: it is neither.
    """
    shape = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in shape)
    if len(shape) not in (1, 3) or not whole:
        raise ValueError(
            "`image_shape` is (height, width, channels), three positive integers, or (features,) for vectors. "
            f"Received: image_shape={image_shape!r}"
        )
    return tuple(int(n) for n in shape)


def check_positive(**values) -> None:
    """Refuses what is no whole number of at least 1; takes the values by their names.

    Raises:
        ValueError: naming the first of them that is wrong.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value < 2**31:
            raise ValueError(f"`{name}` must be a positive integer, less than 2**31. Received: {name}={value!r}")


def _mistake_of_shape(images: np.ndarray, image_shape: tuple[int, ...] | None, is_vectors: bool) -> str | None:
    shape = images.shape
    if image_shape is not None and is_vectors:
        if shape[1:] == image_shape and shape[0] > 0:
            return None
        return f"must have the shape (batch, {', '.join(map(str, image_shape))}), with at least one row."
    if len(shape) != 4:
        return _mistake_of_rank(shape, image_shape)
    if images.size == 0:
        return "holds no pixels."
    if shape[1:] == image_shape:
        return None
    if (*shape[2:], shape[1]) == image_shape or (shape[1] in (1, 3, 4) and shape[3] not in (1, 2, 3, 4)):
        return "has its channels first; they come last here: use `{x}.transpose(0, 2, 3, 1)`."
    return None if image_shape is None else _mistake_of_size(shape, image_shape)


def _mistake_of_rank(shape: tuple[int, ...], image_shape: tuple[int, ...] | None) -> str:
    text = "must have the shape (batch, height, width, channels)"
    if len(shape) == 3 and (shape == image_shape or (image_shape is None and shape[-1] in (1, 3, 4))):
        return f"{text}: for a single image use `{{x}}[None]`."
    if len(shape) == 3:
        return f"{text}: for grey images without a channel axis use `{{x}}[..., None]`."
    if len(shape) == 2 and image_shape is not None and shape[1] == np.prod(image_shape):
        return f"{text}: use `{{x}}.reshape({(-1, *image_shape)})`."
    return f"{text}."


def _mistake_of_size(shape: tuple[int, ...], image_shape: tuple[int, ...]) -> str:
    height, width, channels = image_shape
    fixes = []
    if shape[1:3] != (height, width):
        fixes.append(f"resize with `ganzoo.data.resize({{x}}, ({height}, {width}))` or `load_folder(..., image_size=)`")
    if shape[3] == 1 != channels:
        fixes.append(f"repeat the grey channel with `{{x}}.repeat({channels}, axis=-1)`")
    elif shape[3] != channels:
        fixes.append(f"read the images with `ganzoo.data.load(..., image_shape={image_shape})`")
    return f"has images of another shape than the model: {', and '.join(fixes)}; or build a model of {shape[1:]}."


def _mistake_of_range(images: np.ndarray, is_vectors: bool, allow_nonnegative: bool) -> str | None:
    if images.dtype == np.uint8:
        return None
    with np.errstate(invalid="ignore"):
        low, high = images.min(), images.max()  # NaN anywhere makes both NaN: no second array is needed to look for it
    if not (np.isfinite(low) and np.isfinite(high)):
        return _mistake_of_finiteness(images)
    if is_vectors:
        return None
    spread = f"(its values run from {low:.4g} to {high:.4g})"
    if low >= -1 - RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE:
        if low < 0 or allow_nonnegative:
            return None
        return (
            f"is never negative {spread}, so it has likely been scaled to [0, 1], where [-1, 1] is needed: use "
            "`{x} * 2 - 1`, or uint8 images. If it is right as it is, say `allow_nonnegative=True`."
        )
    if low >= 0 and high <= 255 + RANGE_TOLERANCE:
        return f"must lie in [-1, 1] {spread}: use `{{x}} / 127.5 - 1` if its range is [0, 255], or uint8 images."
    return (
        f"must lie in [-1, 1] {spread}: rescale it by the range of its pixels; if it only overshoots after resizing, "
        "`np.clip({x}, -1, 1)`."
    )


def _mistake_of_finiteness(images: np.ndarray) -> str:
    what = "NaN" if np.isnan(images).any() else "infinity"
    bad = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))
    return f"holds {what}, in {len(bad)} of {len(images)} images (the first at index {bad[0]}): mend or leave them out."


def to_float(images: np.ndarray) -> np.ndarray:
    """Images as the networks see them.

    Args:
        images: uint8 of any shape, or float that is in [-1, 1] already (see `check_images`).

    Returns:
        float32 of the same shape: uint8 0 becomes -1, 255 becomes 1. Exactly inverted by `to_uint8`.

    Raises:
        ValueError: another dtype.

    Example:
        >>> to_float(np.array([0, 255], "uint8"))
        array([-1.,  1.], dtype=float32)
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        scaled = images.astype(np.float32)
        scaled /= 127.5
        scaled -= 1
        return scaled
    if images.dtype.kind != "f":
        raise ValueError(f"Images must be uint8 or float. Received: images of dtype {images.dtype}")
    return images.astype(np.float32, copy=False)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images as files hold them.

    Values are rounded to the nearest step, where cutting them off would darken every picture by half a step; what
    lies outside [-1, 1] is clipped. NaN, which a diverged model draws, becomes middle grey with a warning.

    Args:
        images: float of any shape in [-1, 1]; uint8 is returned as it is.

    Returns:
        uint8 of the same shape.

    Raises:
        ValueError: another dtype.

    Example:
        >>> to_uint8(np.array([-1.0, 0.0, 1.0]))
        array([  0, 128, 255], dtype=uint8)
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise ValueError(f"Images must be uint8 or float. Received: images of dtype {images.dtype}")
    scaled = np.asarray(np.multiply(images, 127.5, dtype=np.float32))
    if images.size and np.isnan(scaled.min()):
        warnings.warn("The images hold NaN: the model that drew them has diverged.", RuntimeWarning, stacklevel=2)
        np.copyto(scaled, 0, where=np.isnan(scaled))
    scaled += 127.5
    return np.clip(np.rint(scaled, out=scaled), 0, 255, out=scaled).astype(np.uint8)


def resize(
    images: np.ndarray, image_size: int | tuple[int, int], mode: str | None = None, *, nearest: bool = False
) -> np.ndarray:
    """`resize_and_crop` for every image of an array.

    Args:
        images: uint8 (batch, height, width, channels).
        image_size: (height, width), or one number for both.
        mode: "L" for grey, "RGB" for colour, "RGBA" for colour and transparency; None keeps the channels.
        nearest: take the nearest pixel, as for label maps.

    Returns:
        uint8 (batch, *image_size, channels).

    Raises:
        ValueError: `images` is no such array, or a wrong `image_size` or `mode`.

    Example:
        >>> resize(np.zeros((8, 28, 28, 1), "uint8"), 32).shape
        (8, 32, 32, 1)
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            "Only uint8 images (batch, height, width, channels) are resized: convert with ganzoo.data.to_uint8. "
            f"Received: images of shape {images.shape} and dtype {images.dtype}"
        )
    height, width = parse_size(image_size)
    channels = images.shape[3] if mode is None else channels_of(mode)
    if images.shape[1:] == (height, width, channels):
        return images
    resized = np.empty((len(images), height, width, channels), np.uint8)
    for i, image in enumerate(images):
        resized[i] = resize_and_crop(image, (height, width), mode, nearest=nearest)
    return resized


def resize_loaded(loaded: np.ndarray | tuple[np.ndarray, np.ndarray], size: Size | None, mode: str | None):
    """Images, or a pair of images and labels, with the images brought to a size."""
    if size is None:
        return loaded
    if isinstance(loaded, tuple):
        return resize(loaded[0], size, mode), loaded[1]
    return resize(loaded, size, mode)


def resize_and_crop(
    image: np.ndarray | Image.Image,
    image_size: int | tuple[int, int] | None,
    mode: str | None = None,
    *,
    nearest: bool = False,
    fit: str = "crop",
    max_value: float | None = None,
) -> np.ndarray:
    """One image at a given size: its middle, in the target's proportions, resized by a Lanczos filter.

    The filter widens as the image shrinks (antialiasing), so that fine texture becomes grey and not noise. Of a Pillow
    image, the orientation in its EXIF data is honoured, and 16 or 32 bits are reduced to 8.

    In "L" and "RGB", transparency is put on white. "RGBA" keeps it as a fourth channel, from 0 (nothing is seen) to
    255; what has none is opaque. The colours are as they are stored, not multiplied by it (straight alpha); a resized
    pixel's is the mean of its sources weighted by their opacity, and black where nothing is seen.

    Args:
        image: uint8 array (height, width, channels), or a Pillow image.
        image_size: (height, width), or one number for both; None keeps the size.
        mode: "L" for grey, "RGB" for colour, "RGBA" for colour and transparency; None keeps an array's channels, and of
            a Pillow image whether it is grey. An array of 4 channels is taken for RGBA where a mode is given.
        nearest: take the nearest pixel instead of filtering. No colour appears that was not there: for label maps.
        fit: "crop" takes the middle; "pad" keeps all of the image, black beside it (in "RGBA" nothing); "stretch" keeps
            all of it and changes its proportions.
        max_value: the value of white in a Pillow image of more than 8 bits; 65535 by default, 4095 for 12 bits in
            16-bit files. Needed for floats, and for integers beyond 65535. What is beyond is white.

    Returns:
        uint8 (height, width, channels).

    Raises:
        ValueError: pixels whose range is not known, a wrong `image_size`, `mode`, `fit` or `max_value`.

    Example:
        >>> resize_and_crop(np.zeros((40, 60, 3), "uint8"), (32, 32), mode="L").shape
        (32, 32, 1)
    """
    from PIL import Image

    check_reading(fit=fit, max_value=max_value)
    if isinstance(image, Image.Image):
        image, mode = _flatten(image, mode, max_value), None
        picture = image if image_size is None else _fit(image, parse_size(image_size), nearest, fit)
        pixels = np.asarray(picture)
        return pixels[..., None] if pixels.ndim == 2 else pixels
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(
            "An image must be uint8 (height, width, channels). "
            f"Received: image of shape {image.shape} and dtype {image.dtype}"
        )
    if image.shape[2] in (1, 3) or (image.shape[2] == 4 and mode is not None):
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        return resize_and_crop(picture, image_size, mode, nearest=nearest, fit=fit)
    if mode is not None:
        raise ValueError(f"Only 1, 3 or 4 channels can be converted. Received: shape={image.shape}, mode={mode!r}")
    # Other channels (masks, planes of any sort) are not colours to mix: each is a picture of its own.
    each = (image[..., i : i + 1] for i in range(image.shape[2]))
    planes = [resize_and_crop(plane, image_size, nearest=nearest, fit=fit) for plane in each]
    return np.concatenate(planes, axis=-1)


def check_reading(
    fit: str = "crop", max_value: float | None = None, pages: str = "first", skip_unreadable: bool = False
) -> None:
    """Refuses ways to read files that there are not."""
    for name, value, known in (
        ("fit", fit, ("crop", "pad", "stretch")),
        ("pages", pages, ("first", "all", "channels")),
    ):
        if value not in known:
            raise ValueError(f"`{name}` is one of {', '.join(known)}. Received: {name}={value!r}")
    number = isinstance(max_value, (int, float, np.number)) and not isinstance(max_value, bool)
    if max_value is not None and not (number and 0 < max_value < np.inf):
        raise ValueError(f"`max_value` is the value of white, a positive number. Received: max_value={max_value!r}")


def _fit(image: Image.Image, size: tuple[int, int], nearest: bool, fit: str) -> Image.Image:
    from PIL import Image, ImageOps

    wanted = (size[1], size[0])
    if image.size == wanted:
        return image
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.LANCZOS
    if fit == "crop":
        return ImageOps.fit(image, wanted, how)
    return image.resize(wanted, how) if fit == "stretch" else ImageOps.pad(image, wanted, how, color=0)


def _flatten(image: Image.Image, mode: str | None, max_value: float | None = None) -> Image.Image:
    """A picture in "L", "RGB" or "RGBA", the right way up."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if mode is None:
        mode = "L" if image.mode in ("1", "L", "LA") or is_deep(image) else "RGB"
    channels_of(mode)
    if is_deep(image):  # Pillow itself would clip 16 bits to 255, which turns most of a picture white
        return Image.fromarray(_eight_bits(np.asarray(image), max_value)).convert(mode)
    if mode != "RGBA" and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


def is_deep(image: Image.Image) -> bool:
    """Whether a Pillow image has more than 8 bits: 16 ("I;16", "I;16B"), 32 ("I"), or floats ("F")."""
    return image.mode == "F" or image.mode.startswith("I")


def is_deep_colour(image: Image.Image) -> bool:
    """Whether the file of a Pillow image has 16 bits in each of several channels, of which Pillow reads 8."""
    return image.mode in ("RGB", "RGBA") and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _eight_bits(pixels: np.ndarray, max_value: float | None) -> np.ndarray:
    low, high = float(pixels.min()), float(pixels.max())
    if max_value is None and (pixels.dtype.kind == "f" or low < 0 or high > 65535):
        raise ValueError(
            f"The image's pixels run from {low:g} to {high:g}, and which of these is white is not known: say "
            "max_value= (--max-value)"
        )
    white = 65535.0 if max_value is None else float(max_value)
    scaled = np.nan_to_num(pixels.astype("float64") * (255.0 / white), nan=0.0)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def channels_of(mode: str) -> int:
    """1 for "L", 3 for "RGB", 4 for "RGBA"."""
    if mode not in MODES.values():
        raise ValueError(
            f"`mode` must be 'L' (grey), 'RGB' (colour) or 'RGBA' (colour and transparency). Received: mode={mode!r}"
        )
    return next(channels for channels, known in MODES.items() if known == mode)


def parse_size(image_size: int | tuple[int, ...]) -> tuple[int, int]:
    """(height, width) of either way to write a size."""
    size = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(size) != 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in size):
        raise ValueError(
            f"`image_size` must be a positive number or a pair (height, width). Received: image_size={image_size!r}"
        )
    return int(size[0]), int(size[1])


def parse_shape(image_shape: int | tuple[int, ...] | None) -> tuple[tuple[int, int] | None, str | None]:
    """(size, mode) of any of the ways to write `image_shape`."""
    if image_shape is None:
        return None, None
    if isinstance(image_shape, (tuple, list)) and len(image_shape) == 3:
        *size, channels = image_shape
        if channels not in MODES:
            raise ValueError(f"Images are made with 1, 3 or 4 channels. Received: image_shape={tuple(image_shape)}")
        return parse_size(tuple(size)), MODES[channels]
    return parse_size(image_shape), None
