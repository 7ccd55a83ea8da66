"""What a user hands to `fit`, as parts by name: arrays, tuples in the order of the parts, dictionaries, streams."""

from __future__ import annotations

import difflib
import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from ganzoo.engine.parts import Part, Text, as_array

__all__ = ["Together", "is_array", "is_in_memory", "named"]


def is_array(x: Any) -> bool:
    """Whether x is an array or a tensor."""
    ranked = hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, keras.utils.PyDataset)
    return ranked and len(x.shape) > 0


def is_in_memory(x: Any, data: Mapping[str, Part]) -> bool:
    """Whether x holds all examples, as one array or as arrays beside each other, rather than batches one by one."""
    if isinstance(x, Mapping):
        return bool(x) and all(is_array(value) or isinstance(value, (list, tuple)) for value in x.values())
    if isinstance(x, tuple):
        return bool(x) and (is_array(x[0]) or is_in_memory(x[0], data))
    if _are_sentences(x):
        return any(isinstance(part, Text) for part in data.values())
    if isinstance(x, list) and x and all(map(_is_column, x)):
        if sum(not part.derived for part in data.values()) > 1:
            return len(x) <= len(data) and is_array(x[0])
        return len(x) == 2 and is_array(x[0]) and is_array(x[1]) and len(x[1].shape) < len(x[0].shape)
    return is_array(x)


def _are_sentences(x: Any) -> bool:
    return isinstance(x, list) and bool(x) and all(isinstance(each, (str, bytes)) for each in x[:100])


def _is_column(x: Any) -> bool:
    return is_array(x) or (isinstance(x, (list, tuple)) and not any(is_array(each) for each in x[:1]))


def named(x: Any, y: Any, data: Mapping[str, Part], what: str = "x") -> dict[str, Any]:
    """Parts by name.

    Args:
        x: one part; a tuple or list of several, in the order of `data`; or a dictionary.
        y: None, or what follows x; a tuple or list of arrays where that is more than one part.
        data: the model's.
        what: what to call x in errors.

    Raises:
        ValueError: a part is missing, or there are too many.
    """
    if isinstance(x, (tuple, list)) and x and isinstance(x[0], Mapping) and len(x) <= 2 and y is None:
        x, y = x[0], x[1] if len(x) == 2 else None  # as Keras' own data sets have it
    if isinstance(x, Mapping):
        return _of_mapping(x, y, data)
    parts = list(x) if isinstance(x, (tuple, list)) and not _are_sentences(x) else [x]
    several = isinstance(y, (tuple, list)) and len(parts) + len(y) == len(data) and any(map(is_array, y))
    parts += list(y) if several else [y]
    while parts and parts[-1] is None:
        parts.pop()
    names = [name for name, part in data.items() if not part.derived]
    names += [name for name, part in data.items() if part.derived]  # may be given, after the others
    if len(parts) > len(names) and len(names) == 1 and all(_like_labels(each, parts[0]) for each in parts[1:]):
        parts = parts[:1]
    if len(parts) > len(names):
        raise ValueError(
            f"This model's data is {_list(names)} alone; another part would go unused. Leave it out, or build a "
            "model of more parts: ganzoo.CGAN takes images and labels, ganzoo.Pix2Pix pairs of images. "
            f"Received: {what} of {len(parts)} parts, {', '.join(map(_shown, parts))}"
        )
    return _complete(dict(zip(names, parts)), data, f"{len(parts)} part(s)")


def _of_mapping(x: Mapping, y: Any, data: Mapping[str, Part]) -> dict[str, Any]:
    given = {_known_as(str(key), data): value for key, value in x.items()}
    if y is not None:
        missing = [name for name, part in data.items() if name not in given and not part.derived]
        if len(missing) != 1:
            raise ValueError(
                f"Beside a dictionary, y is the one part that it lacks of {_list(data)}: give all of them in the "
                f"dictionary. Received: x with {', '.join(map(str, x))}, and y"
            )
        given[missing[0]] = y
    complete = _complete(given, data, ", ".join(map(str, x)))
    if unused := sorted(set(given) - set(data) - {"label", "labels"}):
        warnings.warn(f"Not parts of this model's data, and left out: {', '.join(unused)}.", stacklevel=4)
    return complete


def _known_as(key: str, data: Mapping[str, Part]) -> str:
    """The part that a key means: data sets say image and label where a model says images and labels."""
    return f"{key}s" if key not in data and f"{key}s" in data else key


def _complete(given: dict[str, Any], data: Mapping[str, Part], received: str) -> dict[str, Any]:
    if missing := [name for name, part in data.items() if not part.derived and given.get(name) is None]:
        close = difflib.get_close_matches(missing[0], [key for key in given if key not in data], n=1)
        hint = f" Did you mean {missing[0]!r} by {close[0]!r}?" if close else ""
        names = [name for name, part in data.items() if not part.derived]
        shown = ", ".join(f"{name!r}: ..." for name in names)
        call = ", ".join(names) if len(names) <= 2 else f"({', '.join(names)})"
        raise ValueError(
            f"This model's data is {_list(names)}; {_list(missing)} is missing.{hint} Give fit({call}) or "
            f"fit({{{shown}}}). Received: {received}"
        )
    return {name: given[name] for name in data if given.get(name) is not None}


def _like_labels(values: Any, images: Any) -> bool:
    """Whether a second part is what data sets give beside images, and what a model without classes passes over."""
    if values is None:
        return True
    if not is_array(values) or not is_array(images) or len(values.shape) > 2 or not len(values.shape):
        return False
    kind = as_array(values).dtype.kind
    return kind in "iufb" and (values.shape[0] == images.shape[0]) and len(images.shape) > len(values.shape)


def _list(names: Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _shown(values: Any) -> str:
    return str(tuple(values.shape)) if is_array(values) else type(values).__name__


class Together:
    """Streams of parts, one for each, as one stream of dictionaries.

    A pass is one over the longest; a shorter stream begins again, if it is of another group than the longest.

    Args:
        streams: by part.
        data: the model's.
        passes: ``stream -> iterator`` over one pass of its batches.
        counts: batches in a pass by part; None where it never ends.
    """

    def __init__(self, streams: Mapping[str, Any], data: Mapping[str, Part], passes, counts: Mapping[str, int | None]):
        self._streams, self._passes = streams, passes
        finite = [count for count in counts.values() if count is not None]
        self.length = max(finite) if finite else None
        sizes: dict[str, set] = {}
        for name, count in counts.items():
            sizes.setdefault(data[name].group, set()).add(count)
        if uneven := [group for group, found in sizes.items() if len(found) > 1]:
            names = [name for name in streams if data[name].group == uneven[0]]
            raise ValueError(
                f"{_list(names)} belong together batch by batch. "
                f"Received: {', '.join(f'{name} of {counts[name]} batches' for name in names)}"
            )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        turning = {name: self._again(stream) for name, stream in self._streams.items()}
        for _ in itertools.count() if self.length is None else range(self.length):
            yield {name: next(iterator) for name, iterator in turning.items()}

    def _again(self, stream: Any) -> Iterator[Any]:
        while True:
            empty = True
            for batch in self._passes(stream):
                empty = False
                yield batch
            if empty:
                raise ValueError("A stream of batches is empty.")
