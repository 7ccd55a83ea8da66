"""How well a linear classifier tells classes by given features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ganzoo.features.reading import features, twin

__all__ = ["Fit", "compare", "linear_accuracy"]

PENALTIES = tuple(10.0**power for power in range(-5, 4))
HELD_OUT = 1 / 6
BLOCK = 2000


class Fit(NamedTuple):
    """Accuracy on test images; that on held-out training images, by which the penalty was chosen; the penalty."""

    accuracy: float
    held_out: float
    penalty: float


def linear_accuracy(train: Any, labels: Any, test: Any, test_labels: Any, seed: int = 0) -> Fit:
    """Least squares to one-hot classes with a penalty on the weights, the best of nine on held-out training examples.

    Features are brought to mean 0 and variance 1 over the training set. The penalty is in units of the number of
    examples, 1e-5 to 1e3; with the one that a sixth of the training set prefers all of it is fitted again.

    Args:
        train, test: (n, features), (m, features).
        labels, test_labels: int (n,), (m,).
        seed: Chooses the held-out examples.

    Returns:
        A `Fit`.

    Raises:
        ValueError: Arrays that do not match, or fewer than twelve examples.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(300) % 3
        >>> points = np.eye(3)[labels] + rng.normal(0, 0.1, (300, 3))
        >>> linear_accuracy(points[:200], labels[:200], points[200:], labels[200:]).accuracy
        1.0
    """
    train, test = np.asarray(train, "float32"), np.asarray(test, "float32")
    labels, test_labels = np.asarray(labels), np.asarray(test_labels)
    if (
        train.ndim != 2
        or train.shape[1:] != test.shape[1:]
        or len(train) != len(labels)
        or len(test) != len(test_labels)
    ):
        raise ValueError(
            "Features are (n, features), and there is a label for each. "
            f"Received: {train.shape}, {labels.shape}, {test.shape}, {test_labels.shape}"
        )
    if len(train) < 2 / HELD_OUT:
        raise ValueError(f"At least {round(2 / HELD_OUT)} examples are needed. Received: {len(train)}")
    mean, scale = train.mean(axis=0), train.std(axis=0)
    train, test = ((each - mean) / np.where(scale > 0, scale, 1) for each in (train, test))
    classes = np.unique(labels)
    wanted = (labels[:, None] == classes).astype("float32")
    order = np.random.default_rng(seed).permutation(len(train))
    held, kept = np.split(order, [round(len(train) * HELD_OUT)])
    grams, sums = _products(train[kept], wanted[kept])
    scores = []
    for penalty in PENALTIES:
        weights, bias = _solve(grams, sums, wanted[kept].mean(axis=0), train[kept].mean(axis=0), penalty, len(kept))
        scores.append(float(np.mean(classes[(train[held] @ weights + bias).argmax(axis=1)] == labels[held])))
    best = int(np.argmax(scores))
    grams, sums = _products(train, wanted)
    weights, bias = _solve(grams, sums, wanted.mean(axis=0), train.mean(axis=0), PENALTIES[best], len(train))
    right = classes[(test @ weights + bias).argmax(axis=1)] == test_labels
    return Fit(float(right.mean()), scores[best], PENALTIES[best])


def _products(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred X^T X and X^T Y, blocks of float32 summed in float64."""
    centre, aim = x.mean(axis=0, dtype="float64"), y.mean(axis=0, dtype="float64")
    gram, product = np.zeros((x.shape[1],) * 2), np.zeros((x.shape[1], y.shape[1]))
    for begin in range(0, len(x), BLOCK):
        block = x[begin : begin + BLOCK]
        gram += block.T @ block
        product += block.T @ y[begin : begin + BLOCK]
    return gram - len(x) * np.outer(centre, centre), product - len(x) * np.outer(centre, aim)


def _solve(gram, product, aim, centre, penalty: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    weights = np.linalg.solve(gram + penalty * count * np.eye(len(gram)), product).astype("float32")
    return weights, aim - centre @ weights


def compare(
    model: Any, images: Any, labels: Any, test_images: Any, test_labels: Any, seeds: Sequence[int] = (0, 1, 2)
) -> dict[str, list[float]]:
    """Test accuracies of one tuned linear classifier on three kinds of features.

    Args:
        model: A `ganzoo.GAN`.
        images, test_images: uint8 (n, height, width, channels).
        labels, test_labels: int (n,).
        seeds: Of the held-out examples and of the untrained network: an accuracy for each.

    Returns:
        Accuracies by "discriminator", "untrained discriminator" and "pixels".

    Reference:
        Radford et al. 2015, arXiv:1511.06434, section 5.

    Differs from the paper:
        least squares instead of a linear SVM.
    """
    pixels = [np.asarray(each).reshape(len(each), -1) for each in (images, test_images)]
    learned = [features(model, each) for each in (images, test_images)]
    found: dict[str, list[float]] = {"discriminator": [], "untrained discriminator": [], "pixels": []}
    for seed in seeds:
        network = twin(model.discriminator, seed)
        untrained = [features(model, each, network=network) for each in (images, test_images)]
        for name, (train, test) in zip(found, (learned, untrained, pixels)):
            found[name].append(linear_accuracy(train, labels, test, test_labels, seed).accuracy)
    return found
