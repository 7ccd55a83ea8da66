"""Training of small classifiers: the bundled extractors are trained by it, and the classification accuracy score."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import keras
import numpy as np

from ganzoo.metrics.checks import checked_count, checked_images, checked_labels
from ganzoo.metrics.extractors import DEFAULT_WIDTHS, build_classifier

__all__ = ["classification_accuracy_score", "train_classifier"]


def classification_accuracy_score(
    fake_images: np.ndarray,
    fake_labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    *,
    epochs: int = 5,
    seed: int = 0,
    verbose: int | str = 0,
) -> float:
    """Accuracy on real test images of a classifier that was trained on generated images alone.

    What a conditional generator did not learn of a class, the classifier cannot know. Compare with the accuracy of the
    same classifier trained on as many real images.

    Args:
        fake_images: uint8 (n, height, width, channels), height and width divisible by 4.
        fake_labels: int (n,), what the generator was asked for.
        test_images: uint8 (m, height, width, channels), real.
        test_labels: int (m,).
        epochs: Of the training, AdamW with a rate that falls to zero.
        seed: Of the training.
        verbose: As in `keras.Model.fit`.

    Returns:
        In [0, 1].

    Raises:
        ValueError: images and labels that do not match, or fewer than a batch of 128.

    Reference: Ravuri and Vinyals 2019, arXiv:1905.10887, section 3.

    Differs from the paper: the classifier is the small one of `build_classifier`, not a ResNet-50.
    """
    test_images = checked_images(test_images, "test_images")
    test_labels = checked_labels(test_labels, len(test_images))
    if checked_images(fake_images, "fake_images").shape[1:] != test_images.shape[1:]:
        raise ValueError(
            f"Generated and test images are of one size. Received: {fake_images.shape[1:]} and {test_images.shape[1:]}"
        )
    network = train_classifier(fake_images, fake_labels, epochs=epochs, seed=seed, verbose=verbose)
    _, logits = network.predict(test_images.astype("float32"), batch_size=500, verbose=0)
    return float(np.mean(logits.argmax(axis=1) == test_labels))


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int = 10,
    seed: int = 0,
    widths: tuple[int, ...] = DEFAULT_WIDTHS,
    mirror: bool = False,
    precision: str = "float32",
    verbose: int | str = 2,
) -> keras.Model:
    """Trains `build_classifier` with AdamW, whose learning rate falls to zero along a cosine.

    Args:
        images: uint8 (n, height, width, channels); each is shifted by up to two pixels, anew every time.
        labels: int (n,), classes from 0.
        epochs: int.
        seed: Of weights, order and shifts.
        widths: As in `build_classifier`.
        mirror: Whether images are also turned left to right, where that does not make them another thing.
        precision: "float32" or "mixed_bfloat16", of the training alone.
        verbose: As in `keras.Model.fit`.

    Returns:
        The trained network, in float32, from images to (features, logits).

    Raises:
        ValueError: images and labels that do not match, or fewer than a batch of 128.
    """
    images = checked_images(images)
    labels, epochs = checked_labels(labels, len(images)), checked_count(epochs, "epochs")
    batches = _ShiftedImages(images, labels, mirror, seed)
    if not len(batches):
        raise ValueError(f"A classifier is trained on batches of {batches.batch_size}. Received: {len(images)} images")
    with _seeded(seed):
        shape, num_classes = images.shape[1:], int(labels.max()) + 1
        network = build_classifier(shape, num_classes, widths, dtype=precision)
        classifier = keras.Model(network.input, network.output[1])
        steps = epochs * len(batches)
        warm_up = steps // 10
        rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm_up, warmup_target=3e-3, warmup_steps=warm_up)
        classifier.compile(
            keras.optimizers.AdamW(rate, weight_decay=0.05),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        classifier.fit(batches, epochs=epochs, verbose=verbose)
    trained = build_classifier(shape, num_classes, widths)
    trained.set_weights(network.get_weights())
    return trained


class _ShiftedImages(keras.utils.PyDataset):
    """Shuffled batches, every image shifted by its own random number of pixels, the rest filled with black."""

    batch_size, max_shift = 128, 2

    def __init__(self, images, labels, mirror, seed):
        super().__init__()
        self.images, self.labels, self.mirror = images, labels, mirror
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(images))

    def __len__(self):
        return len(self.images) // self.batch_size

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.images))

    def __getitem__(self, i):
        chosen = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        images = shifted(self.images[chosen], self.rng, self.max_shift)
        if self.mirror:
            turned = self.rng.random(len(images)) < 0.5
            images[turned] = images[turned, :, ::-1]
        return images.astype("float32"), self.labels[chosen]


def shifted(images: np.ndarray, rng: np.random.Generator, most: int) -> np.ndarray:
    """Each image moved by its own random number of pixels, at most so many; what comes in is black."""
    height, width = images.shape[1:3]
    padded = np.pad(images, [(0, 0), (most, most), (most, most), (0, 0)])
    top, left = rng.integers(0, 2 * most + 1, (2, len(images)))
    rows, columns = top[:, None] + np.arange(height), left[:, None] + np.arange(width)
    return padded[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Initial weights come from these two generators. `keras.utils.set_random_seed` would import TensorFlow too."""
    before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
