"""Protocols: everything that moves a number, said once, so that two numbers with one protocol compare.

Common to all of them:

- Fakes: `num_images` of `generate(num_images, seed=seed)` for each of the seeds; uint8, rounded. Neither they nor the
  images of a data set are resized (what an extractor does to them is the extractor's); those of a folder, which may be
  of any size, are, and those of a preset whose recipe says so, and the id says it.
- Conditions: a model that is told a class, an image, a sentence is told those of the reals, one fake for each real. The
  id then ends in their names and the begin of a hash of them.
- Features and logits: of the bundled classifier of the data set (`ganzoo.metrics.extractor`), unless the protocol names
  another extractor. Its hash is part of the protocol's id. Metrics of pixels alone take none.
- Reals: `num_images` of the test split, as many as there are fakes, which neither the generator nor the extractor has
  been trained on; of the training split where the protocol follows a convention of the literature. Authenticity always
  looks at the training split: it asks whether a fake is a copy.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganzoo import data
from ganzoo.data.progress import progress
from ganzoo.metrics.checks import checked_count, checked_images
from ganzoo.metrics.extractors import extractor as extractor_named
from ganzoo.metrics.reals import read_reference, rows_of, some_of
from ganzoo.metrics.scores import (
    METRICS,
    PATHS,
    DivergedError,
    K,
    Metric,
    Reference,
    Score,
    check_metrics,
    drawn,
    precision,
    scored,
)
from ganzoo.zoo import opening, presets

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

__all__ = [
    "METRICS",
    "PATHS",
    "PROTOCOLS",
    "DivergedError",
    "Protocol",
    "Reference",
    "Score",
    "evaluate",
    "rows_of",
    "score",
    "scorer",
    "some_of",
]

VERSION = 1  # to be raised when a constant of `ganzoo.metrics.scores` or a metric's definition changes
OF_PIXELS = ("paired", "diversity", "patches")  # which take no features
PIXELS_ID = "psnr-ssim11x1.5-range255"  # in the place of an extractor: `paired` and its constants


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is measured, on how much, through which network.

    Attributes:
        name: Of the protocol.
        metrics: Names in `METRICS`, or functions of one's own (see `Score`); each gives one number or several.
        num_images: Fakes, and reals to compare them with. None: as many as there are reals.
        num_seeds: Samples of fakes. The spread over them comes from the latents alone, not from the training.
        extractor: Name of an extractor; by default the data set's own, or none where no metric takes features.
        split: Of the data set, "test" or "train": where the reals come from.

    Raises:
        ValueError: A metric or a split that there is not, or a count that is no whole number of at least 1.
    """

    name: str
    metrics: tuple[Metric, ...]
    num_images: int | None = 10_000
    num_seeds: int = 5
    extractor: str | None = None
    split: str = "test"

    def __post_init__(self) -> None:
        check_metrics(self.metrics)
        checked_count(1 if self.num_images is None else self.num_images, "num_images")
        checked_count(self.num_seeds, "num_seeds")
        if self.split not in ("test", "train"):
            raise ValueError(f'Reals are of the split "test" or "train". Received: split={self.split!r}')

    @property
    def takes_features(self) -> bool:
        """Whether it takes an extractor: any but `paired`, and what may stand beside it."""
        return "paired" not in self.metrics or any(metric not in OF_PIXELS for metric in self.metrics)

    def reals(self, dataset: Any, reference: Reference) -> str:
        """Which real images they are: the data set's name, the split, how many."""
        name, split = dataset, "all" if reference.same_as_train else self.split
        if not isinstance(dataset, (str, Path)):
            name = "arrays"
        elif Path(dataset).exists():
            name = Path(dataset).name
        return f"{name}-{split}{len(reference.images)}"

    def id(self, dataset: Any, reference: Reference, weights: str) -> str:
        """All that moves a number, in one line."""
        num, pixels = len(reference.images), "uint8"
        path = data.sources.as_path(dataset) if isinstance(dataset, (str, Path)) else None
        size = "x".join(map(str, reference.images.shape[1:]))
        if path is not None and path.is_dir():
            pixels += f"-lanczos{size}"
        elif reference.resized:
            pixels += f"-{size}"
        sees = PIXELS_ID if reference.extractor is None else reference.extractor.id
        conditions = "-".join(sorted(reference.inputs))
        return (
            f"{self.name}-v{VERSION}/{self.reals(dataset, reference)}-{reference.content}/{sees}/"
            f"{pixels}/k{K}/{weights}/fakes{num}x{self.num_seeds}"
        ) + (f"/of-{conditions}-{reference.inputs_content}" if conditions else "")


