"""The protocol under which the zoo's presets are measured: everything that moves a number, said once.

- Fakes: `num_images` of `generate(num_images, seed=seed)`, from the averaged generator; uint8, rounded, never resized.
- Features: of the bundled classifier of the data set (`ganzoo.metrics.extractor`), named with its hash.
- Frechet distance: to the moments of the whole train split.
- Precision, recall, density, coverage (k = 5), kernel distance: to `num_images` of the test split, as many as there are
  fakes: these numbers depend on the counts, and the test images are new to the generator and the extractor.

The id of a protocol holds all of it; numbers compare when their ids are equal but for the seeds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo import data, presets
from ganzoo.metrics.extractors import Extractor, extractor
from ganzoo.metrics.frechet import GaussianMoments
from ganzoo.metrics.kernel import kernel_distance
from ganzoo.metrics.neighbours import prdc

__all__ = ["Reference", "evaluate", "score"]


class Reference:
    """Real images as an extractor sees them: what generated ones are scored against.

    Args:
        extractor: An `Extractor`, or anything with `id`, `image_shape` and `features(images)`.
        train: uint8 (n, height, width, channels); their moments are kept, and cached by their content.
        test: uint8 (m, height, width, channels); their features are kept.

    Example:
        >>> reference = Reference(ganzoo.metrics.extractor("mnist"), train_images, test_images)
        >>> score(model.generate(10_000, seed=0), reference)
    """

    def __init__(self, extractor: Extractor, train: np.ndarray, test: np.ndarray):
        self.extractor = extractor
        self.moments = _cached_moments(extractor, train)
        self.features = extractor.features(test)

    @classmethod
    def of(cls, dataset: str, num_images: int = 10_000, data_dir: str | Path | None = None) -> Reference:
        """The reference of a data set by name: its whole train split, and `num_images` of its test split."""
        test = some_of(_real(dataset, "test", data_dir), num_images)
        return cls(extractor(dataset), _real(dataset, "train", data_dir), test)

    @property
    def id(self) -> str:
        """The part of a protocol's id that the reference decides."""
        size = "x".join(map(str, self.extractor.image_shape))
        return f"{self.extractor.id}/uint8-{size}/train{self.moments.count}/test{len(self.features)}"


def score(images: np.ndarray, reference: Reference, k: int = 5) -> dict[str, float]:
    """Scores images against a reference.

    Args:
        images: uint8 (n, height, width, channels); as many as the reference has test features.
        reference: What to compare with.
        k: Which neighbour, for the metrics of `prdc`.

    Returns:
        frechet_distance, kernel_distance (lower is better), precision, recall, density, coverage (higher is better).

    Raises:
        ValueError: There are not as many images as test images in the reference, or not more than the features have
            dimensions (no covariance), or they are of another dtype or shape than the extractor sees.
    """
    features = reference.extractor.features(images)
    num, dimension = features.shape
    if num != len(reference.features):
        raise ValueError(
            "Precision, recall, density and coverage depend on the counts: score as many images as the reference has, "
            f"{len(reference.features)}. Received: {num} images"
        )
    if num <= dimension:
        raise ValueError(f"The covariance of {dimension} features takes more samples. Received: {num} images")
    return {
        "frechet_distance": GaussianMoments().update(features).distance(reference.moments),
        **prdc(reference.features, features, k),
        "kernel_distance": kernel_distance(reference.features, features),
    }


