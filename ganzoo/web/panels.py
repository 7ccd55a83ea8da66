"""What generators of latents do on the page: draw, go from one picture to another, change one thing, mix styles."""

from __future__ import annotations

from typing import Any

import numpy as np
from nicegui import ui

from ganzoo import latent, plot
from ganzoo.engine.parts import Images, Labels
from ganzoo.latent.own import continuous, is_one_hot
from ganzoo.latent.paths import PATHS
from ganzoo.web.controls import Conditions, seed_field
from ganzoo.web.pictures import Film, Picture
from ganzoo.web.studio import Latest, Studio

__all__ = ["PANELS", "draws_of_latents"]

FRAMES = 25
DIRECTION = "direction"


def draws_of_latents(model: Any) -> bool:
    """Whether pictures come of latents, and of no other pictures."""
    if len(model.generators()) != 1 or len(model.image_shape) != 3:
        return False
    conditions = [model.data[name] for name in model.conditions()]
    return not any(isinstance(part, Images) for part in conditions) and len(model._names_of(model.generator)) > len(
        conditions
    )


class Panel:
    """A tab of the page.

    Args:
        studio, model: what draws, and with what.
        names: of the model's classes, where it knows them.
        owner: the element that it is built in.
    """

    title, icon = "", ""

    def __init__(self, studio: Studio, model: Any, names: list[str], owner: ui.element):
        self.model, self.names = model, names
        self.latest = Latest(studio, owner)
        self.build()
        ui.timer(0.05, self.draw, once=True)

    @staticmethod
    def suits(model: Any) -> bool:
        """Whether it is for this model."""
        return draws_of_latents(model)

    def build(self) -> None:
        """Makes its elements."""

    async def draw(self) -> None:
        """Draws for what its fields say."""


class Draw(Panel):
    """Many pictures of a seed."""

    title, icon = "Draw", "grid_view"

    def build(self) -> None:
        with ui.row().classes("controls"):
            self.conditions = Conditions(self.model, self.names, self.draw, every=True)
            self.seed = seed_field("seed", self.draw)
            with ui.column().classes("slider"):
                ui.label("pictures")
                self.count = ui.slider(min=1, max=64, value=16, on_change=self.draw)
                self.count.props('label aria-label="pictures"')
        self.picture = Picture("pictures")

    async def draw(self) -> None:
        count, seed = int(self.count.value), int(self.seed.value or 0)

        def work():
            images = self.model.generate(count, seed=seed, **self.conditions.values(count))
            return images[0] if count == 1 else plot.image_grid(images)

        await self.latest(work, self.picture.show)


class Between(Panel):
    """From one picture to another."""

    title, icon = "A to B", "timeline"

    def build(self) -> None:
        with ui.row().classes("controls"):
            self.conditions = Conditions(self.model, self.names, self.draw)
            self.first, self.last = seed_field("seed A", self.draw, 0), seed_field("seed B", self.draw, 1)
        self.film = Film("A to B", "A", "B")

    async def draw(self) -> None:
        seeds = [int(field.value or 0) for field in (self.first, self.last)]

        def work():
            told = self.conditions.values(1)
            first, last = (self.model.inputs_for(1, seed, **told) for seed in seeds)
            moved = continuous(self.model, first)
            plain = type(self.model).latents.__qualname__ == "Drawing.latents"
            path = PATHS["spherical" if plain else "linear"]
            drawn = {name: np.repeat(values, FRAMES, axis=0) for name, values in first.items()}
            for name in moved:
                steps = [path(first[name], last[name], step) for step in np.linspace(0, 1, FRAMES)]
                drawn[name] = np.concatenate(steps).astype("float32")
            return self.model.generate(seed=seeds[0], **drawn)

        await self.latest(work, self.film.show)


class Change(Panel):
    """One thing changed, while all else stays: a class, a code, a latent, a direction of SeFa."""

    title, icon = "Change one thing", "tune"

    def build(self) -> None:
        drawn = self.model.inputs_for(1, 0, **self._examples())
        self.things: dict[str, int] = {}
        for name, values in drawn.items():
            if isinstance(self.model.data.get(name), Labels) or is_one_hot(values):
                self.things[name] = 0
            elif name not in self.model.data and values.ndim == 2:
                self.things[name] = values.shape[1]
        try:
            self.directions = latent.sefa(self.model, **self._examples()).vectors
            self.things[DIRECTION] = len(self.directions)
        except ValueError:  # whose first layers are none that it knows
            pass
        with ui.row().classes("controls"):
            options = [DIRECTION, *self.things] if DIRECTION in self.things else list(self.things)
            options = list(dict.fromkeys(options))
            self.thing = ui.select(options, value=options[0], label="what changes", on_change=self._choose)
            with ui.column().classes("slider"):
                ui.label("which of them")
                self.index = ui.slider(min=0, max=1, value=0, on_change=self.draw)
                self.index.props('label aria-label="which of them"')
            self.conditions = Conditions(self.model, self.names, self.draw)
            self.seed = seed_field("seed", self.draw)
        self.film = Film("change", "less", "more")
        self._limit()

    def _examples(self) -> dict[str, Any]:
        return {name: self.model.data[name].examples(1) for name in self.model.conditions()}

    def _limit(self) -> None:
        count = self.things[self.thing.value]
        self.index.props(f"max={max(count - 1, 0)}")
        self.index.set_enabled(count > 1)
        self.index.value = min(self.index.value, max(count - 1, 0))
        for name, field in self.conditions.fields.items():
            field.set_enabled(name != self.thing.value)

    async def _choose(self) -> None:
        self._limit()
        await self.draw()

    async def draw(self) -> None:
        thing, index, seed = self.thing.value, int(self.index.value), int(self.seed.value or 0)

        def work():
            told = self.conditions.values(1)
            if thing == DIRECTION:
                return latent.walk(self.model, self.directions[index], steps=FRAMES, seed=seed, **told)
            told.pop(thing, None)
            is_class = not self.things[thing]
            return latent.traverse(self.model, thing, None if is_class else index, rows=1, seed=seed, **told)

        await self.latest(work, lambda frames: self.film.show(frames, len(frames) // 2))


class Mix(Panel):
    """Coarse traits of one picture, fine ones of another."""

    title, icon = "Mix styles", "blender"

    @staticmethod
    def suits(model: Any) -> bool:
        return draws_of_latents(model) and {"mixed", "crossover"} <= set(model._names_of(model.generator))

    def build(self) -> None:
        with ui.row().classes("controls"):
            self.conditions = Conditions(self.model, self.names, self.draw)
            self.coarse = seed_field("seed of the coarse traits", self.draw, 0)
            self.fine = seed_field("seed of the fine traits", self.draw, 1)
        self.film = Film("mixed", "coarse traits alone of the first", "all but the finest")

    async def draw(self) -> None:
        seeds = [int(field.value or 0) for field in (self.coarse, self.fine)]

        def work():
            told = self.conditions.values(1)
            first, last = (self.model.inputs_for(1, seed, **told) for seed in seeds)
            layers = self.model.num_layers
            drawn = {name: np.repeat(values, layers + 1, axis=0) for name, values in first.items()}
            drawn["mixed"] = np.repeat(last["latents"], layers + 1, axis=0)
            drawn["crossover"] = np.arange(layers + 1, dtype="float32")
            return self.model.generate(seed=seeds[0], **drawn)

        await self.latest(work, self.film.show)


PANELS = (Draw, Between, Change, Mix)
