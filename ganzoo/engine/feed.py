"""What `fit` and `evaluate` take, made into baskets: the real data of one training step, a batch for each D step."""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import os
import threading
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ganzoo.data.preprocessing import check_positive
from ganzoo.engine.naming import Together, is_array, is_in_memory, named
from ganzoo.engine.parts import Part, as_array
from ganzoo.engine.remedies import framework_of, translated

__all__ = ["ArrayFeed", "StreamFeed", "make_feed"]


class Feed(keras.utils.PyDataset):
    """A Keras data set of baskets. An item is ``(basket,)``; a basket is a tuple of batches.

    A batch is a dictionary of arrays by part, or of data of a single part its array.

    Keras asks for items 0, 1, ... of each epoch in order, from one thread at a time, after `on_epoch_begin`; on
    TensorFlow it also asks for the first few before any epoch, to learn their shapes.

    Args:
        length: baskets in an epoch.
    """

    def __init__(self, length: int):
        super().__init__()
        self._length, self._skip = length, 0
        self._refused: list[Exception] = []

    @property
    def num_batches(self) -> int:
        return self._length - self._skip

    def __len__(self) -> int:
        return self.num_batches

    def catch_up(self, steps: int) -> None:
        """Tells the feed that ``steps`` baskets of it were used before an interruption."""

    @contextlib.contextmanager
    def own_errors(self) -> Iterator[None]:
        """Raises what the data raised as it is, where TensorFlow's pipeline made an error of its own of it."""
        try:
            yield
        except Exception:
            if self._refused:
                raise self._refused[0] from None
            raise

    def rest(self, skip: int) -> Feed:
        """What is left of an epoch after its first ``skip`` baskets: for the epoch in which a training resumes."""
        rest = copy.copy(self)
        rest._skip = skip
        return rest


