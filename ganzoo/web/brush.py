"""Editing by hand: strokes on a picture, the candidates that follow them, the way there (iGAN, Zhu et al. 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np
from nicegui import ui

from ganzoo import editing, latent
from ganzoo.latent.own import moved_by_default
from ganzoo.web.controls import Conditions, bounded, seed_field, seed_of, slider
from ganzoo.web.panels import Panel, draws_of_latents
from ganzoo.web.pictures import SIDE, Canvas, Film, Picture, as_png, as_uri, painted
from ganzoo.web.studio import Latest
from ganzoo.web.translation import picture_file, rgb, rgb_text, upload_field

__all__ = ["PANELS"]

CANDIDATES, STARTS, STEPS, FRAMES, MOST_STROKES = 6, 16, 60, 16, 50
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
            self.radius = slider("brush, in pixels", 0.5, max(self.size) / 6, 0.5, max(self.size) / 16)
            self.hold = slider("hold the rest", 0, 1, 0.05, 0.3, self._follow)
            ui.button("Clear the strokes", icon="delete", on_click=self._clear).props("flat")
        with ui.row().classes("beside"):
            self.canvas = Canvas("picture to edit", self._stroke, self._shown_colour, self._width)
            self.film = Film("edited", "before", "after")
            self.own = Picture("your picture edited")
        self.own.box.set_visibility(False)
        with ui.row().classes("candidates"):
            self.strip = ui.row()
            ui.button("Go on from this one", icon="arrow_back", on_click=self._go_on).props("flat")
        self.pictures = Latest(self.studio, self.owner)  # which strokes never take the place of
        self.turn = 0
        self.begin({}, np.zeros(self.model.image_shape, "uint8"))

    def begin(self, drawn: dict[str, np.ndarray], image: np.ndarray, photo: np.ndarray | None = None) -> None:
        """Begins with a picture, all that it is drawn from, (1, ...) each, and the one that was uploaded.

        What is still being drawn for another one is not shown any more.
        """
        self.drawn, self.image, self.photo = drawn, image, photo
        self.turn += 1
        self.chosen: tuple[np.ndarray, np.ndarray] | None = None
        self.name = moved_by_default(self.model, drawn) if drawn else ""
        self.wishes: list[Any] = []
        self.touched = np.zeros(self.size, bool)
        self.painting = image.repeat(self._factor(), axis=0).repeat(self._factor(), axis=1)
        self.painting = self.painting.repeat(3 // image.shape[-1], axis=-1)
        self.canvas.show(self.painting)
        self.strip.clear()
        self.film.show(image[None])
        self._show_own(photo)

    async def draw(self) -> None:
        """From the seed."""
        seed = seed_of(self.seed)
        if (told := self.told()) is None:
            return

        def work():
            drawn = self.model.inputs_for(1, seed, **told)
            return drawn, self.model.generate(seed=seed, **drawn)[0]

        await self.pictures(work, lambda found: self.begin(*found))

    async def _uploaded(self, name: str, content: bytes) -> None:
        """Finds the latents of a picture."""
        if (told := self.told()) is None:
            return

        def work():
            with picture_file(name, content) as path:
                photo = self.model.data[self.model.target].read(str(path), self.model.target)
            photo = np.asarray(photo).reshape(self.model.image_shape)
            found = latent.project(self.model, photo, steps=100, **told)
            drawn = self.model.inputs_for(1, 0, **told)
            moved = moved_by_default(self.model, drawn)
            drawn[moved] = np.asarray(found.latents).reshape(drawn[moved].shape)
            return drawn, found.images[0], photo

        await self.pictures(work, lambda found: self.begin(*found))

    async def _stroke(self, points: np.ndarray) -> None:
        """What a stroke asks for, in pixels of the model."""
        if not self.drawn or len(self.wishes) >= MOST_STROKES:
            ui.notify("Clear the strokes first." if self.drawn else "A moment: there is no picture yet.")
            return
        line = painted(points, self._width(), self.painting.shape[:2])
        points, radius = points / self._factor(), bounded(self.radius)
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
        self.painting[line] = rgb(self._shown_colour())
        self.canvas.show(self.painting)
        await self._follow()

    async def _follow(self) -> None:
        if not self.wishes:
            return
        wishes, hold = list(self.wishes), bounded(self.hold)
        if hold and not self.touched.all():
            wishes.append(editing.stroke(~self.touched, self.image, hold))
        drawn, name, turn, photo = dict(self.drawn), self.name, self.turn, self.photo

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
            return found, self._way(drawn, name, found.latents[0], photo)

        def show(found) -> None:
            if turn != self.turn:
                return
            self.strip.clear()
            with self.strip:
                for number, image in enumerate(found[0].images):
                    self._candidate(number, image, found[0].latents[number])
            self._take(found[0].latents[0], found[0].images[0], found[1])

        await self.latest(work, show)

    def _candidate(self, number: int, image: np.ndarray, latents: np.ndarray) -> None:
        drawn, name, turn, photo = dict(self.drawn), self.name, self.turn, self.photo

        def show(way) -> None:
            if turn == self.turn:
                self._take(latents, image, way)

        async def take() -> None:
            await self.latest(lambda: self._way(drawn, name, latents, photo), show)

        with ui.button(on_click=take).props(f'flat padding=xs aria-label="candidate {number + 1}"'):
            ui.html(f'<img class="candidate" alt="" src="{as_uri(as_png(image))}">', sanitize=False)

    def _way(self, drawn: dict[str, np.ndarray], name: str, latents: np.ndarray, photo: np.ndarray | None):
        """The film to a candidate, and what it does to the uploaded picture."""
        others: dict[str, Any] = {key: values for key, values in drawn.items() if key != name}
        frames = editing.morph(self.model, drawn[name][0], latents, steps=FRAMES, name=name, **others)
        return frames, None if photo is None else editing.transfer(photo, frames).image

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
            self.begin({**self.drawn, self.name: latents[None]}, image, self.photo)

    def _clear(self) -> None:
        self.begin(self.drawn, self.image, self.photo)

    def _factor(self) -> int:
        """How many pixels of the canvas make one of the model, for strokes finer than its pixels."""
        return max(1, SIDE // max(self.size))

    def _width(self) -> float:
        return bounded(self.radius) * self._factor()

    def _shown_colour(self) -> str:
        return rgb_text(self.colour.value) if self.tool.value == PAINT else "#ff8800"


PANELS = (Brush,)
