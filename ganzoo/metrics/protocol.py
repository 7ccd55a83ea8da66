"""Protocols: everything that moves a number, said once, so that two numbers with one protocol compare.

Common to all of them:

- Fakes: `num_images` of `generate(num_images, seed=seed)` for each of the seeds; uint8, rounded. Neither they nor the
  images of a data set are resized (what an extractor does to them is the extractor's); those of a folder, which may be
  of any size, are, and the id says so.
- Features and logits: of the bundled classifier of the data set (`ganzoo.metrics.extractor`), unless the protocol names
  another extractor. Its hash is part of the protocol's id.
- Reals: `num_images` of the test split, as many as there are fakes, which neither the generator nor the extractor has
  been trained on; of the training split where the protocol follows a convention of the literature. Authenticity always
  looks at the training split: it asks whether a fake is a copy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ganzoo import data, plot
from ganzoo.data.sources import progress
from ganzoo.engine import backend
from ganzoo.metrics.checks import checked_count, checked_images
from ganzoo.metrics.extractors import extractor as extractor_named
from ganzoo.metrics.frechet import GaussianMoments
from ganzoo.metrics.kernel import kernel_distance
from ganzoo.metrics.labels import classifier_score
from ganzoo.metrics.modes import ModeCounts
from ganzoo.metrics.neighbours import authenticity, prdc
from ganzoo.metrics.path_length import perceptual_path_length
from ganzoo.metrics.similarity import ms_ssim_diversity
from ganzoo.metrics.wasserstein import patch_wasserstein_distance, sliced_wasserstein_distance
from ganzoo.zoo import presets
from ganzoo.zoo.weights import cache_dir

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

__all__ = ["PROTOCOLS", "Protocol", "Reference", "Score", "evaluate", "score", "scorer"]

VERSION = 1  # to be raised when a constant below or a metric's definition changes
K = 5  # which neighbour, for precision, recall, density and coverage
PATCHES, PAIRS, PATHS = 16, 1000, 2000  # per image and level; of images; between latents


class Reference:
    """Real images as an extractor sees them: what generated ones are scored against.

    Args:
        extractor: An `Extractor`, an `Inception`, or anything with `id`, `features(images)` and, for the classifier
            score, `features_and_logits(images)`.
        images: uint8 (n, height, width, channels).
        train: What the generator learned from, for `authenticity`: uint8 (m, height, width, channels), or a function
            that reads them.

    The features are computed when first needed. Where the extractor has a `sha256` of all that it computes, they are
    cached, under its id and a hash of the images, in `references/` under `GANZOO_HOME` or the platform's user cache.

    Raises:
        ValueError: Images of another dtype or shape.

    Example:
        >>> reference = Reference(ganzoo.metrics.extractor("mnist"), test_images)
        >>> score(model.generate(len(test_images), seed=0), reference)["frechet_distance"]
    """

    def __init__(self, extractor: Any, images: np.ndarray, train: np.ndarray | Callable[[], np.ndarray] | None = None):
        self.extractor, self.images, self._train = extractor, checked_images(images), train
        self.same_as_train = False

    @functools.cached_property
    def content(self) -> str:
        """The begin of a hash of the images, for a protocol's id."""
        return _content(self.images)[:8]

    @functools.cached_property
    def features(self) -> np.ndarray:
        """float32 (n, d)."""
        return _cached_features(self.extractor, self.images)

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
        return _cached_features(self.extractor, self._train() if callable(self._train) else self._train)


