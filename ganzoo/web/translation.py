"""Pictures for pictures: a pad to draw on, and files before and after."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import events, ui

from ganzoo.data.folders import header
from ganzoo.engine.parts import Images
from ganzoo.web.controls import Conditions
from ganzoo.web.panels import Panel
from ganzoo.web.pictures import Canvas, Picture, painted
from ganzoo.zoo.translating import Translator, translate_files

__all__ = ["PANELS"]

MOST_BYTES, MOST_PIXELS = 50_000_000, 4_000_000


def translates(model: Any) -> bool:
    """Whether it draws pictures of pictures, and of those alone."""
    return any(isinstance(model.data[name], Images) for name in model.conditions(model.generators()[0]))


class Pad(Panel):
    """What one draws with a pointer, and what the model makes of it."""

    title, icon = "Drawing pad", "draw"

    @staticmethod
    def suits(model: Any) -> bool:
        return translates(model) and len(model.generators()) == 1 and _pad_shape(model) is not None

    def build(self) -> None:
        height, width, channels = _pad_shape(self.model) or (0, 0, 0)
        self.size, self.grey = (height, width), channels == 1
        paper, ink = "#ffffff", "#000000"
        with ui.row().classes("controls"):
            self.colour = ui.color_input("colour", value=ink).props("maxlength=7").classes("seed")
            with ui.column().classes("slider"):
                ui.label("brush, in pixels")
                self.radius = ui.slider(min=0.5, max=10, step=0.5, value=0.5 if self.grey else 6)
                self.radius.props('label aria-label="brush"')
            self.conditions = Conditions(self.model, self.names, self.draw)
            ui.button("White", icon="format_color_reset", on_click=lambda: self.colour.set_value(paper)).props("flat")
            ui.button("Clear", icon="delete", on_click=self._clear).props("flat")
        with ui.row().classes("beside"):
            self.canvas = Canvas("drawing pad", self._stroke, lambda: rgb_text(self.colour.value), self._width)
            self.picture = Picture("drawn")
        self.drawing = np.full((height, width, channels), 255, "uint8")
        self.canvas.show(self.drawing)

    def _width(self) -> float:
        return float(self.radius.value)

    async def _stroke(self, points: np.ndarray) -> None:
        colour = rgb(self.colour.value)
        self.drawing[painted(points, self._width(), self.size)] = round(np.mean(colour)) if self.grey else colour
        self.canvas.clear()
        self.canvas.show(self.drawing)
        await self.draw()

    async def _clear(self) -> None:
        self.drawing[:] = 255
        self.canvas.show(self.drawing)
        await self.draw()

    async def draw(self) -> None:
        drawing = self.drawing.copy()

        def work():
            translator = Translator(self.model, None, None, None, 0, self.conditions.values(1))
            return translator.array(drawing)

        await self.latest(work, self.picture.show)


class Translate(Panel):
    """A file before and after."""

    title, icon = "Translate a picture", "compare"

    @staticmethod
    def suits(model: Any) -> bool:
        return translates(model)

    def build(self) -> None:
        self.upload: tuple[str, bytes] | None = None
        with ui.row().classes("controls"):
            upload_field("A picture, of any size", self._uploaded)
            generators = self.model.generators()
            ways = [self.model.conditions(each)[0] for each in generators] if len(generators) > 1 else []
            self.way = ui.select(ways, value=ways[0], label="it is", on_change=self.draw) if ways else None
            self.conditions = None if ways else Conditions(self.model, self.names, self.draw)
        with ui.row().classes("beside"):
            self.before, self.after = Picture("before", download=False), Picture("after")

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        self.upload = Path(event.file.name).name, await event.file.read()
        await self.draw()

    async def draw(self) -> None:
        if self.upload is None:
            return
        (name, content), way = self.upload, self.way.value if self.way is not None else None
        told = {} if self.conditions is None else self.conditions.values(1)

        def work() -> tuple[bytes, bytes]:
            with tempfile.TemporaryDirectory() as folder:
                source, output = Path(folder) / f"source{Path(name).suffix}", Path(folder) / "drawn.png"
                source.write_bytes(content)
                try:
                    before = shown(source)
                    failed = translate_files(self.model, source, output, of=way, **told).failed
                    if failed:
                        raise ValueError(failed[source])
                except (ValueError, OSError) as error:
                    raise ValueError(f"{name}: {str(error).replace(str(source), name)}") from error
                return before, output.read_bytes()

        def show(found: tuple[bytes, bytes]) -> None:
            self.before.show(found[0], like=found[1])
            self.after.show(found[1])

        await self.latest(work, show)


PANELS = (Pad, Translate)


def upload_field(label: str, uploaded: Any) -> None:
    """Takes a picture file of up to 50 MB."""

    def refused() -> None:
        ui.notify(f"Files have up to {MOST_BYTES // 1_000_000} MB: reduce the picture.", type="negative")

    field = ui.upload(
        label=label, on_upload=uploaded, on_rejected=refused, max_file_size=MOST_BYTES, auto_upload=True
    )  # fmt: skip
    field.props("flat bordered").classes("upload")


def shown(path: Path, side: int = 1024) -> bytes:
    """A picture file as a PNG for the screen, upright, of at most so many pixels a side.

    Raises:
        ValueError: more pixels than a page waits for.
    """
    from PIL import ImageOps

    with path.open("rb") as stream, header(stream) as file:
        if (pixels := file.width * file.height) > MOST_PIXELS:
            raise ValueError(
                f"a page translates pictures of up to {MOST_PIXELS // 1_000_000} million pixels, `ganzoo translate` "
                f"larger ones. Received: {pixels // 1_000_000} million pixels"
            )
        file.thumbnail((side, side))
        upright = ImageOps.exif_transpose(file)
        target = io.BytesIO()
        upright.convert("RGBA" if "A" in upright.getbands() else "RGB").save(target, "PNG")
    return target.getvalue()


def rgb(text: str | None) -> tuple[int, int, int]:
    """The numbers of a colour written #rrggbb; black of what is none."""
    digits = (text or "").strip().removeprefix("#")
    if len(digits) != 6 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return 0, 0, 0
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def rgb_text(text: str | None) -> str:
    """The same as CSS has it, and nothing else: it is written into the page."""
    return "#{:02x}{:02x}{:02x}".format(*rgb(text))


def _pad_shape(model: Any) -> tuple[int, int, int] | None:
    """Height, width and channels of what the model takes, where these are no photographs: of one size."""
    generator = model.generators()[0]
    name = next(name for name in model.conditions(generator) if isinstance(model.data[name], Images))
    height, width, channels = model._parts_of(generator)[name].shape
    return (height, width, channels) if height and width and channels in (1, 3) else None
