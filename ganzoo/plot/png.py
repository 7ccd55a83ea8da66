"""PNG files, written row by row: of 8 or 16 bits, grey or in colour, with transparency or without."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import BinaryIO

import numpy as np

__all__ = ["write_png"]

KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # the format's number, by channels: grey, with transparency, colour, with transparency
ROWS = 64  # that are packed at a time


def write_png(
    file: BinaryIO,
    size: tuple[int, int],
    strips: Iterable[np.ndarray],
    texts: Mapping[str, str] = {},
    profile: bytes | None = None,
) -> None:
    """Writes an image that comes in strips of rows, of which one at a time is held.

    Args:
        file: open for writing.
        size: (height, width) of the image.
        strips: uint8 or uint16 (rows, width, 1 to 4 channels), from top to bottom.
        texts: what the file says of itself, in Latin letters.
        profile: of its colours (ICC).

    Raises:
        ValueError: strips of another dtype, width or number of channels, or of more or fewer rows together.

    Example:
        >>> with open("noise.png", "wb") as file:
        ...     write_png(file, (8, 8), [np.random.default_rng(0).integers(0, 65536, (8, 8, 3), "uint16")])
    """
    height, width = size
    pack = zlib.compressobj(6)
    rows, before = 0, np.zeros(0, "uint8")
    for strip in strips:
        if not rows:
            kind = strip.dtype, strip.shape[-1]
            if strip.dtype not in (np.uint8, np.uint16) or strip.ndim != 3 or strip.shape[-1] not in KINDS:
                raise ValueError(f"PNG has 1 to 4 channels of uint8 or uint16. Received: {strip.shape}, {strip.dtype}")
            bits = 8 * strip.itemsize
            file.write(b"\x89PNG\r\n\x1a\n")
            _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, bits, KINDS[strip.shape[-1]], 0, 0, 0))
            if profile:
                _chunk(file, b"iCCP", b"ICC\0\0" + zlib.compress(profile))
            for key, text in texts.items():
                _chunk(file, b"tEXt", f"{key}\0{text}".encode("latin-1"))
            before = np.zeros(width * strip.shape[-1] * strip.itemsize, "uint8")
        if (strip.dtype, strip.shape[-1]) != kind or strip.shape[1] != width:
            raise ValueError(f"Strips are alike, {width} pixels wide. Received: {strip.shape}, {strip.dtype}")
        for some in np.split(strip, range(ROWS, len(strip), ROWS)) if len(strip) else ():
            raw = some.astype(strip.dtype.newbyteorder(">")).view("uint8").reshape(len(some), -1)
            _chunk(file, b"IDAT", pack.compress(_filtered(raw, before, strip.shape[-1] * strip.itemsize)))
            rows, before = rows + len(some), raw[-1]
    if rows != height:
        raise ValueError(f"The strips are {height} rows together. Received: {rows}")
    _chunk(file, b"IDAT", pack.flush())
    _chunk(file, b"IEND", b"")


def _filtered(raw: np.ndarray, before: np.ndarray, step: int) -> bytes:
    """Rows as what is left of them after a guess by their neighbours, each row by the guess that leaves least."""
    up = np.concatenate([before[None], raw[:-1]])
    left, corner = (np.pad(x[:, :-step], ((0, 0), (step, 0))) for x in (raw, up))
    a, b, c = (x.astype("int16") for x in (left, up, corner))
    away = [np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)]  # of the guess a + b - c from each
    paeth = np.where((away[0] <= away[1]) & (away[0] <= away[2]), left, np.where(away[1] <= away[2], up, corner))
    guesses = {0: np.zeros_like(raw), 1: left, 2: up, 4: paeth}
    rests = np.stack([raw - guess for guess in guesses.values()])
    sizes = np.abs(rests.view("int8").astype("int16")).sum(axis=-1, dtype="int64")
    best = sizes.argmin(axis=0)
    kinds = np.array(list(guesses), "uint8")[best]
    return np.concatenate([kinds[:, None], rests[best, np.arange(len(raw))]], axis=1).tobytes()


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