@dataclasses.dataclass
class Score:
    """What the metrics of one sample have to work with: the fakes, what an extractor sees in them, the reference.

    A metric is a name in `METRICS`, or a function of a `Score` that returns a mapping from names to numbers.

    Attributes:
        images: uint8 (n, height, width, channels), the fakes.
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
        extractor = self.reference.extractor
        if hasattr(extractor, "features_and_logits"):
            return extractor.features_and_logits(self.images)
        return extractor.features(self.images), None

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
        """Nothing where there is no generator, the extractor sees images only as they are stored, or the generator does
        not compute in float32, in which a step of 1e-4 can be told from rounding."""
        sees_floats = hasattr(self.reference.extractor, "float_features")
        if self.model is None or not sees_floats or _precision(self.model) != "float32":
            return {}
        length = perceptual_path_length(
            self._draw_floats,
            self.reference.extractor.float_features,
            self.model.latent_dim,
            num_samples=PATHS,
            seed=self.seed,
        )
        return {"perceptual_path_length": length}

    def _draw_floats(self, latents: np.ndarray) -> np.ndarray:
        assert self.model is not None
        if self.averaged:
            return self.model.predict_on_batch(latents)
        with backend.no_gradient():
            return keras.ops.convert_to_numpy(self.model.generator(latents, training=False))


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is measured, on how much, through which network.

    Attributes:
        name: Of the protocol.
        metrics: Names in `METRICS`, or functions of one's own (see `Score`); each gives one number or several.
        num_images: Fakes, and reals to compare them with.
        num_seeds: Samples of fakes. The spread over them comes from the latents alone, not from the training.
        extractor: Name of an extractor; by default the data set's own.
        split: Of the data set, "test" or "train": where the reals come from.

    Raises:
        ValueError: A metric or a split that there is not, or a count that is no whole number of at least 1.
    """

    name: str
    metrics: tuple[Metric, ...]
    num_images: int = 10_000
    num_seeds: int = 5
    extractor: str | None = None
    split: str = "test"

    def __post_init__(self) -> None:
        _check_metrics(self.metrics)
        checked_count(self.num_images, "num_images"), checked_count(self.num_seeds, "num_seeds")
        if self.split not in ("test", "train"):
            raise ValueError(f'Reals are of the split "test" or "train". Received: split={self.split!r}')

    def id(self, dataset: str, reference: Reference, weights: str) -> str:
        """All that moves a number, in one line."""
        name = Path(dataset).name if Path(dataset).exists() else dataset
        split = "all" if reference.same_as_train else self.split
        pixels = "uint8"
        if (path := data.sources.as_path(dataset)) is not None and path.is_dir():
            pixels += "-lanczos" + "x".join(map(str, reference.images.shape[1:]))
        return (
            f"{self.name}-v{VERSION}/{name}-{split}{self.num_images}-{reference.content}/{reference.extractor.id}/"
            f"{pixels}/k{K}/{weights}/fakes{self.num_images}x{self.num_seeds}"
        )


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
}


def _check_metrics(metrics: Sequence[Metric]) -> None:
    right = not isinstance(metrics, str) and all(callable(metric) or metric in METRICS for metric in metrics)
    if not right or not metrics:
        raise ValueError(
            f"Metrics are a sequence of some of {', '.join(METRICS)}, or functions of a `Score`. Received: {metrics!r}"
        )


_MAIN = ("frechet", "kernel", "neighbours", "classifier")
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("standard", _MAIN),
        Protocol("extended", (*_MAIN, "copies", "diversity", "patches", "path")),
        Protocol("inception", ("frechet", "kernel", "classifier"), extractor="inception"),
        # What many papers report (Karras et al. 2019, arXiv:1812.04948, table 1).
        Protocol("literature", ("frechet", "classifier"), 50_000, extractor="inception", split="train"),
    )
}


def score(images: np.ndarray, reference: Reference, metrics: Sequence[Metric] = _MAIN[:3]) -> dict[str, float]:
    """Scores images against a reference.

    Args:
        images: uint8 (n, height, width, channels); as many as the reference has.
        reference: What to compare with.
        metrics: As in `Protocol`.

    Returns:
        By default frechet_distance, kernel_distance (lower is better), precision, recall, density, coverage (higher is
        better).

    Raises:
        ValueError: There are not as many images as in the reference, or not more than the features have dimensions (no
            covariance), or they are of another dtype or shape than the extractor sees.
    """
    return _scored(Score(checked_images(images), reference), metrics)


