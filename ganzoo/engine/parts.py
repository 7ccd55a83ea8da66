"""What a model's data is made of: named parts, each of images, labels, sentences or other numbers.

A model says it with `data={name: Part}`; its networks take the parts that their inputs are named after.
"""

from __future__ import annotations

import collections
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.data.folders import Reading, find_images, opened
from ganzoo.data.preprocessing import check_images, check_positive
from ganzoo.data.sentences import words_of

__all__ = ["Images", "Labels", "Part", "Text", "Vectors"]


class Part:
    """One part of a model's data: what it checks on the host, and what networks receive of it.

    Args:
        shape: of one example as networks receive it.
        group: parts of one group belong together row by row. Each group has an order of its own, and begins again when
            it is at its end; an epoch is a pass over the longest.
        derived: not asked of the user, the model's `prepare` makes it. It may be given all the same.

    Attributes:
        dtype: of what networks receive, "float32" or "int32".
        takes_names: whether a string stands for an example.
    """

    dtype, takes_names = "float32", False

    def __init__(self, shape: tuple[int | None, ...], group: str = "", derived: bool = False):
        self.shape, self.group, self.derived = tuple(shape), group, derived

    def check(self, values: Any, name: str, allow_nonnegative: bool = False) -> np.ndarray:
        """Values as a user gives them, packed for the way to the device.

        Args:
            values: (n, ...), an array or a list.
            name: what to call them in errors.
            allow_nonnegative: do not refuse float images that are never negative.

        Raises:
            ValueError: values that this part cannot be, with the fix.
        """
        raise NotImplementedError

    def to_device(self, tensor):
        """What `check` packed, as networks receive it: float32, images in [-1, 1]; or int32."""
        return ops.cast(tensor, self.dtype)

    def is_single(self, values: Any) -> bool:
        """Whether values are one example rather than an array of them."""
        return np.ndim(values) == len(self.shape)

    def of_shape(self, shape: tuple[int | None, ...]) -> Part:
        """The part as a network takes it that may leave open, or fix, what the part does not."""
        return self

    def examples(self, num: int, seed: int = 0) -> np.ndarray:
        """Examples (num, *shape) as a user could give them, made of nothing but the seed: the same everywhere."""
        raise NotImplementedError

    def read(self, text: str, name: str, **reading: Any) -> Any:
        """What a command line says, as values for `check`; `reading`: of files, see `ganzoo.data.load_folder`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"shape": self.shape, "group": self.group, "derived": self.derived}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Part:
        """The part of a `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        given = {key: value for key, value in self.get_config().items() if value and key != "vocabulary"}
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in given.items())})"


@keras.saving.register_keras_serializable("ganzoo")
class Images(Part):
    """Images (height, width, channels), uint8 or float in [-1, 1]; networks receive float32 in [-1, 1].

    Args:
        shape: height and width may be None, for a model of any size; channels are any number.
        group, derived: see `Part`.
        multiple: int, height and width are multiples of it.
        cropped: in training, images are cut out of photographs, which are not resized: how a folder is read.

    Example:
        >>> data = {"source": Images((256, 256, 1)), "target": Images((256, 256, 3))}
    """

    def __init__(
        self, shape: tuple[int | None, ...], group: str = "", derived: bool = False, multiple: int = 1, cropped=False
    ):
        if not isinstance(shape, (tuple, list)) or len(shape) != 3 or shape[2] is None:
            raise ValueError(f"Images have the shape (height, width, channels). Received: shape={shape!r}")
        check_positive(**{name: n for name, n in zip(("height", "width", "channels"), shape) if n is not None})
        check_positive(multiple=multiple)
        super().__init__(tuple(None if n is None else int(n) for n in shape), group, derived)
        self.multiple, self.cropped = int(multiple), bool(cropped)
        self._check_multiple(self.shape[:2], f"shape={self.shape}")

    def check(self, values, name, allow_nonnegative=False):
        images = as_array(values)
        check_images(images, self._shape_of(images), allow_nonnegative=allow_nonnegative, name=name)
        self._check_multiple(images.shape[1:3], f"{name} of shape {images.shape}")
        return images if images.dtype == np.uint8 else images.astype("float32", copy=False)

    def _check_multiple(self, sides: Iterable[int | None], received: str) -> None:
        if any(side is not None and side % self.multiple for side in sides):
            raise ValueError(
                f"Height and width are multiples of {self.multiple}: resize, crop or pad the images. "
                f"Received: {received}"
            )

    def of_shape(self, shape):
        return self if shape == self.shape else type(self).from_config({**self.get_config(), "shape": shape})

    def get_config(self):
        own = {"multiple": self.multiple} if self.multiple > 1 else {}
        return {**super().get_config(), **own, **({"cropped": True} if self.cropped else {})}

    def _shape_of(self, images: np.ndarray) -> Any:
        """The shape that these images must have: their own, where any will do."""
        sizes = images.shape[1:3] if images.ndim == 4 else (1, 1)
        return (*(own if own is not None else size for own, size in zip(self.shape[:2], sizes)), self.shape[2])

    def to_device(self, tensor):
        if keras.backend.standardize_dtype(tensor.dtype) == "uint8":
            return ops.cast(tensor, "float32") / 127.5 - 1.0
        return ops.cast(tensor, "float32")

    def examples(self, num, seed=0):
        rng = np.random.default_rng(seed)
        height, width = (64 if n is None else n for n in self.shape[:2])
        tiles = rng.integers(0, 256, (num, 4, 4, self.shape[2]), "uint8")  # a mosaic of sixteen colours
        return tiles[:, np.arange(height) * 4 // height][:, :, np.arange(width) * 4 // width]

    def read(self, text, name, **reading):
        path = Path(text).expanduser()
        if not text:
            raise ValueError(f"Name an image file, or a folder of them. Received: {name}=")
        files = find_images(path, recursive=False) if path.is_dir() else [path]
        mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(self.shape[2] or 0)
        convert = Reading(None if None in self.shape else self.shape[:2], mode, **reading)
        images = []
        for file in convert.pages_of([file for file in files if file.is_file() and not file.name.startswith(".")]):
            try:
                with opened(file) as image:
                    images.append(convert(image))
            except (OSError, ValueError) as error:
                raise ValueError(f"{file} cannot be read as an image: {error}. Received: {name}={text}") from None
        if not images:
            raise ValueError(f"There is no image file of that name. Received: {name}={text}")
        convert.warn(path)
        if len({image.shape for image in images}) > 1:
            raise ValueError(f"The images differ in size: name them one at a time. Received: {name}={text}")
        return np.stack(images)


@keras.saving.register_keras_serializable("ganzoo")
class Vectors(Part):
    """Numbers that are no images: (features,), sequences (steps, channels), volumes (depth, height, width, channels).

    Floats in any finite range; networks receive them as they are, in float32.

    Args:
        shape: of one example; an int for vectors.
        group, derived: see `Part`.
    """

    def __init__(self, shape: int | tuple[int, ...], group: str = "", derived: bool = False):
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(shape)})
        super().__init__(tuple(int(n) for n in shape), group, derived)

    def check(self, values, name, allow_nonnegative=False):
        array = as_array(values)
        check_images(array, self.shape, name=name, floats=True)  # type: ignore[arg-type]
        return array.astype("float32", copy=False)

    def examples(self, num, seed=0):
        return np.random.default_rng(seed).standard_normal((num, *self.shape), "float32")  # type: ignore[arg-type]

    def read(self, text, name, **reading):
        try:
            return np.array([float(number) for number in text.split(",")], "float32").reshape(-1, *self.shape)
        except ValueError:
            raise ValueError(f"Numbers, with commas between them, {self.shape}. Received: {name}={text}") from None


@keras.saving.register_keras_serializable("ganzoo")
class Labels(Part):
    """Classes: whole numbers from 0 to num_classes - 1, one for each example; networks receive int32 (batch,).

    Args:
        num_classes: int.
        group, derived: see `Part`.
    """

    dtype = "int32"

    def __init__(self, num_classes: int, group: str = "", derived: bool = False):
        check_positive(num_classes=num_classes)
        super().__init__((), group, derived)
        self.num_classes = int(num_classes)

    def check(self, values, name, allow_nonnegative=False):
        labels = as_array(values)
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must be one whole number for each image, from 0 to {self.num_classes - 1}: "
                f"{self._fix(labels, name)}. Received: {name} of shape {labels.shape} and dtype {labels.dtype}"
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"`{name}` must lie in 0 to {self.num_classes - 1}: build the model with as many classes as there are, "
                "num_classes=, and count them from 0 (np.unique(labels, return_inverse=True)[1]). "
                f"Received: {name} from {labels.min()} to {labels.max()}"
            )
        return labels.astype("int32")

    def _fix(self, labels: np.ndarray, name: str) -> str:
        if labels.ndim == 2 and labels.dtype.kind in "iufb":
            return f"of one-hot rows use `{name}.argmax(axis=-1)`"
        if labels.ndim == 1 and labels.dtype.kind in "fb":
            return f"use `{name}.astype('int32')` if they are whole"
        return f"number the names with `np.unique({name}, return_inverse=True)[1]`"

    def examples(self, num, seed=0):
        return (np.arange(num) % self.num_classes).astype("int32")

    def read(self, text, name, **reading):
        try:
            numbers = [int(number) for number in text.split(",")]
        except ValueError:
            numbers = []
        if not numbers or not 0 <= min(numbers) <= max(numbers) < self.num_classes:
            raise ValueError(
                f"A class is a number from 0 to {self.num_classes - 1}; several have commas between them. "
                f"Received: {name}={text}"
            )
        return numbers[0] if len(numbers) == 1 else numbers

    def get_config(self):
        return {"num_classes": self.num_classes, "group": self.group, "derived": self.derived}


@keras.saving.register_keras_serializable("ganzoo")
class Text(Part):
    """Sentences, as the numbers of their words: networks receive int32 (batch, length), 0 where there is no word.

    Words are runs of letters and digits, in lower case. Those that the vocabulary does not hold become 1, and are
    counted and named in a warning, once each.

    Args:
        vocabulary: the words, in the order of their numbers, which begin at 2. `vocabulary_of` makes one.
        length: int, words of a sentence that are read; what is beyond is left out, with a warning.
        group, derived: see `Part`.

    Example:
        >>> captions = ["a red heart", "a blue heart"]
        >>> part = Text(vocabulary_of(captions), length=4)
        >>> part.check(["a heart"], "captions")
        array([[2, 3, 0, 0]], dtype=int32)
    """

    dtype, takes_names = "int32", True

    def __init__(self, vocabulary: Iterable[str], length: int, group: str = "", derived: bool = False):
        check_positive(length=length)
        super().__init__((int(length),), group, derived)
        if isinstance(vocabulary, (str, bytes)):
            raise ValueError(f"A vocabulary is a list of words: vocabulary_of([...]). Received: {vocabulary!r}")
        self.vocabulary = list(vocabulary)
        if wrong := [word for word in self.vocabulary if not isinstance(word, str) or words_of(word) != [word]]:
            raise ValueError(
                "Words are runs of letters and digits in lower case, as sentences are split into: make the vocabulary "
                f"with vocabulary_of(sentences). Received: {wrong[0]!r}"
            )
        self.length = int(length)
        self._numbers = {word: number for number, word in enumerate(self.vocabulary, 2)}
        if not self.vocabulary or len(self._numbers) < len(self.vocabulary):
            twice = [word for word, count in collections.Counter(self.vocabulary).items() if count > 1]
            received = f"{len(self.vocabulary)} words" + (f", {twice[0]!r} twice" if twice else "")
            raise ValueError(f"A vocabulary holds some words, and each once. Received: {received}")
        self._told: set[str] = set()

    @property
    def num_words(self) -> int:
        """How many numbers there are: the vocabulary, an unknown word, and none."""
        return len(self.vocabulary) + 2

    def check(self, values, name, allow_nonnegative=False):
        sentences = as_array(values)
        if sentences.dtype.kind in "iu" and sentences.shape[1:] == self.shape:  # numbered already
            if sentences.size and not 0 <= sentences.min() <= sentences.max() < self.num_words:
                raise ValueError(f"Words have numbers below {self.num_words}. Received: {name} up to {sentences.max()}")
            return sentences.astype("int32")
        if sentences.ndim != 1 or sentences.dtype.kind not in "UOS":
            raise ValueError(
                f"`{name}` must be one sentence for each image, a list of strings. "
                f"Received: {name} of shape {sentences.shape} and dtype {sentences.dtype}"
            )
        if wrong := [i for i, sentence in enumerate(sentences) if not isinstance(sentence, (str, bytes))]:
            raise ValueError(
                f"`{name}` must be one sentence for each image: leave out what has none, or say ''. "
                f"Received: {sentences[wrong[0]]!r} at index {wrong[0]}, and {len(wrong) - 1} more that are no strings"
            )
        words = [words_of(sentence) for sentence in sentences]
        self._warn(words, name)
        packed = np.zeros((len(words), *self.shape), "int32")
        for row, each in zip(packed, words):
            numbers = [self._numbers.get(word, 1) for word in each[: len(row)]]
            row[: len(numbers)] = numbers
        return packed

    def _warn(self, sentences: list[list[str]], name: str) -> None:
        unknown = collections.Counter(word for words in sentences for word in words if word not in self._numbers)
        new = {word: count for word, count in unknown.most_common() if word not in self._told}
        if new:
            self._told.update(new)
            shown = ", ".join(f"{word!r} ({count})" for word, count in list(new.items())[:10])
            more = f" and {len(new) - 10} more" if len(new) > 10 else ""
            warnings.warn(
                f"{sum(new.values())} words of `{name}` are not in the model's vocabulary of "
                f"{len(self.vocabulary)} and count as unknown: {shown}{more}.",
                stacklevel=4,
            )
        long = sum(len(words) > self.length for words in sentences)
        if long and "" not in self._told:
            self._told.add("")
            warnings.warn(
                f"{long} of {len(sentences)} `{name}` have more than {self.length} words: the rest is left out.",
                stacklevel=4,
            )

    def is_single(self, values):
        return isinstance(values, (str, bytes)) or (np.ndim(values) == 1 and np.asarray(values).dtype.kind in "iu")

    def examples(self, num, seed=0):
        rng = np.random.default_rng(seed)
        return np.array([" ".join(rng.choice(self.vocabulary, min(3, self.length))) for _ in range(num)])

    def read(self, text, name, **reading):
        return text

    def get_config(self):
        own = {"vocabulary": self.vocabulary, "length": self.length}
        return {**own, "group": self.group, "derived": self.derived}


def vocabulary_of(sentences: Iterable[str], max_words: int | None = None) -> list[str]:
    """The words of sentences, the most frequent first (equally frequent ones by the alphabet).

    Raises:
        ValueError: a single string, or what is no string among them.
    """
    single = isinstance(sentences, (str, bytes))
    held = [] if single else list(as_array(sentences) if hasattr(sentences, "dtype") else sentences)
    if single or not all(isinstance(sentence, (str, bytes)) for sentence in held):
        wrong = sentences if single else next(each for each in held if not isinstance(each, (str, bytes)))
        raise ValueError(f"Give a list of sentences, each a string. Received: {wrong!r}")
    counts = collections.Counter(word for sentence in held for word in words_of(sentence))
    return sorted(counts, key=lambda word: (-counts[word], word))[:max_words]


def as_array(values: Any) -> np.ndarray:
    """Values as NumPy holds them, whatever framework they come from."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, (list, tuple, str, bytes, int, float, np.generic)):
        return np.asarray(values)
    return ops.convert_to_numpy(values)


def default_data(shape: tuple[int, ...]) -> dict[str, Part]:
    """The data of a model that says nothing of it: what its generator draws."""
    return {"images": Images(shape) if len(shape) == 3 else Vectors(shape)}


def pick(network: keras.Model, batch: Mapping[str, Any], default: str) -> Any:
    """What a network takes of a batch: the parts that its inputs are named after.

    Keras itself takes the alphabet's first key where a network of one input, built of a dictionary, is given several.

    Args:
        network: with named inputs; the name of a single one may be any, and then `default` is taken.
        batch: by name.
        default: the name of a part.

    Raises:
        ValueError: the batch has no part of that name.
    """
    names = input_names(network, default, batch)
    if missing := [name for name in names if name not in batch]:
        raise ValueError(
            f"The network {network.name!r} takes {missing[0]!r}, and there is no such part: name its inputs after the "
            f"parts (keras.Input(..., name=)). Received: a batch of {', '.join(batch)}"
        )
    struct = getattr(network, "_inputs_struct", None)
    if len(names) > 1 or isinstance(struct, dict):
        return {own.name: batch[name] for own, name in zip(network.inputs, names)}
    return batch[names[0]]


def input_names(network: keras.Model, default: str, known: Iterable[str]) -> list[str]:
    """The parts that a network's inputs stand for."""
    names = [each.name for each in network.inputs]
    return [default] if len(names) == 1 and names[0] not in known else names
