"""Picture files with all that is in them: 16 bits, transparency, the colours' profile."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganzoo.data.folders import opened
from ganzoo.data.preprocessing import MODES, is_deep, is_deep_colour, resize_and_crop, to_uint8

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Picture", "read_picture"]

LUMINANCE = np.array([[0.299], [0.587], [0.114]], "float32")  # as Pillow weighs colours


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture file, the right way up.

    Attributes:
        image: (height, width, channels): uint8 of 8 bits, float32 in [-1, 1] of more. Transparent pixels are laid on
            white, as for a training, where the channels are not four.
        alpha: float32 (height, width) in [0, 1] where the file has transparency that `image` does not hold.
        white: the value of white in the file: 255, or of more bits.
        highest: the greatest value in a file of more than 8 bits whose white nobody has said, else 0.
        profile: of the colours, where the file has one and they are red, green and blue.
        several: whether the file has several pages, of which the first was read.
    """

    image: np.ndarray
    alpha: np.ndarray | None = None
    white: int = 255
    highest: int = 0
    profile: bytes | None = None
    several: bool = False

    def restored(self, drawn: np.ndarray, top: int, height: int) -> np.ndarray:
        """Rows that were drawn of this picture, as a file holds them: in its bits, with its transparency.

        Colours are such that, laid on white, they are what was drawn.

        Args:
            drawn: float32 (rows, width, channels) in [-1, 1], a whole number of times as wide as the picture.
            top: the first of the rows.
            height: of all that is drawn.
        """
        if self.white == 255 and (self.alpha is None or drawn.shape[-1] == 4):
            return to_uint8(drawn)
        drawn = np.clip(np.nan_to_num(drawn * 0.5 + 0.5), 0.0, 1.0)
        depth = 255 if self.white == 255 else 65535
        if self.alpha is not None and drawn.shape[-1] in (1, 3):
            alpha = _enlarged(self.alpha, drawn.shape[:2], top, height)[..., None]
            on_white = (drawn - (1.0 - alpha)) / np.where(alpha > 0, alpha, 1.0)
            drawn = np.where(alpha > 0, np.clip(on_white, 0.0, 1.0), drawn)
            drawn = np.concatenate([drawn, alpha * (depth / self.white)], axis=-1)
        elif drawn.shape[-1] == 4:
            drawn = drawn * np.array([1, 1, 1, depth / self.white], "float32")
        return np.rint(drawn * np.float32(self.white)).astype("uint8" if depth == 255 else "uint16")


def _enlarged(alpha: np.ndarray, shape: tuple[int, ...], top: int, height: int) -> np.ndarray:
    """Some rows of the enlarged transparency."""
    from PIL import Image

    rows, width = shape
    factor = height // alpha.shape[0]
    if factor == 1:
        return alpha[top : top + rows]
    box = (0, top / factor, alpha.shape[1], (top + rows) / factor)
    larger = Image.fromarray(alpha).resize((width, rows), Image.Resampling.BICUBIC, box)
    return np.clip(np.asarray(larger), 0.0, 1.0)