def evaluate(
    source: str | Path,
    dataset: str | None = None,
    *,
    num_images: int = 10_000,
    seeds: Sequence[int] = (0,),
    k: int = 5,
    data_dir: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Measures a preset, or images in a file, under the zoo's protocol.

    Args:
        source: A preset's name, or a `.npz` file with uint8 (n, height, width, channels) under the key `images`.
        dataset: The data set to compare with. Default: the one that the preset learned.
        num_images: How many are generated (or taken from the start of the file) and compared with as many test images.
        seeds: One sample for each; the spread over them comes from the latents alone, not from the training.
        k: Which neighbour, for the metrics of `prdc`.
        data_dir: Folder with the data set's original files, where it cannot be downloaded.

    Returns:
        For each metric {"name", "value": mean over the seeds, "std": over the seeds (None for one sample), "values",
        "protocol"}: what a preset's card holds under `metrics`.

    Raises:
        ValueError: No such preset or file, no extractor for the data set, or the images do not fit it.

    Example:
        >>> for metric in ganzoo.metrics.evaluate("dcgan-mnist", seeds=range(5)):
        ...     print(metric["name"], metric["value"])

    Reference: Heusel et al. 2017, arXiv:1706.08500; Naeem et al. 2020, arXiv:2002.09797.
    """
    if dataset is None and _is_file(source):
        raise ValueError(f"Say which data set the images are to be compared with. Received: dataset=None, {source=}")
    if not len(seeds):
        raise ValueError(f"Give at least one seed. Received: {seeds=}")
    dataset = dataset or presets.read_recipe(str(source)).dataset.name
    samples, weights = _samples(source, num_images, seeds)
    reference = Reference.of(dataset, num_images, data_dir)
    scores = [score(images, reference, k) for images in samples]
    protocol = f"{dataset}/{reference.id}/k{k}/{weights}"
    return [_entry(name, [each[name] for each in scores], protocol) for name in scores[0]]


def _entry(name: str, values: list[float], protocol: str) -> dict[str, Any]:
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"name": name, "value": float(np.mean(values)), "std": std, "values": values, "protocol": protocol}


def _is_file(source: str | Path) -> bool:
    return Path(source).suffix == ".npz"


def _samples(source: str | Path, num_images: int, seeds: Sequence[int]) -> tuple[Any, str]:
    """The images of each sample, and where they come from, for the protocol's id."""
    if _is_file(source):
        return [_images_of_file(Path(source), num_images)], "file"
    model = presets.load(str(source))
    return (model.generate(num_images, seed=seed) for seed in seeds), f"ema/seeds{','.join(map(str, seeds))}"


def _images_of_file(path: Path, num_images: int) -> np.ndarray:
    images = np.asarray(data.load_npz(path))
    if len(images) < num_images:
        raise ValueError(f"{path} holds fewer images than asked for. Received: {len(images)} images, {num_images=}")
    return images[:num_images]


def some_of(images: np.ndarray, num: int) -> np.ndarray:
    """`num` of the images, the same ones in whatever order they come: readers of one data set differ in it."""
    if not 1 <= num <= len(images):
        raise ValueError(f"There are {len(images)} real images to compare with. Received: {num} asked for")
    if num == len(images):
        return images
    return images[np.argsort([hashlib.sha256(image.tobytes()).digest() for image in images], kind="stable")[:num]]


def _cached_moments(extractor: Extractor, images: np.ndarray) -> GaussianMoments:
    """Moments of the features of real images: computed once for each extractor and content."""
    content = hashlib.sha256(np.asarray(images).tobytes()).hexdigest()
    path = _cache_dir() / f"{extractor.id}-{content[:16]}.npz"
    if path.is_file():
        with np.load(path) as moments:
            return GaussianMoments(int(moments["count"]), moments["mean"], moments["scatter"])
    moments = GaussianMoments().update(extractor.features(images))
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{os.getpid()}-{path.name}")
        np.savez(beside, **dataclasses.asdict(moments))
        os.replace(beside, path)
    return moments


def _cache_dir() -> Path:
    home = os.environ.get("GANZOO_HOME")
    if not home:
        import platformdirs

        home = platformdirs.user_cache_dir("ganzoo", appauthor=False)
    return Path(home).expanduser() / "references"


def _real(dataset: str, split: str, data_dir: str | Path | None) -> np.ndarray:
    return np.asarray(data.load(dataset, split, data_dir=data_dir))