_MAIN = ("frechet", "kernel", "neighbours", "classifier")
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("standard", _MAIN),
        Protocol("extended", (*_MAIN, "copies", "diversity", "patches", "path", "labels")),
        Protocol("conditional", ("labels", "frechet", "neighbours")),
        Protocol("paired", ("paired",), num_images=None, num_seeds=1),
        Protocol("inception", ("frechet", "kernel", "classifier"), extractor="inception"),
        # What many papers report (Karras et al. 2019, arXiv:1812.04948, table 1).
        Protocol("literature", ("frechet", "classifier"), 50_000, extractor="inception", split="train"),
    )
}


def score(images: np.ndarray, reference: Reference, metrics: Sequence[Metric] = _MAIN[:3]) -> dict[str, float]:
    """Scores images against a reference.

    Args:
        images: uint8 (n, height, width, channels); as many as the reference has, and where it has conditions, drawn
            for them, in their order.
        reference: What to compare with.
        metrics: As in `Protocol`.

    Returns:
        By default frechet_distance, kernel_distance (lower is better), precision, recall, density, coverage (higher is
        better).

    Raises:
        ValueError: There are not as many images as in the reference, or not more than the features have dimensions (no
            covariance), or they are of another dtype or shape than the extractor sees.
    """
    return scored(Score(checked_images(images), reference), metrics)


def scorer(
    reference: Reference, metrics: Sequence[Metric] = ("frechet",), seed: int = 0
) -> Callable[[GAN], dict[str, float]]:
    """A function that scores a model against a reference: what `ganzoo.callbacks.MetricMonitor` measures with.

    Args:
        reference: As many images are drawn as it has, for its conditions. The images that choose the best weights
            should not be those on which they are reported.
        metrics: As in `Protocol`.
        seed: Of the latents, the same at each call.

    Returns:
        The function; of a generator that draws NaN, all numbers are NaN.

    Example:
        >>> measure = scorer(Reference(ganzoo.metrics.extractor("mnist"), images[:2000]))
        >>> measure(model)
        {'frechet_distance': ...}
    """

    check_metrics(metrics)

    def measure(model: GAN) -> dict[str, float]:
        try:
            images = drawn(model, reference, True, seed)
        except DivergedError:
            return {name: float("nan") for metric in metrics if not callable(metric) for name in METRICS[metric]}
        return scored(Score(images, reference, model, seed), metrics)

    return measure


