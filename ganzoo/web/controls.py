"""What a generator is told, as fields of the page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from nicegui import ui

from ganzoo.engine.attributes import Attribute
from ganzoo.engine.parts import Images, Labels, Text

__all__ = ["Conditions", "bounded", "seed_field", "seed_of", "slider"]

ALL, LONGEST, LARGEST = "one of each", 400, 2**31 - 1
EXAMPLES = {"captions": "a red heart"}


class Conditions:
    """A field for each thing that a generator must be told, images excepted, and for its truncation.

    Args:
        model: the model.
        names: of its classes, where a training on folders knows them.
        changed: called when a field changes.
        every: whether classes can be drawn one of each.
    """

    def __init__(self, model: Any, names: list[str], changed: Callable[[], Any], every: bool = False):
        self.model, self.fields = model, dict[str, Any]()
        for name in model.conditions():
            part = model.data[name]
            if isinstance(part, Attribute):
                options = {"": "as it is", **{value: value for value in part.values}}
                self.fields[name] = ui.select(options, value="", label=name, on_change=changed)
            elif isinstance(part, Labels):
                known = names if len(names) == part.num_classes else list(map(str, range(part.num_classes)))
                classes = ({ALL: ALL} if every else {}) | dict(enumerate(known))
                self.fields[name] = ui.select(classes, value=ALL if every else 0, label=name, on_change=changed)
            elif not isinstance(part, Images):
                example = part.examples(1)
                text = EXAMPLES.get(name, "") if isinstance(part, Text) else ",".join(f"{x:g}" for x in example[0].flat)
                field = ui.input(label=name, value=text, on_change=changed).props(f"debounce=300 maxlength={LONGEST}")
                self.fields[name] = field.classes("wide")
        self.truncation = None
        default = inspect.signature(model.latents).parameters.get("truncation")
        if default is not None or "truncation" in model._names_of(model.generator):
            text = "truncation: truer to the left, more varied to the right"
            self.truncation = slider(text, 0.1, 2.0, 0.1, 1.0, changed)

    def values(self, count: int) -> dict[str, Any]:
        """What `generate` is told for that many images."""
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            part, value = self.model.data[name], field.value
            if isinstance(part, Attribute):
                found |= {name: value} if value else {}
            elif isinstance(part, Labels):
                found[name] = [i % part.num_classes for i in range(count)] if value == ALL else value
            else:
                found[name] = part.read(str(value or "")[:LONGEST], name)
        if self.truncation is not None:
            found["truncation"] = bounded(self.truncation)
        return found


def seed_field(name: str, changed: Callable[[], Any], value: int = 0) -> ui.number:
    """A number of which all that is random comes, and a button for another."""
    with ui.row().classes("items-end no-wrap"):
        field = ui.number(label=name, value=value, min=0, max=LARGEST, precision=0, on_change=changed)
        field.props("debounce=150").classes("seed")
        next_one = ui.button(icon="casino", on_click=lambda: field.set_value((seed_of(field) + 1) % (LARGEST + 1)))
        next_one.props(f'flat round aria-label="next {name}"').tooltip("the next one")
    return field


def seed_of(field: ui.number) -> int:
    """The seed that it holds, whatever was typed."""
    return min(max(int(field.value or 0), 0), LARGEST)


def slider(text: str, low: float, high: float, step: float, value: float, changed: Callable[[], Any] | None = None):
    """A slider under its name."""
    with ui.column().classes("slider"):
        ui.label(text)
        made = ui.slider(min=low, max=high, step=step, value=value, on_change=changed)
    return made.props(f'label aria-label="{text}"')


def bounded(made: ui.slider) -> float:
    """Where a slider is, within its ends whatever a browser says."""
    return min(max(float(made.value or 0), float(made.props["min"])), float(made.props["max"]))