def scorer(
    reference: Reference, metrics: Sequence[Metric] = ("frechet",), seed: int = 0
) -> Callable[[GAN], dict[str, float]]:
    """A function that scores a model against a reference: what `ganzoo.callbacks.MetricMonitor` measures with.

    Args:
        reference: As many images are drawn as it has. The images that choose the best weights should not be those on
            which they are reported.
        metrics: As in `Protocol`.
        seed: Of the latents, the same at each call.

    Returns:
        The function; of a generator that draws NaN, all numbers are NaN.

    Example:
        >>> measure = scorer(Reference(ganzoo.metrics.extractor("mnist"), images[:2000]))
        >>> measure(model)
        {'frechet_distance': ...}
    """

    _check_metrics(metrics)

    def measure(model: GAN) -> dict[str, float]:
        try:
            images = _drawn(model, len(reference.images), True, seed)
        except DivergedError:
            return {name: float("nan") for metric in metrics if not callable(metric) for name in METRICS[metric]}
        return _scored(Score(images, reference, model, seed), metrics)

    return measure


class DivergedError(ValueError):
    """The generator draws NaN."""


def evaluate(
    source: str | Path | np.ndarray | GAN,
    dataset: str | None = None,
    *,
    protocol: str | Protocol = "standard",
    num_images: int | None = None,
    num_seeds: int | None = None,
    weights: str = "ema",
    extractor: Any = None,
    data_dir: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Measures a preset, a model or images in a file under a protocol.

    Args:
        source: A preset's name; a model; or images, uint8 (n, height, width, channels), as an array or under the key
            `images` of a `.npz` file, of which the first `num_images` are one sample.
        dataset: The data set to compare with. Default: the one that the preset learned.
        protocol: One of `PROTOCOLS`, by name, or your own.
        num_images: Instead of the protocol's.
        num_seeds: Instead of the protocol's; seeds are 0, 1, ...
        weights: "ema", the averaged generator, or "raw", the one in training, which a preset does not hold.
        extractor: Instead of the protocol's: an extractor, or the name of one.
        data_dir: Folder with the data set's original files, where it cannot be downloaded.

    Returns:
        For each metric {"name", "value": mean over the seeds, "std": over the seeds (None for one sample), "values",
        "protocol"}: what a preset's card holds under `metrics`. A metric that takes what is not there is left out: a
        path length without a generator in float32, copies where the training images are not told from the others.

    Raises:
        ValueError: No such preset, protocol or file, no extractor for the data set, or the images do not fit it; seeds
            or weights of mere images; or nothing could be measured.

    Example:
        >>> for metric in ganzoo.metrics.evaluate("dcgan-mnist"):
        ...     print(metric["name"], metric["value"], metric["std"])

    Reference: Heusel et al. 2017, arXiv:1706.08500; Naeem et al. 2020, arXiv:2002.09797; and see each metric.
    """
    chosen = _chosen(protocol, num_images, num_seeds)
    if _are_images(source):
        if num_seeds not in (None, 1) or weights != "ema":
            raise ValueError(
                "Images are one sample, and of no weights: leave the number of seeds and the weights out. "
                f"Received: {num_seeds=}, {weights=}"
            )
        chosen, weights = dataclasses.replace(chosen, num_seeds=1), "file"
    if dataset is None:
        if not isinstance(source, str) or _are_images(source):
            raise ValueError("Say which data set the images are to be compared with. Received: dataset=None")
        dataset = presets.read_recipe(source).dataset.name
    samples = _samples(source, chosen, weights)
    if isinstance(extractor, str) or extractor is None:
        extractor = extractor_named(extractor or chosen.extractor or dataset)
    reference, scores = None, []
    for seed, (images, model) in enumerate(progress(samples, chosen.num_seeds, "Samples")):
        if reference is None:
            read = functools.partial(_real, dataset, data_dir=data_dir, image_shape=images.shape[1:])
            real = some_of(read(chosen.split), chosen.num_images)
            reference = Reference(extractor, real, functools.partial(read, "train"))
            reference.same_as_train = _is_path(dataset) and not data.sources.has_split(Path(dataset), "test")
        scores.append(_scored(Score(images, reference, model, seed, weights != "raw"), chosen.metrics))
    if not scores[0]:
        raise ValueError(f"None of these metrics can be measured of this source. Received: {chosen.metrics}")
    if model is not None and (precision := _precision(model)) != "float32":
        weights = f"{weights}-{precision}"
    assert reference is not None  # there is at least one seed
    identity = chosen.id(dataset, reference, weights)
    return [_entry(name, [each[name] for each in scores], identity) for name in scores[0]]


def _chosen(protocol: str | Protocol, num_images: int | None, num_seeds: int | None) -> Protocol:
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            raise ValueError(f"There is no such protocol. There are: {list(PROTOCOLS)}. Received: {protocol=}")
        protocol = PROTOCOLS[protocol]
    num_images = protocol.num_images if num_images is None else num_images
    num_seeds = protocol.num_seeds if num_seeds is None else num_seeds
    return dataclasses.replace(protocol, num_images=num_images, num_seeds=num_seeds)


def _scored(sample: Score, metrics: Sequence[Metric]) -> dict[str, float]:
    _check_metrics(metrics)
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


def _entry(name: str, values: list[float], protocol: str) -> dict[str, Any]:
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"name": name, "value": float(np.mean(values)), "std": std, "values": values, "protocol": protocol}


def _are_images(source: Any) -> bool:
    is_file = isinstance(source, (str, Path)) and Path(source).suffix == ".npz"
    return is_file or isinstance(source, (np.ndarray, list))


def _samples(source: Any, protocol: Protocol, weights: str) -> Iterator[tuple[np.ndarray, GAN | None]]:
    """The images of each seed, and what drew them. What is wrong with the source is said before any work is done."""
    if _are_images(source):
        return iter([(_given_images(source, protocol.num_images), None)])
    if weights not in ("ema", "raw"):
        raise ValueError(f'The weights are "ema" or "raw". Received: {weights=}')
    if isinstance(source, (str, Path)) and weights == "raw":
        raise ValueError("A preset holds the averaged generator alone: give the model. Received: weights='raw'")
    model: Any = presets.load(str(source), dtype="float32") if isinstance(source, (str, Path)) else source
    draw = functools.partial(_drawn, model, protocol.num_images, weights == "ema")
    return ((draw(seed), model) for seed in range(protocol.num_seeds))


def _drawn(model: Any, num: int, averaged: bool, seed: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The images hold NaN", category=RuntimeWarning)
        try:
            return model.generate(num, seed=seed, averaged=averaged)
        except RuntimeWarning:
            raise DivergedError(
                "The generator has diverged: give a model from before that, a backup or an earlier checkpoint. "
                "Received: a model that draws NaN"
            ) from None


def _given_images(source: str | Path | np.ndarray, num_images: int) -> np.ndarray:
    images = checked_images(np.asarray(data.load_npz(source)) if isinstance(source, (str, Path)) else source)
    if len(images) < num_images:
        raise ValueError(f"There are fewer images than asked for. Received: {len(images)} images, {num_images=}")
    return images[:num_images]


def some_of(images: np.ndarray, num: int) -> np.ndarray:
    """`num` of the images, the same ones in whatever order they come: readers of one data set differ in it."""
    if not 1 <= num <= len(images):
        raise ValueError(f"There are {len(images)} real images to compare with. Received: {num} asked for")
    if num == len(images):
        return images
    return images[np.argsort([hashlib.sha256(image.tobytes()).digest() for image in images], kind="stable")[:num]]


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


def _precision(model: GAN) -> str:
    """The dtype that the generator computes in."""
    return getattr(getattr(model, "dtype_policy", None), "compute_dtype", "float32")


def _is_path(dataset: str) -> bool:
    return data.sources.as_path(dataset) is not None


def _real(dataset: str, split: str, data_dir: str | Path | None, image_shape: tuple[int, ...]) -> np.ndarray:
    path = data.sources.as_path(dataset)
    shape = image_shape if path is not None and path.is_dir() else None  # a folder's images have no size of their own
    return np.asarray(data.load(dataset, split, data_dir=data_dir, image_shape=shape))
