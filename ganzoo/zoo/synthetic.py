"""Labelled sets of generated images, for the training of a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ganzoo.data.preprocessing import check_positive
from ganzoo.engine.parts import Labels

__all__ = ["SCHEMES", "augment"]

SCHEMES = ("condition", "pseudo", "uniform", "new")


def augment(
    model: Any,
    n: int,
    scheme: str | None = None,
    *,
    num_classes: int | None = None,
    classifier: Callable[[np.ndarray], Any] | None = None,
    seed: int | None = 0,
    **inputs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Generated images with labels, to train a classifier on beside real ones.

    Args:
        model: A `ganzoo.GAN`.
        n: How many images.
        scheme: Where labels come from. "condition": the class that a conditional model is asked for, all classes
            equally often (the default for such models). For images without a class, three schemes: "pseudo", the class
            that `classifier` thinks most likely; "uniform", 1/K for each of K classes (LSRO); "new", a class K for all.
        num_classes: K, where the model has no labels.
        classifier: Function of uint8 images to (n, K) logits or probabilities, for "pseudo"; for the presets' data
            ``ganzoo.metrics.extractor("mnist").logits``.
        seed: Of images and classes.
        **inputs: What else the generator is told, as for `generate` (``truncation=.7``).

    Returns:
        Images, uint8 (n, height, width, channels), and labels: int64 (n,), of "uniform" float32 (n, K).

    Raises:
        ValueError: An unknown scheme, or one that the model or the arguments do not allow.

    Reference:
        Zheng et al. 2017, arXiv:1701.07717, section 3.2, for the three schemes without a class.

    Differs from the paper:
        pseudo labels are given once, by a classifier of one's own, not anew in each step by the one in training.

    Example:
        >>> images, labels = ganzoo.augment(model, 100, "uniform", num_classes=10)
        >>> float(labels[0].sum().round(6))
        1.0
    """
    check_positive(n=n, **({} if num_classes is None else {"num_classes": num_classes}))
    told = next((name for name in model.conditions() if isinstance(model.data[name], Labels)), None)
    scheme = scheme or ("condition" if told else None)
    if scheme not in SCHEMES or (scheme == "condition" and not told):
        allowed = SCHEMES if told else SCHEMES[1:]
        raise ValueError(f"Say where labels come from, scheme= one of {', '.join(allowed)}. Received: {scheme=}")
    classes: Any = model.data[told].num_classes if told else num_classes
    if told and told not in inputs:
        order = np.random.default_rng(seed).permutation(n)
        inputs = {**inputs, told: (np.arange(n) % classes)[order]}
    if scheme != "pseudo" and classes is None:
        raise ValueError(f"Say how many classes there are, num_classes=. Received: {scheme=}")
    if scheme == "pseudo" and classifier is None:
        raise ValueError("Pseudo labels are a classifier's: give classifier=, images to logits. Received: None")
    images = model.generate(n, seed=seed, **inputs)
    if scheme == "condition":
        labels = np.broadcast_to(np.asarray(inputs[str(told)], "int64"), (n,)).copy()
    elif classifier is not None and scheme == "pseudo":
        labels = np.asarray(classifier(images)).argmax(axis=1).astype("int64")
    elif scheme == "new":
        labels = np.full(n, classes, "int64")
    else:
        labels = np.full((n, classes), 1 / classes, "float32")
    return images, labels