class ArrayFeed(Feed):
    """Baskets from arrays, in an order that depends on nothing but the seed and the training step.

    The order of an epoch is ``numpy.random.default_rng([seed, step]).permutation(n)`` with the model's step count at
    the epoch's begin: the same on every backend, and again the same when training resumes. Parts of one group share an
    order, every group but the nameless one has a number made of its name beside the two. An epoch is a pass over the
    longest group; a shorter one begins again, in another order, within a step too where it has less than that takes.

    Args:
        parts: arrays (n, ...) by name.
        groups: the part's group by name.
        batch_size: examples in a batch.
        basket: batches in a basket.
        order: ``() -> (seed, step)``, called at the begin of each epoch; None keeps the arrays' order.
        keep_rest: whether the examples left over form a last, smaller batch (`evaluate`) or are dropped (`fit`).
    """

    def __init__(
        self,
        parts: Mapping[str, np.ndarray],
        groups: Mapping[str, str],
        batch_size: int,
        basket: int = 1,
        order: Callable[[], tuple[int, int]] | None = None,
        keep_rest: bool = False,
        length: int | None = None,
    ):
        self._parts, self._groups = dict(parts), dict(groups)
        self._batch_size, self._basket, self._order = batch_size, basket, order
        self._sizes = check_sizes(parts, groups)
        per_step = batch_size * basket
        self._in_pass = {g: -(-n // per_step) if keep_rest else n // per_step for g, n in self._sizes.items()}
        if not max(self._in_pass.values()) or 0 in self._sizes.values():
            raise ValueError(
                f"Not enough images for one training step, which takes {basket} batch(es) of {batch_size} "
                f"(batch_size x discriminator_steps = {per_step} images). Give more images or a smaller batch_size. "
                f"Received: {min(self._sizes.values()) and max(self._sizes.values())} images."
            )
        # A group that a single step exhausts, as a few labelled images do, is taken several times over for it.
        self._rounds = {g: 1 if steps else -(-per_step // self._sizes[g]) for g, steps in self._in_pass.items()}
        self._in_pass = {group: steps or 1 for group, steps in self._in_pass.items()}
        self._permutations: dict[tuple[str, int], np.ndarray] = {}
        self._key = (0, 0)
        super().__init__(length or max(self._in_pass.values()))

    def on_epoch_begin(self) -> None:
        if self._order is not None:
            seed, step = self._order()
            self._key, self._permutations = (seed, step - self._skip), {}

    def __getitem__(self, index: int):
        per_step, chosen = self._batch_size * self._basket, {}
        for group, in_pass in self._in_pass.items():
            number, position = divmod(index + self._skip, in_pass)
            chosen[group] = self._permutation(group, number)[position * per_step : (position + 1) * per_step]
        rows = {name: array[chosen[self._groups[name]]] for name, array in self._parts.items()}
        starts = range(0, max(map(len, rows.values())), self._batch_size)
        batches = ({name: part[i : i + self._batch_size] for name, part in rows.items()} for i in starts)
        return (tuple(map(_plain, batches)),)

    def _permutation(self, group: str, number: int) -> np.ndarray:
        """The order of a group's ``number``-th pass within this epoch (0 but for short groups and long epochs)."""
        if self._order is None:
            return np.tile(np.arange(self._sizes[group]), self._rounds[group])
        if (group, number) not in self._permutations:
            key = [*self._key, number] if number or group else [*self._key]
            rng = np.random.default_rng([*key, zlib.crc32(group.encode())] if group else key)
            self._permutations = {other: order for other, order in self._permutations.items() if other[0] != group}
            orders = [rng.permutation(self._sizes[group]) for _ in range(self._rounds[group])]
            self._permutations[group, number] = np.concatenate(orders)
        return self._permutations[group, number]


def check_sizes(parts: Mapping[str, np.ndarray], groups: Mapping[str, str]) -> dict[str, int]:
    """Rows of each group; a ValueError where parts of one group have other numbers of them."""
    first: dict[str, str] = {}
    for name, array in parts.items():
        other = first.setdefault(groups[name], name)
        if len(array) != len(parts[other]):
            raise ValueError(
                "The parts of the data belong together row by row, and must have as many rows. "
                f"Received: `{other}` of {len(parts[other])} rows, `{name}` of {len(array)}"
            )
    return {group: len(parts[name]) for group, name in first.items()}


def _plain(batch: dict[str, np.ndarray]) -> Any:
    """A batch of one part is that part."""
    return next(iter(batch.values())) if len(batch) == 1 else batch


class StreamFeed(Feed):
    """Baskets from ready-made batches (tf.data, PyDataset, DataLoader), ``basket`` consecutive ones to each.

    Every batch is checked as it comes. A trailing incomplete basket is dropped.

    Args:
        batches: ``() -> iterator`` over one pass of batches, already checked.
        basket: batches in a basket.
        length: baskets in an epoch.
        restart: whether each epoch starts a new pass; otherwise (``steps_per_epoch``) passes follow one another.
    """

    def __init__(self, batches: Callable[[], Iterable], basket: int, length: int, restart: bool):
        self._batches, self._basket, self._restart = batches, basket, restart
        self._iterator: Iterator | None = None
        self._ready: dict[int, tuple] = {}  # items that were made before they were asked for
        self._next = 0
        self._peeking = True
        self._behind = 0  # baskets to pass over before the first one
        self._lock = threading.Lock()
        super().__init__(length)

    def on_epoch_begin(self) -> None:
        with self._lock:
            if not self._peeking:
                self._next, self._ready = 0, {}
                if self._restart:
                    self._end_pass()
            self._peeking = False

    def on_epoch_end(self) -> None:
        with self._lock:
            if self._restart and not self._peeking:  # Keras also says so before the first
                self._end_pass()

    def __getitem__(self, index: int):
        with self._lock:
            for _ in range(self._behind):
                self._pull()
            self._behind = 0
            index += self._skip
            while self._next <= index:
                self._ready[self._next] = self._pull()
                self._next += 1
            if self._peeking:
                return (self._ready[index],)
            basket = self._ready.pop(index)
            self._ready = {i: ready for i, ready in self._ready.items() if i > index}  # forgets skipped ones
            return (basket,)

    def catch_up(self, steps: int) -> None:
        self._behind = 0 if self._restart else steps

    def _pull(self) -> tuple:
        for _ in range(2):  # the second try starts a new pass
            if self._iterator is None:
                self._iterator = iter(self._batches())
            try:
                basket = tuple(itertools.islice(self._iterator, self._basket))
            except Exception as error:
                self._refused.append(error)
                raise
            if len(basket) == self._basket:
                return basket
            self._end_pass()
        raise ValueError(
            f"The data ran out: a training step takes {self._basket} consecutive batch(es) and one pass over the data "
            "does not hold that many. Give more data or smaller batches."
        )

    def _end_pass(self) -> None:
        iterator, self._iterator = self._iterator, None
        if isinstance(iterator, Generator):
            iterator.close()  # which tells a PyDataset


def make_feed(
    x,
    y=None,
    *,
    data: Mapping[str, Part],
    batch_size: int | None = None,
    basket: int = 1,
    order: Callable[[], tuple[int, int]] | None = None,
    steps: int | None = None,
    keep_rest: bool = False,
    allow_nonnegative: bool = False,
    endless: tuple[str, int | None] = ("steps_per_epoch", None),
    name: str = "x",
) -> Feed:
    """Baskets from whatever a user trains on.

    Args:
        x: arrays: the one part of the data, a tuple of several in the order of `data`, or a dictionary; or ready
            batches of these as a `tf.data.Dataset`, a `keras.utils.PyDataset` or a `torch.utils.data.DataLoader`; or a
            dictionary of such streams, one for each part.
        y: what follows x where it is not in x already.
        data: the model's parts.
        batch_size: for arrays, examples of one discriminator step; 32 by default.
        basket: discriminator steps, each with a batch of its own.
        order: see `ArrayFeed`.
        steps: baskets in an epoch; by default one pass over the data.
        keep_rest: keep a last smaller batch.
        allow_nonnegative: do not refuse float images that are never negative.
        endless: name and value of the argument that says how much to take of data that never ends.
        name: what to call the data in errors.

    Raises:
        TypeError: x is none of the above.
        ValueError: parts that are missing, too many, or not what the model takes; too few examples, or a batch_size for
            data that has batches.
    """
    given = {endless[0]: endless[1], "batch_size": batch_size, "steps_per_epoch": steps}
    check_positive(**{argument: value for argument, value in given.items() if value is not None})
    check = _Check(data, name, allow_nonnegative, framework_of(x))
    if is_in_memory(x, data):
        parts = check(named(x, y, data, name))
        groups = {part: data[part].group for part in parts}
        return ArrayFeed(parts, groups, batch_size or 32, basket, order, keep_rest, steps)
    if x is None or isinstance(x, (str, bytes, int, float, os.PathLike)):
        raise _no_data(x)
    rank = len(next(iter(data.values())).shape)
    if isinstance(x, (list, tuple)) and x and is_array(x[0]) and len(x[0].shape) == rank:
        raise ValueError(f"A list of single images must become one array: `np.stack(x)`. Received: a list of {len(x)}")
    if isinstance(x, (list, tuple)) and x and hasattr(x[0], "getbands"):
        raise ValueError(
            "Pillow's images must become one array: `np.stack([ganzoo.data.resize_and_crop(image, (64, 64), 'RGB') for "
            f"image in x])`, in the model's size. Received: a {type(x).__name__} of {len(x)}"
        )
    if inspect.isroutine(x):
        raise TypeError(
            "Batches come from what a function makes, not from the function: call it, and say how many batches make an "
            f"epoch, fit({getattr(x, '__name__', 'x')}(), steps_per_epoch=100). Received: x={x!r:.100}"
        )
    if batch_size is not None:
        raise ValueError(
            "`batch_size` is for arrays; this data comes in batches of its own. Leave `batch_size` out. "
            f"Received: batch_size={batch_size} with x of type {type(x).__name__}"
        )
    if isinstance(x, Mapping) or y is not None:
        streams = named(x, y, data, name)
        x = Together(streams, data, _iterate, {part: _count(stream) for part, stream in streams.items()})

    def batches():
        with contextlib.closing(_iterate(x)) as pass_over:
            for batch in pass_over:
                parts = check(_named_batch(batch, data, name), in_batches=True)
                check_sizes(parts, {part: data[part].group for part in parts})
                yield _plain(parts)

    length = steps
    if length is None:
        number = _count(x)
        length = endless[1] if number is None else number // basket
    if length is None:
        raise ValueError(f"This data never ends: say how much of it to take with `{endless[0]}=`.")
    if length == 0:
        raise ValueError(
            f"A training step takes {basket} consecutive batch(es) (discriminator_steps), and one pass over the data "
            f"does not hold that many. Give more data or smaller batches. Received: x of type {type(x).__name__}"
        )
    return StreamFeed(batches, basket, length, restart=steps is None)


class _Check:
    """Checks and packs parts; that the first of them held negative floats is known from then on."""

    def __init__(self, data: Mapping[str, Part], name: str, allow_nonnegative: bool, framework: str):
        self._data, self._name, self._allowed = data, name, dict.fromkeys(data, allow_nonnegative)
        self._framework = framework

    def __call__(self, parts: Mapping[str, Any], in_batches: bool = False) -> dict[str, np.ndarray]:
        return {name: self._packed(name, values, in_batches) for name, values in parts.items()}

    def _packed(self, name: str, values: Any, in_batches: bool) -> np.ndarray:
        part, called = self._data[name], self._name if len(self._data) == 1 else name
        framework, values = framework_of(values) or self._framework, as_array(values)
        if in_batches and len(part.shape) > 1 and values.shape == part.shape:
            raise ValueError(
                "The data must come in batches: `.batch(64)` of a tf.data.Dataset, `batch_size=64` of a DataLoader. "
                f"Received: {called} of single images, {values.shape}"
            )
        try:
            packed = part.check(values, called, allow_nonnegative=self._allowed[name])
        except ValueError as error:
            raise ValueError(translated(str(error), framework, in_batches)) from None
        self._allowed[name] = True  # the range is known to begin below 0: a later batch may be all bright
        return packed


def _named_batch(batch: Any, data: Mapping[str, Part], name: str) -> dict[str, Any]:
    if isinstance(batch, Mapping) and not any(key in data or f"{key}s" in data for key in batch):
        keys = " or ".join(repr(key) for key in _keys(data))
        raise ValueError(f"A batch that is a dictionary must have the key {keys}. Received: keys={list(batch)}")
    return named(batch, None, data, name)


def _keys(data: Mapping[str, Part]) -> list[str]:
    first = next(iter(data))
    return [first.removesuffix("s"), first] if first.endswith("s") else [first]


def _iterate(x):
    """One pass over ready-made batches."""
    if isinstance(x, keras.utils.PyDataset):
        x.on_epoch_begin()
        try:
            yield from (x[i] for i in (itertools.count() if x.num_batches is None else range(x.num_batches)))
        finally:
            x.on_epoch_end()
    elif _is_tf_dataset(x):
        yield from x.as_numpy_iterator()
    else:
        yield from x


def _no_data(x) -> TypeError:
    return TypeError(
        "The data must be an array of images, a tf.data.Dataset, a keras.utils.PyDataset or a "
        "torch.utils.data.DataLoader (ganzoo.data.load reads files and folders). Of a generator of batches say how "
        "many make an epoch: fit(generator, steps_per_epoch=100). "
        f"Received: x={x!r:.100} of type {type(x).__name__}"
    )


def _is_tf_dataset(x) -> bool:
    return hasattr(x, "as_numpy_iterator") and hasattr(x, "cardinality")


def _count(x) -> int | None:
    """Batches in one pass, None where it never ends. A stream that does not know is counted, which takes one pass."""
    if isinstance(x, keras.utils.PyDataset):
        number = x.num_batches
    elif isinstance(x, Together):
        number = x.length
    elif _is_tf_dataset(x):
        number = int(x.cardinality())
        if number == -2:  # tf.data.UNKNOWN_CARDINALITY
            return sum(1 for _ in x)
        number = None if number == -1 else number  # tf.data.INFINITE_CARDINALITY
    elif hasattr(x, "__iter__") and not hasattr(x, "__next__"):
        try:
            number = len(x)
        except TypeError:
            return sum(1 for _ in x)
    else:
        raise _no_data(x)
    return number
