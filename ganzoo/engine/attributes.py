"""Attributes as parts of a model's data: classes that are asked for by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from ganzoo.data.attributes import TAKEN
from ganzoo.engine.parts import Labels, as_array

__all__ = ["Attribute", "attribute_parts", "unsaid"]


@keras.saving.register_keras_serializable("ganzoo")
class Attribute(Labels):
    """One of several named values, or, with two of them, whether something is so; networks receive int32 (batch,).

    Args:
        values: names, at least two, in the order of their numbers. Of two the second is "yes": its number is 1.
        group, derived: see `Part`.

    Example:
        >>> part = Attribute(["black", "brown", "blond"])
        >>> part.check(["blond", "black"], "hair")
        array([2, 0], dtype=int32)
    """

    takes_names = True

    def __init__(self, values: Iterable[str], group: str = "", derived: bool = False):
        values = values if isinstance(values, (str, bytes)) else list(values)
        if isinstance(values, (str, bytes)) or not all(isinstance(value, str) for value in values):
            raise ValueError(f"The values of an attribute are a list of names, ['no', 'yes']. Received: {values!r}")
        if len(set(values)) < max(len(values), 2):
            raise ValueError(f"An attribute has at least two values, each once. Received: {values!r}")
        super().__init__(len(values), group, derived)
        self.values = [str(value) for value in values]
        self._numbers = {value: number for number, value in enumerate(self.values)}

    @property
    def num_channels(self) -> int:
        """Of planes and of logits: one for two values, else one for each."""
        return 1 if self.num_classes == 2 else self.num_classes

    def check(self, values, name, allow_nonnegative=False):
        given = as_array(values)
        if given.dtype.kind == "b" and self.num_classes == 2:
            given = given.astype("int32")
        if given.dtype.kind not in "UO":
            return super().check(given, name)
        given = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
        if given.ndim > 1:
            raise ValueError(f"`{name}` is one name for each image. Received: {name} of shape {given.shape}")
        return super().check(np.array([self._number(value, name) for value in given], "int32"), name)

    def _number(self, value: Any, name: str) -> int:
        if value not in self._numbers:
            close = difflib.get_close_matches(str(value), self.values, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"`{name}` is one of {', '.join(self.values)}.{hint} Received: {name}={str(value)!r}")
        return self._numbers[value]

    def named(self, logits: np.ndarray) -> np.ndarray:
        """The likeliest value by logits (n, num_channels): an array of names (n,)."""
        numbers = (logits[:, 0] > 0).astype(int) if self.num_channels == 1 else logits.argmax(axis=-1)
        return np.array(self.values)[numbers]

    def examples(self, num, seed=0):
        return np.array(self.values)[(np.arange(num) + seed) % self.num_classes]

    def read(self, text, name, **reading):
        names = text.split(",")
        if all(each.isdecimal() and each not in self._numbers for each in names):
            return super().read(text, name)
        for each in names:
            self._number(each, name)
        return names[0] if len(names) == 1 else names

    def get_config(self):
        return {"values": self.values, "group": self.group, "derived": self.derived}


def attribute_parts(attributes: Mapping[str, Iterable[str]]) -> dict[str, Attribute]:
    """The parts of a model's data that attributes are.

    Args:
        attributes: names of values by the names of attributes.

    Raises:
        ValueError: there are none, or their names cannot be those of arguments, or an attribute has no two values.
    """
    if not isinstance(attributes, Mapping) or not attributes:
        raise ValueError(
            "Attributes are names of values by their own names: attributes={'hair': ['black', 'blond'], 'smiling': "
            f"['no', 'yes']}}. Received: attributes={attributes!r}"
        )
    for name in attributes:
        if name in TAKEN or f"source_{name}" in attributes or not re.fullmatch(r"\w+", str(name)):
            raise ValueError(
                f"An attribute's name is letters, digits and _, and none of {', '.join(TAKEN)}: rename it. "
                f"Received: {name!r}"
            )
    return {name: Attribute(values) for name, values in attributes.items()}


def unsaid(model: Any, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The attributes that `generate` was not told, as the model reads them from the sources, if these have its size."""
    missing = [name for name in model.attributes if name not in inputs]
    source, shape = np.asarray(inputs.get("source", ())), model.data["images"].shape
    if not missing or not source.size or source.shape[-3:] != shape:
        return {}
    seen = model.attributes_of(source.reshape(-1, *shape))
    return {name: seen[name] for name in missing}