def evaluate(
    source: str | Path | np.ndarray | GAN,
    dataset: Any = None,
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
        source: A preset's name, the path of a `.keras` file or of the folder of a training; a model; or images, uint8
            (n, height, width, channels), as an array or under the key `images` of a `.npz` file, of which the first
            `num_images` are one sample.
        dataset: The data set to compare with: its name; the path of an archive or a folder; or arrays, as `fit` takes
            them. Default: the one that the preset, or the training, learned.
        protocol: One of `PROTOCOLS`, by name, or your own.
        num_images: Instead of the protocol's.
        num_seeds: Instead of the protocol's; seeds are 0, 1, ...
        weights: "ema", the averaged generator, or "raw", the one in training, which a preset does not hold.
        extractor: Instead of the protocol's: an extractor, or the name of one.
        data_dir: Folder with the data set's original files, where it cannot be downloaded.

    A model with conditions draws for those of the real images, one fake for each: of the same classes, of the same
    sources. For a preset or a training, its recipe says which parts of the data set they are, or how they are made of
    the images.

    Returns:
        For each metric {"name", "value": mean over the seeds, "std": over the seeds (None for one sample), "values",
        "protocol"}: what a preset's card holds under `metrics`. A metric that takes what is not there is left out: a
        path length without a generator in float32, copies where the training images are not told from the others,
        classes without labels.

    Raises:
        ValueError: No such preset, protocol or file, no extractor for the data set, or the images do not fit it; seeds
            or weights of mere images; or nothing could be measured.

    Warns:
        UserWarning: The real images are not those that the preset's card was measured on, though they are called alike.

    Example:
        >>> for metric in ganzoo.metrics.evaluate("dcgan-mnist"):
        ...     print(metric["name"], metric["value"], metric["std"])

    Reference: Heusel et al. 2017, arXiv:1706.08500; Naeem et al. 2020, arXiv:2002.09797; and see each metric.
    """
    chosen = _chosen(protocol, num_images, num_seeds)
    is_sample = _are_images(source)
    if is_sample:
        _refuse_for_images(num_seeds, weights)
        chosen, weights = dataclasses.replace(chosen, num_seeds=1), "file"
    by_name = isinstance(source, (str, Path)) and not is_sample
    learned = opening.data_of(source) if by_name else None  # type: ignore[arg-type]
    if dataset is None:
        if learned is None or learned.name == "array":
            raise ValueError("Say which data set the images are to be compared with. Received: dataset=None")
        dataset = learned.name
    images = _given_images(source, chosen.num_images) if is_sample else None
    model = None if is_sample else _opened(source, weights)
    shape = images.shape[1:] if images is not None else getattr(model, "image_shape", None)
    see = _extractor(extractor, chosen, dataset)
    reference = read_reference(dataset, see, chosen.split, chosen.num_images, model, shape, learned, data_dir)
    scores = []
    for seed in progress(range(chosen.num_seeds), chosen.num_seeds, "Samples"):
        fakes = images if images is not None else drawn(model, reference, weights != "raw", seed)
        scores.append(scored(Score(fakes, reference, model, seed, weights != "raw"), chosen.metrics))
    if not scores[0]:
        raise ValueError(
            "None of these metrics can be measured here: `labels` takes a model of classes, `paired` one whose source "
            f"and target belong together. Take another protocol of {list(PROTOCOLS)}. Received: {chosen.metrics}"
        )
    if model is not None and (dtype := precision(model)) != "float32":
        weights = f"{weights}-{dtype}"
    if by_name and presets.is_preset(source):  # type: ignore[arg-type]
        _warn_of_other_data(source, chosen.reals(dataset, reference), reference.content)
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


def _refuse_for_images(num_seeds: int | None, weights: str) -> None:
    if num_seeds not in (None, 1) or weights != "ema":
        raise ValueError(
            "Images are one sample, and of no weights: leave the number of seeds and the weights out. "
            f"Received: {num_seeds=}, {weights=}"
        )


def _extractor(extractor: Any, protocol: Protocol, dataset: Any) -> Any:
    if extractor is not None and not isinstance(extractor, str):
        return extractor
    name = extractor or protocol.extractor
    if name is None and not protocol.takes_features:
        return None
    if name is None and not isinstance(dataset, (str, Path)):
        raise ValueError("Arrays have no extractor of their own: name one. Received: extractor=None")
    return extractor_named(name or str(dataset))


def _entry(name: str, values: list[float], protocol: str) -> dict[str, Any]:
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"name": name, "value": float(np.mean(values)), "std": std, "values": values, "protocol": protocol}


def _are_images(source: Any) -> bool:
    is_file = isinstance(source, (str, Path)) and Path(source).suffix == ".npz"
    return is_file or isinstance(source, (np.ndarray, list))


def _opened(source: Any, weights: str) -> Any:
    """The model of a preset, a file or a folder, or the model that is given."""
    if weights not in ("ema", "raw"):
        raise ValueError(f'The weights are "ema" or "raw". Received: {weights=}')
    if not isinstance(source, (str, Path)):
        return source
    if not presets.is_preset(source):
        return opening.open_model(source)
    if weights == "raw":
        raise ValueError("A preset holds the averaged generator alone: give the model. Received: weights='raw'")
    return opening.open_model(source, dtype="float32")


def _given_images(source: Any, num_images: int | None) -> np.ndarray:
    images = checked_images(np.asarray(data.load_npz(source)) if isinstance(source, (str, Path)) else source)
    if num_images is not None and len(images) < num_images:
        raise ValueError(f"There are fewer images than asked for. Received: {len(images)} images, {num_images=}")
    return images[:num_images]


def _warn_of_other_data(preset: Any, reals: str, content: str) -> None:
    """Says so where a preset's card was measured on as many reals of the same name, and they were others."""
    card = presets.read_card(preset)
    begin = f"/{reals}-"
    ids = [] if card is None else [metric["protocol"] for metric in card.metrics]
    known = {identity.partition(begin)[2][: len(content)] for identity in ids if begin in identity}
    if known and content not in known:
        warnings.warn(
            f"The real images at hand are not those of the card of {str(preset)!r}: these numbers do not compare with "
            "its own. Look whether data_dir, GANZOO_DATA or TFDS_DATA_DIR name another data set's files. "
            f"Received: {reals} of content {content}, on the card {', '.join(sorted(known))}",
            stacklevel=3,
        )
