"""What metrics work with: real images as an extractor sees them, and a sample of fakes beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ganzoo import plot
from ganzoo.engine import backend
from ganzoo.engine.parts import pick
from ganzoo.metrics.checks import checked_images
from ganzoo.metrics.frechet import GaussianMoments
from ganzoo.metrics.kernel import kernel_distance
from ganzoo.metrics.labels import classifier_score, label_accuracy, within_class_frechet_distance
from ganzoo.metrics.modes import ModeCounts
from ganzoo.metrics.neighbours import authenticity, prdc
from ganzoo.metrics.paired import paired_measures
from ganzoo.metrics.path_length import own_latents, perceptual_path_length
from ganzoo.metrics.similarity import ms_ssim_diversity
from ganzoo.metrics.wasserstein import patch_wasserstein_distance, sliced_wasserstein_distance
from ganzoo.zoo.download import cache_dir

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

__all__ = ["METRICS", "DivergedError", "Metric", "Reference", "Score", "check_metrics", "drawn", "precision", "scored"]

K = 5  # which neighbour, for precision, recall, density and coverage
PATCHES, PAIRS, PATHS = 16, 1000, 2000  # per image and level; of images; between latents


class Reference:
    """Real images as an extractor sees them: what generated ones are scored against.

    Args:
        extractor: An `Extractor`, an `Inception`, or anything with `id`, `features(images)` and, for the classifier
            score, `features_and_logits(images)`. None where no metric takes features.
        images: uint8 (n, height, width, channels).
        train: What the generator learned from, for `authenticity`: uint8 (m, height, width, channels), or a function
            that reads them.
        inputs: The conditions of the real images by the names of the generator's inputs, one for each image: the fakes
            of a conditional model are drawn for them, `model.generate(**inputs)`.

    The features are computed when first needed. Where the extractor has a `sha256` of all that it computes, they are
    cached, under its id and a hash of the images, in `references/` under `GANZOO_HOME` or the platform's user cache.

    Attributes:
        same_as_train: Whether these may be the images that the generator learned from. False, until it is set.
        resized: Whether the images were brought to another size. False, until it is set.

    Raises:
        ValueError: Images of another dtype or shape, or conditions of another number.

    Example:
        >>> reference = Reference(ganzoo.metrics.extractor("mnist"), test_images)
        >>> score(model.generate(len(test_images), seed=0), reference)["frechet_distance"]
        >>> of_classes = Reference(ganzoo.metrics.extractor("mnist"), test_images, inputs={"labels": test_labels})
        >>> scorer(of_classes, ["labels"])(conditional_model)["label_accuracy"]
    """

    def __init__(
        self,
        extractor: Any,
        images: np.ndarray,
        train: np.ndarray | Callable[[], np.ndarray] | None = None,
        inputs: Mapping[str, Any] | None = None,
    ):
        self.extractor, self.images, self._train = extractor, checked_images(images), train
        self.inputs = {name: np.asarray(values) for name, values in (inputs or {}).items()}
        for name, values in self.inputs.items():
            if not values.ndim or len(values) != len(self.images):
                raise ValueError(
                    "Conditions are one for each real image, in their order. "
                    f"Received: `{name}` of shape {values.shape}, {len(self.images)} images"
                )
        self.same_as_train = self.resized = False

    @functools.cached_property
    def content(self) -> str:
        """The begin of a hash of the images, for a protocol's id."""
        return _content(self.images)[:8]

    @functools.cached_property
    def inputs_content(self) -> str:
        """The begin of a hash of the conditions, for a protocol's id."""
        hashes = (f"{name}:{_content(_plain(values))}" for name, values in sorted(self.inputs.items()))
        return hashlib.sha256("/".join(hashes).encode()).hexdigest()[:8]

    @property
    def labels_name(self) -> str | None:
        """The name of the condition that is a class for each image, if there is one."""
        return next((name for name, x in self.inputs.items() if x.ndim == 1 and x.dtype.kind in "iu"), None)

    @functools.cached_property
    def features(self) -> np.ndarray:
        """float32 (n, d)."""
        return _cached_features(self._sees(), self.images)

    @functools.cached_property
    def moments(self) -> GaussianMoments:
        """Of the features."""
        return GaussianMoments().update(self.features)

    @functools.cached_property
    def train_features(self) -> np.ndarray:
        """float32 (m, d), of what the generator learned from.

        Raises:
            ValueError: The reference was made without.
        """
        if self._train is None:
            raise ValueError("Authenticity takes the training images: Reference(extractor, images, train=...).")
        return _cached_features(self._sees(), self._train() if callable(self._train) else self._train)

    def seen(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features of images (n, d), and logits (n, num_classes) where the extractor is a classifier."""
        extractor = self._sees()
        if hasattr(extractor, "features_and_logits"):
            return extractor.features_and_logits(images)
        return extractor.features(images), None

    def _sees(self) -> Any:
        if self.extractor is None:
            raise ValueError("This metric takes features: name an extractor. Received: extractor=None")
        return self.extractor


@dataclasses.dataclass
class Score:
    """What the metrics of one sample have to work with: the fakes, what an extractor sees in them, the reference.

    A metric is a name in `METRICS`, or a function of a `Score` that returns a mapping from names to numbers.

    Attributes:
        images: uint8 (n, height, width, channels), the fakes; where the reference has conditions, drawn for them.
        reference: The `Reference`.
        model: What drew them, where it is known.
        seed: Of their latents.
        averaged: Whether the averaged generator drew them.
        features: (n, d), of the fakes.
        seen: The features, and logits (n, num_classes) where the extractor is a classifier, otherwise None.

    Example:
        >>> Protocol("mine", ("frechet", lambda score: {"brightness": score.images.mean()}))
    """

    images: np.ndarray
    reference: Reference
    model: GAN | None = None
    seed: int = 0
    averaged: bool = True

    @functools.cached_property
    def seen(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Features, and logits where the extractor is a classifier."""
        return self.reference.seen(self.images)

    @property
    def features(self) -> np.ndarray:
        return self.seen[0]

    def frechet(self) -> dict[str, float]:
        num, dimension = self.features.shape
        if num <= dimension:
            raise ValueError(f"The covariance of {dimension} features takes more samples. Received: {num} images")
        return {"frechet_distance": GaussianMoments().update(self.features).distance(self.reference.moments)}

    def kernel(self) -> dict[str, float]:
        return {"kernel_distance": kernel_distance(self.reference.features, self.features)}

    def neighbours(self) -> dict[str, float]:
        return prdc(self.reference.features, self.features, K)

    def classifier(self) -> dict[str, float]:
        """Nothing where the extractor is no classifier."""
        logits = self.seen[1]
        return {} if logits is None else {"classifier_score": classifier_score(logits)[0]}

    def classes(self) -> dict[str, float]:
        """Classes that the images reach, and KL divergence to even frequencies. Nothing without a classifier."""
        if self.seen[1] is None:
            return {}
        counts = ModeCounts(self.seen[1].shape[1]).update(self.seen[1].argmax(axis=1))
        return {"num_classes": counts.num_covered, "class_kl": counts.kl}

    def labels(self) -> dict[str, float]:
        """Are the fakes of the classes of the reals, for which they were drawn? Nothing where these have no classes, or
        the extractor is no classifier of them; no distance where a class has too few images for a covariance."""
        name = self.reference.labels_name
        if name is None or self.seen[1] is None or self._num_classes(name) not in (None, self.seen[1].shape[1]):
            return {}
        labels = self.reference.inputs[name]
        numbers = {"label_accuracy": label_accuracy(self.seen[1], labels)}
        if np.unique(labels, return_counts=True)[1].min() > self.features.shape[1]:
            distance = within_class_frechet_distance(self.reference.features, labels, self.features, labels)
            numbers["within_class_frechet_distance"] = distance
        return numbers

    def _num_classes(self, name: str) -> int | None:
        return getattr(getattr(self.model, "data", {}).get(name), "num_classes", None)

    def paired(self) -> dict[str, float]:
        """Each fake beside the real image for which it was drawn. Nothing where no condition is an image that belongs
        to the real one row by row."""
        images = [name for name, values in self.reference.inputs.items() if values.ndim == 4]
        if not any(map(self._belongs, images)):
            return {}
        return paired_measures(self.reference.images, self.images)

    def _belongs(self, name: str) -> bool:
        """Whether a condition and the real images are rows of one group."""
        data = getattr(self.model, "data", {})
        return self.model is None or name not in data or data[name].group == data[self.model.target].group

    def wasserstein(self) -> dict[str, float]:
        return {"sliced_wasserstein_distance": sliced_wasserstein_distance(self.reference.features, self.features)}

    def copies(self) -> dict[str, float]:
        """Nothing where the training images are not told from the others: of a folder or a file without splits."""
        if self.reference.same_as_train:
            return {}
        return {"authenticity": authenticity(self.reference.train_features, self.features)}

    def diversity(self) -> dict[str, float]:
        return {"ms_ssim_diversity": ms_ssim_diversity(self.images, num_pairs=PAIRS)}

    def patches(self) -> dict[str, float]:
        levels = patch_wasserstein_distance(self.reference.images, self.images, PATCHES)
        return {"patch_wasserstein_distance": float(np.mean(list(levels.values())))}

    def path(self) -> dict[str, float]:
        """Conditions are those of the reals, and stay the same along a path. Nothing where there is no generator, none
        of its latents moves, the extractor sees images only as they are stored, or the generator does not compute in
        float32, in which a step of 1e-4 can be told from rounding."""
        sees_floats = hasattr(self.reference.extractor, "float_features")
        if self.model is None or not sees_floats or precision(self.model) != "float32":
            return {}
        latents = own_latents(self.model, PATHS, self.seed)
        if latents is None:
            return {}
        ends, held = latents
        rows = np.arange(PATHS) % len(self.reference.images)
        length = perceptual_path_length(
            self._draw_floats,
            self.reference.extractor.float_features,
            self.model.latent_dim,
            num_samples=PATHS,
            seed=self.seed,
            ends=ends,
            inputs={**held, **{name: values[rows] for name, values in self.reference.inputs.items()}},
        )
        return {"perceptual_path_length": length}

    def _draw_floats(self, latents: np.ndarray | dict[str, np.ndarray]) -> np.ndarray:
        assert self.model is not None
        if isinstance(latents, dict):
            return self._draw_floats_of(latents)
        if self.averaged:
            return self.model.predict_on_batch(latents)
        with backend.no_gradient():
            return keras.ops.convert_to_numpy(self.model.generator(latents, training=False))

    def _draw_floats_of(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """What a generator of several inputs draws of them, by name and as a user gives them."""
        model: Any = self.model
        network = model.average_of(model.generator) if self.averaged else model.generator
        batch = {}
        for name, values in inputs.items():
            part = model.data.get(name)
            packed = keras.ops.convert_to_tensor(values if part is None else part.check(values, name, True))
            batch[name] = packed if part is None else part.to_device(packed)
        with backend.no_gradient():
            return keras.ops.convert_to_numpy(network(pick(network, batch, "latents"), training=False))


Metric = str | Callable[[Score], Mapping[str, float]]
METRICS = {  # methods of `Score`, and what they give
    "frechet": ("frechet_distance",),
    "kernel": ("kernel_distance",),
    "neighbours": ("precision", "recall", "density", "coverage"),
    "classifier": ("classifier_score",),
    "copies": ("authenticity",),
    "diversity": ("ms_ssim_diversity",),
    "patches": ("patch_wasserstein_distance",),
    "path": ("perceptual_path_length",),
    "wasserstein": ("sliced_wasserstein_distance",),
    "classes": ("num_classes", "class_kl"),
    "labels": ("label_accuracy", "within_class_frechet_distance"),
    "paired": ("psnr", "ssim", "l1"),
}


def check_metrics(metrics: Sequence[Metric]) -> None:
    """Refuses what is no sequence of metrics."""
    right = not isinstance(metrics, str) and all(callable(metric) or metric in METRICS for metric in metrics)
    if not right or not metrics:
        raise ValueError(
            f"Metrics are a sequence of some of {', '.join(METRICS)}, or functions of a `Score`. Received: {metrics!r}"
        )


class DivergedError(ValueError):
    """The generator draws NaN."""


def drawn(model: Any, reference: Reference, averaged: bool, seed: int) -> np.ndarray:
    """As many fakes as the reference has images, for their conditions."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The images hold NaN", category=RuntimeWarning)
        try:
            return model.generate(len(reference.images), seed=seed, averaged=averaged, **reference.inputs)
        except RuntimeWarning:
            raise DivergedError(
                "The generator has diverged: give a model from before that, a backup or an earlier checkpoint. "
                "Received: a model that draws NaN"
            ) from None


def scored(sample: Score, metrics: Sequence[Metric]) -> dict[str, float]:
    """The numbers of a sample, which must compare with its reference."""
    check_metrics(metrics)
    if sample.images.shape[1:] != sample.reference.images.shape[1:]:
        raise ValueError(
            "Generated images are compared with real ones of the same size. "
            f"Received: {sample.images.shape[1:]} and {sample.reference.images.shape[1:]}"
        )
    num, expected = len(sample.images), len(sample.reference.images)
    if num != expected:
        raise ValueError(
            "The metrics depend on the counts: score as many images as the reference has, "
            f"{expected}. Received: {num} images"
        )
    measured = (metric(sample) if callable(metric) else getattr(sample, metric)() for metric in metrics)
    return {name: float(value) for numbers in measured for name, value in numbers.items()}


def precision(model: Any) -> str:
    """The dtype that the generator computes in."""
    return getattr(getattr(model, "dtype_policy", None), "compute_dtype", "float32")


def _cached_features(extractor: Any, images: np.ndarray) -> np.ndarray:
    """Features of real images: computed once for each extractor and content, where the extractor says what it is."""
    if getattr(extractor, "sha256", None) is None:
        return extractor.features(images)
    path = cache_dir("references") / f"{extractor.id}-{_content(images)[:16]}.npz"
    with contextlib.suppress(OSError, KeyError, ValueError, zipfile.BadZipFile), np.load(path) as cached:
        return cached["features"]  # not there, or not whole: computed
    features = extractor.features(images)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        plot.write_beside(path, lambda file: np.savez(file, features=features))
    return features


def _content(images: np.ndarray) -> str:
    return hashlib.sha256(str(images.shape).encode() + np.ascontiguousarray(images).tobytes()).hexdigest()


def _plain(values: np.ndarray) -> np.ndarray:
    """Values whose bytes are the same however they are stored: sentences as UTF-8, classes in 64 bits."""
    if values.dtype.kind in "UOS":
        texts = (x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in values.ravel())
        return np.frombuffer("\0".join(texts).encode(), "uint8")
    return values.astype("int64") if values.ndim == 1 and values.dtype.kind in "iu" else values
