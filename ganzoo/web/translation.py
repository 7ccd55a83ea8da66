"""Pictures for pictures: a pad to draw on, and files before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import events, ui
from PIL import Image, UnidentifiedImageError

from ganzoo.data.folders import header
from ganzoo.data.pictures import read_picture
from ganzoo.data.preprocessing import MODES, to_uint8
from ganzoo.engine.attributes import unsaid
from ganzoo.models.pix2pix import Pix2Pix
from ganzoo.web.controls import Conditions, bounded, slider
from ganzoo.web.panels import Panel
from ganzoo.web.pictures import Canvas, Picture, as_png, painted
from ganzoo.zoo.translating import Translator, sources, translate_files

__all__ = ["PANELS", "picture_file", "rgb", "rgb_text", "upload_field"]

MOST_BYTES, MOST_PIXELS, MOST_DRAWN = 50_000_000, 4_000_000, 16_000_000


class Pad(Panel):
    """What one draws with a pointer, and what the model makes of it."""

    title, icon = "Drawing pad", "draw"

    @staticmethod
    def suits(model: Any) -> bool:
        return isinstance(model, Pix2Pix) and model.data["source"].shape[-1] in (1, 3)

    def build(self) -> None:
        height, width, channels = self.model.data["source"].shape
        self.size, self.grey = (height, width), channels == 1
        paper, ink = "#ffffff", "#000000"
        with ui.row().classes("controls"):
            self.colour = ui.color_input("colour", value=ink).props("maxlength=7").classes("seed")
            self.radius = slider("brush, in pixels", 0.5, 10, 0.5, 0.5 if self.grey else 6)
            self.conditions = Conditions(self.model, self.names, self.draw)
            ui.button("White", icon="format_color_reset", on_click=lambda: self.colour.set_value(paper)).props("flat")
            ui.button("Clear", icon="delete", on_click=self._clear).props("flat")
        with ui.row().classes("beside"):
            self.canvas = Canvas("drawing pad", self._stroke, lambda: rgb_text(self.colour.value), self._width)
            self.picture = Picture("drawn")
        self.drawing = np.full((height, width, channels), 255, "uint8")
        self.canvas.show(self.drawing)

    def _width(self) -> float:
        return bounded(self.radius)

    async def _stroke(self, points: np.ndarray) -> None:
        colour = rgb(self.colour.value)
        self.drawing[painted(points, self._width(), self.size)] = round(np.mean(colour)) if self.grey else colour
        self.canvas.show(self.drawing)
        await self.draw()

    async def _clear(self) -> None:
        self.drawing[:] = 255
        self.canvas.show(self.drawing)
        await self.draw()

    async def draw(self) -> None:
        drawing = self.drawing.copy()
        if (told := self.told()) is None:
            return

        def work():
            return Translator(self.model, None, None, None, 0, told).array(drawing)

        await self.latest(work, self.picture.show)


class Translate(Panel):
    """A file before and after."""

    title, icon = "Translate a picture", "compare"

    @staticmethod
    def suits(model: Any) -> bool:
        found = sources(model)
        return bool(found) and all(model.data[name].shape[-1] in MODES for name in found)

    def build(self) -> None:
        self.upload: tuple[str, bytes] | None = None
        with ui.row().classes("controls"):
            upload_field("A picture, of any size", self._uploaded)
            ways = list(sources(self.model))
            self.way = ui.select(ways, value=ways[0], label="it is", on_change=self.draw)
            self.way.set_visibility(len(ways) > 1)
            self.conditions = Conditions(self.model, self.names, self.draw) if len(ways) == 1 else None
        with ui.row().classes("beside"):
            self.before, self.after = Picture("before", download=False), Picture("after")

    async def _uploaded(self, name: str, content: bytes) -> None:
        self.upload = name, content
        await self.draw()

    async def draw(self) -> None:
        told = self.told()
        if self.upload is None or told is None:
            return
        (name, content), way = self.upload, self.way.value

        def work() -> tuple[bytes, bytes]:
            with picture_file(name, content) as path:
                given = {**self._as_it_is(path, told), **told}
                drawn = path.with_name("drawn.png")
                factor = Translator(self.model, way, None, None, 0, given).factor
                check_pixels(path, MOST_DRAWN // factor**2)
                failed = translate_files(self.model, path, drawn, of=way, **given).failed
                if failed:
                    raise ValueError(failed[path])
                return shown(path, self.model.data[way].shape[-1]), drawn.read_bytes()

        def show(found: tuple[bytes, bytes]) -> None:
            self.before.show(found[0], like=found[1])
            self.after.show(found[1])

        await self.latest(work, show)

    def _as_it_is(self, path: Path, told: dict[str, Any]) -> dict[str, Any]:
        """The attributes that were not chosen, as the model reads them from the whole picture."""
        if not hasattr(self.model, "attributes"):
            return {}
        small = np.asarray(self.model.data["images"].read(str(path), "images"))
        return {name: values[0] for name, values in unsaid(self.model, {"source": small, **told}).items()}


PANELS = (Pad, Translate)


def upload_field(label: str, uploaded: Any) -> None:
    """Takes a picture file of up to 50 MB: `uploaded(name, content)`."""

    def refused() -> None:
        ui.notify(f"Files have up to {MOST_BYTES // 1_000_000} MB: reduce the picture.", type="negative")

    async def take(event: events.UploadEventArguments) -> None:
        field.reset()  # which would refuse the same file a second time
        if event.file.size() > MOST_BYTES:
            refused()
        else:
            await uploaded(Path(event.file.name).name[-100:], await event.file.read())

    field = ui.upload(label=label, on_upload=take, on_rejected=refused, max_file_size=MOST_BYTES, auto_upload=True)
    field.props("flat bordered").classes("upload")


@contextlib.contextmanager
def picture_file(name: str, content: bytes) -> Iterator[Path]:
    """What was uploaded as a file, in a folder that is removed; errors tell its own name.

    Raises:
        ValueError: no picture, or one of more pixels than a page waits for.
    """
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"source{Path(name).suffix}"
        try:
            path.write_bytes(content)
            check_pixels(path, MOST_PIXELS)
            yield path
        except UnidentifiedImageError as error:
            raise ValueError(f"{name} is no picture that can be read.") from error
        except (ValueError, OSError) as error:
            raise ValueError(f"{name}: {str(error).replace(str(path), name)}") from error


def check_pixels(path: Path, most: int) -> None:
    """Refuses a picture of more pixels.

    Raises:
        ValueError: it has them; OSError: it is no picture.
    """
    with path.open("rb") as stream, header(stream) as file:
        pixels = file.width * file.height
    if pixels > most:
        raise ValueError(
            f"a page draws of up to {most / 1e6:g} million pixels with this model, `ganzoo translate` of more. "
            f"Received: {pixels / 1e6:.3g} million pixels"
        )


def shown(path: Path, channels: int, side: int = 1024) -> bytes:
    """A picture file as the model sees it, a PNG of at most so many pixels a side."""
    image = to_uint8(read_picture(path, channels).image)
    small = Image.fromarray(image[..., 0] if channels == 1 else image)
    small.thumbnail((side, side))
    return as_png(np.asarray(small).reshape(small.height, small.width, channels))


def rgb(text: str | None) -> tuple[int, int, int]:
    """The numbers of a colour written #rrggbb; black of what is none."""
    digits = (text or "").strip().removeprefix("#")
    if len(digits) != 6 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return 0, 0, 0
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def rgb_text(text: str | None) -> str:
    """The same as CSS has it, and nothing else: it is written into the page."""
    return "#{:02x}{:02x}{:02x}".format(*rgb(text))
