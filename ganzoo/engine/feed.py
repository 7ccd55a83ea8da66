"""What `fit` and `evaluate` take, made into baskets: one training step's real images, a batch for each D step."""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator

import keras
import numpy as np

from ganzoo.data.preprocessing import check_images, check_positive

__all__ = ["ArrayFeed", "StreamFeed", "make_feed"]


class Feed(keras.utils.PyDataset):
    """A Keras data set of baskets. An item is ``(basket,)``; a basket is a tuple of batches, an array each.

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
    """Baskets from an array, in an order that depends on nothing but the seed and the training step.

    The order of an epoch is ``numpy.random.default_rng([seed, step]).permutation(n)`` with the model's step count at
    the epoch's begin: the same on every backend, and again the same when training resumes.

    Args:
        images: array (n, ...).
        batch_size: images in a batch.
        basket: batches in a basket.
        order: ``() -> (seed, step)``, called at the begin of each epoch; None keeps the array's order.
        keep_rest: whether the images left over form a last, smaller batch (`evaluate`) or are dropped (`fit`).
    """

    def __init__(
        self,
        images: np.ndarray,
        batch_size: int,
        basket: int = 1,
        order: Callable[[], tuple[int, int]] | None = None,
        keep_rest: bool = False,
        length: int | None = None,
    ):
        self._images, self._batch_size, self._basket, self._order = images, batch_size, basket, order
        per_step = batch_size * basket
        self._in_pass = -(-len(images) // per_step) if keep_rest else len(images) // per_step
        if self._in_pass == 0:
            raise ValueError(
                f"Not enough images for one training step, which takes {basket} batch(es) of {batch_size} "
                f"(batch_size x discriminator_steps = {per_step} images). Give more images or a smaller batch_size. "
                f"Received: {len(images)} images."
            )
        self._permutations: dict[int, np.ndarray] = {}
        self._key = (0, 0)
        super().__init__(length or self._in_pass)

    def on_epoch_begin(self) -> None:
        if self._order is not None:
            seed, step = self._order()
            self._key, self._permutations = (seed, step - self._skip), {}

    def __getitem__(self, index: int):
        number, position = divmod(index + self._skip, self._in_pass)
        per_step = self._batch_size * self._basket
        chosen = self._permutation(number)[position * per_step : (position + 1) * per_step]
        images = _compact(self._images[chosen])
        batches = (images[i : i + self._batch_size] for i in range(0, len(images), self._batch_size))
        return (tuple(batches),)

    def _permutation(self, number: int) -> np.ndarray:
        """The order of the ``number``-th pass over the images within this epoch (0 unless steps_per_epoch is large)."""
        if self._order is None:
            return np.arange(len(self._images))
        if number not in self._permutations:
            seed, step = self._key
            rng = np.random.default_rng([seed, step, number] if number else [seed, step])
            self._permutations = {number: rng.permutation(len(self._images))}
        return self._permutations[number]


class StreamFeed(Feed):
    """Baskets from ready-made batches (tf.data, PyDataset, DataLoader), ``basket`` consecutive ones to each.

    Every batch is checked as it comes. A trailing incomplete basket is dropped.

    Args:
        batches: ``() -> iterator`` over one pass of batches, already unpacked to NumPy images.
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
            except (ValueError, TypeError) as error:
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
    *,
    image_shape: tuple[int, ...],
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
        x: array (n, height, width, channels), uint8 or float in [-1, 1]; or ready batches as a `tf.data.Dataset`, a
            `keras.utils.PyDataset` or a `torch.utils.data.DataLoader`. Of a batch that is a tuple or list the first
            part is taken, of a dictionary its ``"image"``.
        image_shape: what the model expects.
        batch_size: for arrays, images of one discriminator step; 32 by default.
        basket: discriminator steps, each with a batch of its own.
        order: see `ArrayFeed`.
        steps: baskets in an epoch; by default one pass over the data.
        keep_rest: keep a last smaller batch.
        allow_nonnegative: do not refuse float images that are never negative.
        endless: name and value of the argument that says how much to take of data that never ends.
        name: what to call the data in errors.

    Raises:
        TypeError: x is none of the above.
        ValueError: images of a wrong shape, range or dtype, too few images, or a batch_size for data that has batches.
    """
    given = {endless[0]: endless[1], "batch_size": batch_size, "steps_per_epoch": steps}
    check_positive(**{argument: value for argument, value in given.items() if value is not None})

    nonnegative = allow_nonnegative

    def check(images) -> np.ndarray:
        nonlocal nonnegative
        images = _to_numpy(images)
        if not is_array(x) and images.shape == tuple(image_shape):
            raise ValueError(
                "The data must come in batches: `.batch(64)` of a tf.data.Dataset, `batch_size=64` of a DataLoader. "
                f"Received: {name} of single images, {images.shape}"
            )
        check_images(images, image_shape, allow_nonnegative=nonnegative, name=name)
        nonnegative = True  # the range is known to begin below 0: a later batch may be all bright
        return images

    if isinstance(x, list) and len(x) == 2 and all(map(is_array, x)) and len(x[1].shape) < len(x[0].shape):
        x = tuple(x)
    if isinstance(x, tuple) and x and is_array(x[0]):
        x = x[0]  # (images, labels)
    if is_array(x):
        return ArrayFeed(check(x), batch_size or 32, basket, order, keep_rest, steps)
    if x is None or isinstance(x, (str, bytes, int, float)):
        raise _no_data(x)
    if isinstance(x, (list, tuple)) and x and is_array(x[0]) and len(x[0].shape) == len(image_shape):
        raise ValueError(f"A list of single images must become one array: `np.stack(x)`. Received: a list of {len(x)}")
    if batch_size is not None:
        raise ValueError(
            "`batch_size` is for arrays; this data comes in batches of its own. Leave `batch_size` out. "
            f"Received: batch_size={batch_size} with x of type {type(x).__name__}"
        )

    def batches():
        with contextlib.closing(_iterate(x)) as pass_over:
            for batch in pass_over:
                yield _compact(check(_images_of(batch)))

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


def is_array(x) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, keras.utils.PyDataset)


def _compact(images: np.ndarray) -> np.ndarray:
    """uint8 stays as it is, a quarter of the bytes to move: the training step scales it. All else becomes float32."""
    return images if images.dtype == np.uint8 else images.astype("float32", copy=False)


def _to_numpy(x) -> np.ndarray:
    return x if isinstance(x, np.ndarray) else keras.ops.convert_to_numpy(x)


def _images_of(batch):
    if isinstance(batch, dict):
        if "image" not in batch:
            raise ValueError(f"A batch that is a dictionary must have the key 'image'. Received: keys={list(batch)}")
        return batch["image"]
    return batch[0] if isinstance(batch, (tuple, list)) else batch


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
        "torch.utils.data.DataLoader (ganzoo.data.load reads files and folders). "
        f"Received: x={x!r:.100} of type {type(x).__name__}"
    )


def _is_tf_dataset(x) -> bool:
    return hasattr(x, "as_numpy_iterator") and hasattr(x, "cardinality")


def _count(x) -> int | None:
    """Batches in one pass, None where it never ends. A stream that does not know is counted, which takes one pass."""
    if isinstance(x, keras.utils.PyDataset):
        number = x.num_batches
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
