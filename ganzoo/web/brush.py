"""Editing by hand: strokes on a picture, the candidates that follow them, the way there (iGAN, Zhu et al. 2016)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import events, ui

from ganzoo import editing, latent
from ganzoo.latent.own import moved_by_default
from ganzoo.web.controls import Conditions, seed_field
from ganzoo.web.panels import Panel, draws_of_latents
from ganzoo.web.pictures import Canvas, Film, Picture, as_png, as_uri, painted
from ganzoo.web.translation import rgb, rgb_text, upload_field

__all__ = ["PANELS"]

CANDIDATES, STARTS, STEPS, FRAMES = 6, 16, 60, 16
PAINT, SKETCH, MOVE = "paint a colour", "draw edges", "move a part"


class Brush(Panel):
    """A picture that follows strokes: its own, or one that is uploaded and found among what the model draws."""

    title, icon = "Edit by hand", "brush"

    @staticmethod
    def suits(model: Any) -> bool:
        if not draws_of_latents(model) or model.image_shape[-1] not in (1, 3):
            return False
        drawn = model.inputs_for(1, 0, **{name: model.data[name].examples(1) for name in model.conditions()})
        return any(name not in model.data and values.ndim == 2 for name, values in drawn.items())

    def build(self) -> None:
        self.size, self.grey = self.model.image_shape[:2], self.model.image_shape[-1] == 1
        with ui.row().classes("controls"):
            self.conditions = Conditions(self.model, self.names, self.draw)
            self.seed = seed_field("seed", self.draw)
            upload_field("Or a picture of your own", self._uploaded)
        with ui.row().classes("controls"):
            self.tool = ui.toggle([PAINT, SKETCH, MOVE], value=PAINT)
            self.colour = ui.color_input("colour", value="#ffffff").props("maxlength=7").classes("seed")
            with ui.column().classes("slider"):
                ui.label("brush, in pixels")
                self.radius = ui.slider(min=0.5, max=max(self.size) / 6, step=0.5, value=max(self.size) / 16)
                self.radius.props('label aria-label="brush"')
            with ui.column().classes("slider"):
                ui.label("hold the rest")
                self.hold = ui.slider(min=0, max=1, step=0.05, value=0.3, on_change=self._follow)
                self.hold.props('label aria-label="hold the rest"')
            ui.button("Clear the strokes", icon="delete", on_click=self._clear).props("flat")
        with ui.row().classes("beside"):
            self.canvas = Canvas("picture to edit", self._stroke, self._shown_colour, self._width)
            self.film = Film("edited", "before", "after")
            self.own = Picture("your picture edited")
        self.own.box.set_visibility(False)
        with ui.row().classes("candidates"):
            self.strip = ui.row()
            ui.button("Go on from this one", icon="arrow_back", on_click=self._go_on).props("flat")
        self.photo: np.ndarray | None = None
        self.begin({}, np.zeros(self.model.image_shape, "uint8"))

    def begin(self, drawn: dict[str, np.ndarray], image: np.ndarray) -> None:
        """Begins with a picture, and all that it is drawn from, (1, ...) each."""
        self.drawn, self.image = drawn, image
        self.chosen: tuple[np.ndarray, np.ndarray] | None = None
        self.name = moved_by_default(self.model, drawn) if drawn else ""
        self.wishes: list[Any] = []
        self.touched = np.zeros(self.size, bool)
        self.canvas.clear()
        self.canvas.show(_enlarged(image, self._factor()))
        self.strip.clear()
        self.film.show(image[None])

    async def draw(self) -> None:
        """From the seed."""
        seed, self.photo = int(self.seed.value or 0), None
        self._show_own(None)

        def work():
            drawn = self.model.inputs_for(1, seed, **self.conditions.values(1))
            return drawn, self.model.generate(seed=seed, **drawn)[0]

        await self.latest(work, lambda found: self.begin(*found))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        """Finds the latents of a picture."""
        name, content = Path(event.file.name).name, await event.file.read()

        def work():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"source{Path(name).suffix}"
                path.write_bytes(content)
                try:
                    photo = self.model.data[self.model.target].read(str(path), self.model.target)
                except (ValueError, OSError) as error:
                    raise ValueError(str(error).replace(str(path), name)) from error
            photo = np.asarray(photo).reshape(self.model.image_shape)
            found = latent.project(self.model, photo, steps=100, **self.conditions.values(1))
            drawn = self.model.inputs_for(1, 0, **self.conditions.values(1))
            moved = moved_by_default(self.model, drawn)
            return photo, {**drawn, moved: np.asarray(found.latents).reshape(drawn[moved].shape)}, found.images[0]

        def show(found) -> None:
            self.photo = found[0]
            self.begin(*found[1:])
            self._show_own(self.photo)

        await self.latest(work, show)

    async def _stroke(self, points: np.ndarray) -> None:
        """What a stroke asks for, in pixels of the model."""
        points, radius = points / self._factor(), self._width() / self._factor()
        try:
            if self.tool.value == MOVE:
                mask = painted(points[:1], radius, self.size)
                down, right = (round(float(step)) for step in points[-1] - points[0])
                self.wishes.append(editing.moved(self.image, mask, (down, right)))
                self.touched |= np.roll(mask, (down, right), (0, 1)) | mask
            elif self.tool.value == SKETCH:
                self.wishes.append(editing.sketch(painted(points, 0.5, self.size)))
                self.touched |= painted(points, 2.0, self.size)
            else:
                mask, colour = painted(points, radius, self.size), rgb(self.colour.value)
                self.wishes.append(editing.stroke(mask, round(np.mean(colour)) if self.grey else colour))
                self.touched |= mask
        except ValueError as error:
            ui.notify(str(error), type="negative")
            return
        await self._follow()

    async def _follow(self) -> None:
        if not self.wishes:
            return
        wishes, hold = list(self.wishes), float(self.hold.value)
        if hold and not self.touched.all():
            wishes.append(editing.stroke(~self.touched, self.image, hold))
        drawn, name = dict(self.drawn), self.name

        def work():
            others = {key: values for key, values in drawn.items() if key != name}
            found = editing.edit(
                self.model,
                wishes,
                drawn[name][0],
                candidates=CANDIDATES,
                starts=STARTS,
                steps=STEPS,
                name=name,
                **others,
            )
            return found, self._way(drawn, found.latents[0])

        def show(found) -> None:
            self.strip.clear()
            with self.strip:
                for number, image in enumerate(found[0].images):
                    self._candidate(number, image, found[0].latents[number])
            self._take(found[0].latents[0], found[0].images[0], found[1])

        await self.latest(work, show)

    def _candidate(self, number: int, image: np.ndarray, latents: np.ndarray) -> None:
        async def take() -> None:
            drawn = dict(self.drawn)
            await self.latest(lambda: self._way(drawn, latents), lambda way: self._take(latents, image, way))

        with ui.button(on_click=take).props(f'flat padding=xs aria-label="candidate {number + 1}"'):
            ui.html(f'<img class="candidate" alt="" src="{as_uri(as_png(image))}">', sanitize=False)

    def _way(self, drawn: dict[str, np.ndarray], latents: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The film to a candidate, and what it does to the uploaded picture."""
        name = self.name
        others: dict[str, Any] = {key: values for key, values in drawn.items() if key != name}
        frames = editing.morph(self.model, drawn[name][0], latents, steps=FRAMES, name=name, **others)
        return frames, None if self.photo is None else editing.transfer(self.photo, frames).image

    def _take(self, latents: np.ndarray, image: np.ndarray, way: tuple[np.ndarray, np.ndarray | None]) -> None:
        self.chosen = latents, image
        self.film.show(way[0], len(way[0]) - 1)
        self._show_own(way[1])

    def _show_own(self, picture: np.ndarray | None) -> None:
        self.own.box.set_visibility(picture is not None)
        if picture is not None:
            self.own.show(picture)

    def _go_on(self) -> None:
        if self.chosen is not None:
            latents, image = self.chosen
            self.begin({**self.drawn, self.name: latents[None]}, image)

    def _clear(self) -> None:
        self.begin(self.drawn, self.image)

    def _factor(self) -> int:
        """How many pixels of the canvas make one of the model, for strokes finer than its pixels."""
        return max(1, 420 // max(self.size))

    def _width(self) -> float:
        return float(self.radius.value) * self._factor()

    def _shown_colour(self) -> str:
        return rgb_text(self.colour.value) if self.tool.value == PAINT else "#ff8800"


PANELS = (Brush,)


def _enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
