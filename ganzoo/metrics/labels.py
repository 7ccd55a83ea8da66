"""Metrics of what a classifier says about generated images: of its logits, or of its decisions."""

from __future__ import annotations

import numpy as np

from ganzoo.metrics.checks import checked_count, checked_features, checked_labels, checked_pair
from ganzoo.metrics.frechet import GaussianMoments

__all__ = ["ClassifierScore", "classifier_score", "label_accuracy", "within_class_frechet_distance"]


class ClassifierScore:
    """The classifier score of a stream of logits, in constant memory. See `classifier_score`.

    Args:
        num_samples: How many logits there will be.
        num_splits: Into how many consecutive parts of (about) equal size they are split.

    Example:
        >>> ClassifierScore(4, num_splits=1).update(50 * np.eye(4)[:2]).update(50 * np.eye(4)[2:]).result()
        (4.0, 0.0)
    """

    def __init__(self, num_samples: int, num_splits: int = 10):
        num_samples, num_splits = checked_count(num_samples, "num_samples"), checked_count(num_splits, "num_splits")
        if num_splits > num_samples:
            raise ValueError(f"Each split takes at least one sample. Received: {num_samples=}, {num_splits=}")
        self._bounds = np.arange(1, num_splits + 1) * num_samples // num_splits
        self._seen, self._sums, self._negative_entropy = 0, np.zeros((num_splits, 0)), np.zeros(num_splits)

    def update(self, logits: np.ndarray) -> ClassifierScore:
        """Adds logits (n, num_classes); returns itself."""
        logits = checked_features(logits, "logits")
        if not self._sums.size:
            self._sums = np.zeros((len(self._bounds), logits.shape[1]))
        if self._seen + len(logits) > self._bounds[-1] or logits.shape[1] != self._sums.shape[1]:
            raise ValueError(
                f"There are {self._bounds[-1]} samples of {self._sums.shape[1]} classes, {self._seen} of them seen. "
                f"Received: {logits.shape[0]} more, of {logits.shape[1]} classes"
            )
        log_p = _log_softmax(logits)
        p = np.exp(log_p)
        splits = np.searchsorted(self._bounds, self._seen + np.arange(len(logits)), side="right")
        np.add.at(self._sums, splits, p)
        np.add.at(self._negative_entropy, splits, (p * log_p).sum(axis=1))
        self._seen += len(logits)
        return self

    def result(self) -> tuple[float, float]:
        """Mean and standard deviation (n, not n - 1) over the splits.

        Raises:
            ValueError: fewer logits were given than announced.
        """
        if self._seen != self._bounds[-1]:
            raise ValueError(f"{self._bounds[-1]} samples were announced. Received: {self._seen}")
        counts = np.diff(self._bounds, prepend=0)
        marginal = self._sums / counts[:, None]
        entropy = -np.sum(marginal * np.log(np.maximum(marginal, np.finfo("float64").tiny)), axis=1)
        scores = np.exp(self._negative_entropy / counts + entropy)
        return float(scores.mean()), float(scores.std())


def classifier_score(logits: np.ndarray, num_splits: int = 10) -> tuple[float, float]:
    """Are the images of clear classes, and of all of them? From Inception's logits it is called the Inception Score.

    exp( mean over x of KL( p(y|x) || mean over x of p(y|x) ) )

    It lies between 1 and the number of classes; higher is better. It never sees a real image: a generator that draws
    one perfect image of each class has the best score.

    Args:
        logits: (n, num_classes).
        num_splits: The score is taken in as many consecutive parts, of which mean and spread are returned. It is biased
            by their size: the literature's convention is 50 000 images in 10 splits.

    Returns:
        Mean and standard deviation over the splits.

    Raises:
        ValueError: fewer samples than splits, or logits that are not finite.

    Example:
        >>> classifier_score(50 * np.eye(4), num_splits=1)
        (4.0, 0.0)

    Reference: Salimans et al. 2016, arXiv:1606.03498, section 4.
    """
    logits = checked_features(logits, "logits")
    return ClassifierScore(len(logits), num_splits).update(logits).result()


def label_accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """The part of the images that a classifier sees as what a conditional generator was asked for.

    Args:
        logits: (n, num_classes), the classifier's.
        labels: int (n,), what was asked for.

    Returns:
        In [0, 1].

    Raises:
        ValueError: labels of another number, or that are no classes of the classifier.

    Example:
        >>> label_accuracy(np.eye(4), np.array([0, 1, 2, 0]))
        0.75
    """
    logits = checked_features(logits, "logits")
    labels = checked_labels(labels, len(logits), logits.shape[1])
    return float(np.mean(logits.argmax(axis=1) == labels))


def within_class_frechet_distance(
    real_features: np.ndarray, real_labels: np.ndarray, fake_features: np.ndarray, fake_labels: np.ndarray
) -> float:
    """The Frechet distance between real and fake images of one class, averaged over the classes.

    A generator that ignores its labels can have a good Frechet distance, but not this one.

    Args:
        real_features: (N, d).
        real_labels: int (N,).
        fake_features: (M, d).
        fake_labels: int (M,), what the generator was asked for.

    Returns:
        The mean, at least 0.

    Raises:
        ValueError: the classes of real and fake are not the same, or one has too few samples for a covariance: more
            than d of each are needed.

    Example:
        >>> x, y = np.arange(8.0)[:, None], np.array([0, 1] * 4)
        >>> round(within_class_frechet_distance(x, y, x + 3, y), 9)
        9.0

    Reference: Miyato and Koyama 2018, arXiv:1802.05637, section 5 ("intra FID").
    """
    real, fake = checked_pair(real_features, fake_features)
    real_labels, fake_labels = checked_labels(real_labels, len(real)), checked_labels(fake_labels, len(fake))
    classes, dimension = np.unique(real_labels), real.shape[1]
    if not np.array_equal(classes, np.unique(fake_labels)):
        raise ValueError(
            "Real and fake images are of the same classes. "
            f"Received: real {classes.tolist()}, fake {np.unique(fake_labels).tolist()}"
        )
    distances = []
    for each in classes:
        sides = [real[real_labels == each], fake[fake_labels == each]]
        if min(map(len, sides)) <= dimension:
            raise ValueError(
                f"The covariance of {dimension} features takes more samples than that of each class. "
                f"Received: class {each} with {len(sides[0])} real and {len(sides[1])} fake"
            )
        distances.append(GaussianMoments().update(sides[0]).distance(GaussianMoments().update(sides[1])))
    return float(np.mean(distances))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