def read_picture(path: Path, channels: int, max_value: float | None = None) -> Picture:
    """A picture file as a network of so many channels takes it, and what a file of what it draws is to have of it.

    Args:
        path: of the file, of any kind that Pillow reads: grey, in colour, of a palette, CMYK, of 8, 16 or 32 bits.
        channels: 1 for grey, 3 for colour, 4 for colour and transparency.
        max_value: the value of white in files of more than 8 bits (see `ganzoo.data.resize_and_crop`).

    Raises:
        ValueError, OSError: the file cannot be read.
    """
    from PIL import ImageOps

    with opened(path) as image:
        told: dict[str, Any] = {"several": getattr(image, "is_animated", False), "profile": _profile(image, channels)}
        halves, key = _halves(image), image.info.get("transparency")
        tags: Any = getattr(image, "tag_v2", {})  # of TIFF
        bits, in_planes = tags.get(258, (8,)), tags.get(284) == 2
        if len(bits) > 1 and max(bits) > 8 and (in_planes or not halves):
            raise ValueError(
                f"it is {image.mode} of {max(bits)} bits in channels of which only 8 can be read: save it as RGB or "
                "RGBA, its channels not in planes and its alpha not multiplied in, or with 8 bits"
            )
        if not halves:
            read = resize_and_crop(image, None, MODES[channels], max_value=max_value)
            if not is_deep(image):
                return Picture(read, None if channels == 4 else _alpha(image), **told)
            values = np.asarray(ImageOps.exif_transpose(image))[..., None]
    if halves:
        values = _joined(path, halves)
    colours = values[..., :-1] if values.shape[-1] in (2, 4) else values
    alpha = values[..., -1].astype("float32") / 65535 if values.shape[-1] in (2, 4) else None
    if alpha is None and key is not None:
        alpha = (values != np.asarray(key)).any(axis=-1).astype("float32")
    white = 65535.0 if max_value is None or (halves and max_value > 65535) else float(max_value)
    scaled = np.clip(np.nan_to_num(colours.astype("float32") / np.float32(white)), 0.0, 1.0)
    made, alpha = _of_channels(scaled, alpha, channels)
    kept = int(white) if white.is_integer() and 255 < white <= 65535 else 65535
    return Picture(made * 2.0 - 1.0, alpha, kept, int(colours.max()) if max_value is None else 0, **told)


def _profile(image: Image.Image, channels: int) -> bytes | None:
    return image.info.get("icc_profile") if image.mode in ("P", "PA", "RGB", "RGBA") and channels > 1 else None


def _alpha(image: Image.Image) -> np.ndarray | None:
    from PIL import ImageOps

    if not image.has_transparency_data:
        return None
    return np.asarray(ImageOps.exif_transpose(image).convert("RGBA").getchannel("A")).astype("float32") / 255


def _of_channels(colours: np.ndarray, alpha: np.ndarray | None, channels: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours in [0, 1] in a network's channels, and the transparency that these do not hold."""
    if alpha is not None and channels != 4:
        colours = colours * alpha[..., None] + (1.0 - alpha[..., None])
    if channels == 1:
        return (colours if colours.shape[-1] == 1 else colours @ LUMINANCE), alpha
    colours = np.broadcast_to(colours, (*colours.shape[:2], 3))
    if channels == 3:
        return colours, alpha
    opacity = np.ones(colours.shape[:2], "float32") if alpha is None else alpha
    return np.concatenate([colours, opacity[..., None]], axis=-1), None


# Colours of 16 bits: Pillow reads the upper 8. It reads the lower ones where the order of the bytes is said the other
# way round.


def _halves(image: Image.Image) -> str:
    """ "RGB", "RGBA" or "LA" of an open file that has 16 bits in each of these channels, else ""."""
    if not is_deep_colour(image):
        return ""
    names = {_raw(tile[3]).partition(";16")[0] for tile in image.tile}  # type: ignore[attr-defined]
    return names.pop() if len(names) == 1 and names <= {"RGB", "RGBA", "LA"} else ""


def _raw(arguments) -> str:
    return arguments if isinstance(arguments, str) else arguments[0]


def _joined(path: Path, kind: str) -> np.ndarray:
    """uint16 (height, width, channels), the right way up."""
    if kind == "LA":  # four bytes of a pixel, as they are
        return _decoded(path, lambda raw: "RGBA").view(">u2").astype("uint16")
    swapped = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    low = _decoded(path, lambda raw: raw[:-1] + swapped[raw[-1]])
    return _decoded(path, lambda raw: raw).astype("uint16") << 8 | low


def _decoded(path: Path, order) -> np.ndarray:
    from PIL import ImageOps

    with opened(path) as image:
        for i, tile in enumerate(image.tile):  # type: ignore[attr-defined]
            arguments = tile[3]
            raw = order(_raw(arguments))
            changed = (*tile[:3], raw if isinstance(arguments, str) else (raw, *arguments[1:]))
            image.tile[i] = getattr(type(tile), "_make", tuple)(changed)  # type: ignore[attr-defined]
        image.load()
        image.info.pop("transparency", None)
        return np.ascontiguousarray(ImageOps.exif_transpose(image))
