"""What the page shows: pictures with sharp pixels, films, and canvases to draw on."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import events, ui

from ganzoo import plot
from ganzoo.plot.png import write_png

__all__ = ["Canvas", "Film", "Picture", "as_png", "as_uri", "painted"]

SIDE = 420  # pixels of the screen that a picture's longer side takes, about
FRAMES_PER_SECOND, MOST_POINTS = 12, 4000


def as_png(image: np.ndarray) -> bytes:
    """A PNG file of uint8 (height, width, channels)."""
    file = io.BytesIO()
    write_png(file, image.shape[:2], [image if image.shape[-1] in (1, 3, 4) else plot.images.visible(image)])
    return file.getvalue()


def as_uri(png: bytes) -> str:
    """The address of a picture that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def shown_width(height: int, width: int) -> str:
    """How wide a picture is on the screen: a whole number of pixels for each of its own, where there is the place."""
    return f"min(100%, {max(1, SIDE // max(width, height)) * width}px)"


class Picture:
    """A picture, and a button that downloads it as it is.

    Args:
        name: of the picture, for those who cannot see it, and of its file.
        download: whether it has the button.
    """

    def __init__(self, name: str, download: bool = True):
        self.name, self.png = name, b""
        with ui.column().classes("picture") as self.box:
            self.view = ui.interactive_image(sanitize=False).props(f'role=img aria-label="{name}"').classes("w-full")
            if download:
                ui.button("Download", icon="download", on_click=self._download).props("flat dense")

    def show(self, picture: np.ndarray | bytes, like: bytes | None = None) -> None:
        """A uint8 image (height, width, channels), or a PNG file; on the screen as large as another one."""
        self.png = picture if isinstance(picture, bytes) else as_png(picture)
        width, height = np.frombuffer((like or self.png)[16:24], ">u4").tolist()
        self.box.style(f"width: {shown_width(height, width)}")
        self.view.set_source(as_uri(self.png))

    def _download(self) -> None:
        if self.png:
            ui.download.content(self.png, f"{self.name.replace(' ', '-')}.png", "image/png")


class Film:
    """Frames of one size: a slider that shows one, a button that plays them, the film as a file.

    Args:
        name: of what is shown.
        start, end: what stands at the ends of the slider.
    """

    def __init__(self, name: str, start: str = "", end: str = ""):
        self.name, self.frames = name, np.zeros((0, 1, 1, 1), "uint8")
        with ui.column().classes("film"):
            self.picture = Picture(name)
            with ui.row().classes("no-wrap items-center w-full"):
                self.play = ui.button(icon="play_arrow", on_click=self._toggle).props('flat round aria-label="play"')
                ui.label(start)
                self.slider = ui.slider(min=0, max=1, value=0, on_change=self._show)
                self.slider.props(f'aria-label="{name}, position"')
                ui.label(end)
                ui.button("GIF", icon="movie", on_click=self._download).props("flat dense")
        self.timer = ui.timer(1 / FRAMES_PER_SECOND, self._next, active=False)

    def show(self, frames: np.ndarray, position: int | None = None) -> None:
        """uint8 (n, height, width, channels); it stays at its position, unless told another."""
        share = self.slider.value / max(len(self.frames) - 1, 1)
        self.frames = frames
        self.slider.props(f"max={len(frames) - 1}")
        wanted = round(share * (len(frames) - 1)) if position is None else position
        if self.slider.value == wanted:
            self._show()
        self.slider.value = wanted

    def _show(self) -> None:
        if len(self.frames):
            self.picture.show(self.frames[min(int(self.slider.value), len(self.frames) - 1)])

    def _next(self) -> None:
        if len(self.frames):
            self.slider.value = (int(self.slider.value) + 1) % len(self.frames)

    def _toggle(self) -> None:
        self.timer.active = not self.timer.active
        self.play.props(f"icon={'pause' if self.timer.active else 'play_arrow'}")

    def _download(self) -> None:
        if len(self.frames):
            with tempfile.TemporaryDirectory() as folder:
                path = plot.save_film(
                    Path(folder) / "film.gif", self.frames, scale=max(1, SIDE // max(self.frames.shape[1:3])),
                    frames_per_second=FRAMES_PER_SECOND,
                )  # fmt: skip
                ui.download.content(path.read_bytes(), f"{self.name.replace(' ', '-')}.gif", "image/gif")


class Canvas:
    """A picture that one draws on with a pointer: mouse, pen or finger.

    Args:
        name: of the picture.
        on_stroke: called with the points of a stroke, float (n, 2), rows and columns of the picture, when it ends.
        colour: gives the colour in which a stroke is shown while it is drawn, as CSS has it.
        radius: gives its radius in pixels of the picture.
    """

    def __init__(
        self,
        name: str,
        on_stroke: Callable[[np.ndarray], Any],
        colour: Callable[[], str],
        radius: Callable[[], float],
    ):
        self.on_stroke, self.colour, self.radius = on_stroke, colour, radius
        self.points: list[tuple[float, float]] = []
        self.view = ui.interactive_image(
            on_mouse=self._moved, events=["pointerdown", "pointermove", "pointerup", "pointerleave"], sanitize=False
        )
        self.view.classes("canvas").props(f'role=img aria-label="{name}"')

    def show(self, image: np.ndarray) -> None:
        """A uint8 image (height, width, channels), which lies under what is drawn."""
        height, width = image.shape[:2]
        self.view.style(f"width: {shown_width(height, width)}")
        self.view.set_source(as_uri(as_png(image)))

    def _moved(self, event: events.MouseEventArguments) -> Any:
        if event.type == "pointerdown" or (event.type == "pointermove" and self.points and event.buttons):
            if len(self.points) < MOST_POINTS:
                self.points.append((event.image_y, event.image_x))
                self.view.content = self._line()
        elif self.points and event.type in ("pointerup", "pointerleave"):
            points, self.points, self.view.content = np.asarray(self.points), [], ""
            return self.on_stroke(points)
        return None

    def _line(self) -> str:
        places = " ".join(f"{x:.2f},{y:.2f}" for y, x in [*self.points, self.points[-1]])
        return (
            f'<polyline points="{places}" fill="none" stroke="{self.colour()}" stroke-opacity="0.85" '
            f'stroke-width="{2 * self.radius():.2f}" stroke-linecap="round" stroke-linejoin="round"/>'
        )


def painted(points: np.ndarray, radius: float, size: tuple[int, int]) -> np.ndarray:
    """Which pixels, bool (height, width), a brush of that radius touched along its way: of each the middle counts."""
    places, reach = np.moveaxis(np.indices(size), 0, -1) + 0.5, max(radius, 0.71)
    mask = np.zeros(size, bool)
    for start, end in zip(points, [*points[1:], points[-1]]):
        low, high = np.minimum(start, end) - reach, np.maximum(start, end) + reach
        near = tuple(slice(max(int(a), 0), max(int(b) + 1, 0)) for a, b in zip(low, high))
        way, some = end - start, places[near] - start
        share = np.clip(some @ way / max(way @ way, 1e-9), 0, 1)[..., None]
        mask[near] |= ((some - share * way) ** 2).sum(axis=-1) <= reach**2
    return mask
