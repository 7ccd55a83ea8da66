"""What generators of latents do on the page: draw, go from one picture to another, change one thing, mix styles."""

from __future__ import annotations

from typing import Any

import numpy as np
from nicegui import ui

from ganzoo import latent, plot
from ganzoo.engine.drawing import Drawing
from ganzoo.engine.parts import Images, Labels
from ganzoo.latent.own import continuous, is_one_hot
from ganzoo.latent.paths import PATHS
from ganzoo.web.controls import Conditions, bounded, seed_field, seed_of, slider
from ganzoo.web.pictures import Film, Picture
from ganzoo.web.studio import Latest, Studio, tell

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
        ready: what `prepare` found.
    """

    title, icon = "", ""
    conditions: Conditions | None = None

    def __init__(self, studio: Studio, model: Any, names: list[str], owner: ui.element, ready: Any = None):
        self.studio, self.model, self.names, self.owner, self.ready = studio, model, names, owner, ready
        self.latest = Latest(studio, owner)
        self.build()
        ui.timer(0.05, self.draw, once=True)

    @staticmethod
    def suits(model: Any) -> bool:
        """Whether it is for this model."""
        return draws_of_latents(model)

    @staticmethod
    def prepare(model: Any) -> Any:
        """What it must know of the model before it is built, and takes long to find."""
        return None

    def build(self) -> None:
        """Makes its elements."""

    def told(self, count: int = 1) -> dict[str, Any] | None:
        """What its fields say; None where they say what cannot be, which the page then tells."""
        try:
            return {} if self.conditions is None else self.conditions.values(count)
        except ValueError as error:
            tell(error, self.owner)
            return None

    async def draw(self) -> None:
        """Draws for what its fields say."""


class Draw(Panel):
    """Many pictures of a seed."""

    title, icon = "Draw", "grid_view"

    def build(self) -> None:
        with ui.row().classes("controls"):
            self.conditions = Conditions(self.model, self.names, self.draw, every=True)
            self.seed = seed_field("seed", self.draw)
            self.count = slider("pictures", 1, 64, 1, 16, self.draw)
        self.picture = Picture("pictures")

    async def draw(self) -> None:
        count, seed = int(bounded(self.count)), seed_of(self.seed)
        if (told := self.told(count)) is None:
            return

        def work():
            images = self.model.generate(count, seed=seed, **told)
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
        seeds = [seed_of(field) for field in (self.first, self.last)]
        if (told := self.told()) is None:
            return

        def work():
            first, last = (self.model.inputs_for(1, seed, **told) for seed in seeds)
            moved = continuous(self.model, first)
            plain = type(self.model).latents is Drawing.latents
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

    @staticmethod
    def prepare(model: Any) -> Any:
        """How many of each thing there are, 0 of classes; and the directions."""
        examples = {name: model.data[name].examples(1) for name in model.conditions()}
        things, directions = dict[str, int](), None
        try:
            directions = latent.sefa(model, **examples).vectors
            things[DIRECTION] = len(directions)
        except ValueError:  # whose first layers are none that it knows
            pass
        for name, values in model.inputs_for(1, 0, **examples).items():
            if isinstance(model.data.get(name), Labels) or is_one_hot(values):
                things[name] = 0
            elif name not in model.data and values.ndim == 2:
                things[name] = values.shape[1]
        return things, directions

    def build(self) -> None:
        self.things, self.directions = self.ready
        with ui.row().classes("controls"):
            options = list(self.things)
            self.thing = ui.select(options, value=options[0], label="what changes", on_change=self._choose)
            self.index = slider("which of them", 0, 1, 1, 0, self.draw)
            self.conditions = Conditions(self.model, self.names, self.draw)
            self.seed = seed_field("seed", self.draw)
        self.film = Film("change", "less", "more")
        self._limit()

    def _limit(self) -> None:
        count = self.things[self.thing.value]
        self.index.props(f"max={max(count - 1, 0)}")
        self.index.set_enabled(count > 1)
        self.index.value = min(self.index.value, max(count - 1, 0))
        for name, field in self.conditions.fields.items() if self.conditions is not None else ():
            field.set_enabled(name != self.thing.value)

    async def _choose(self) -> None:
        self._limit()
        await self.draw()

    async def draw(self) -> None:
        thing, index, seed = self.thing.value, int(bounded(self.index)), seed_of(self.seed)
        if (told := self.told()) is None:
            return

        def work():
            if thing == DIRECTION:
                return latent.walk(self.model, self.directions[index], steps=FRAMES, seed=seed, **told)
            others = {name: value for name, value in told.items() if name != thing}
            return latent.traverse(
                self.model, thing, index if self.things[thing] else None, rows=1, seed=seed, **others
            )

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
        seeds = [seed_of(field) for field in (self.coarse, self.fine)]
        if (told := self.told()) is None:
            return

        def work():
            first, last = (self.model.inputs_for(1, seed, **told) for seed in seeds)
            layers = self.model.num_layers
            drawn = {name: np.repeat(values, layers + 1, axis=0) for name, values in first.items()}
            drawn["mixed"] = np.repeat(last["latents"], layers + 1, axis=0)
            drawn["crossover"] = np.arange(layers + 1, dtype="float32")
            return self.model.generate(seed=seeds[0], **drawn)

        await self.latest(work, self.film.show)


PANELS = (Draw, Between, Change, Mix)
