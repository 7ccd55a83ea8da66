"""Small frozen classifiers whose features the metrics compare.

A Frechet distance is a number about images *as seen by one network*. On MNIST-like data that network is a small
classifier trained on the real images, shipped with its hash, its accuracy and the distance between real and real.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo import layers, plot
from ganzoo.data.preprocessing import check_images, to_float
from ganzoo.data.progress import progress
from ganzoo.metrics.checks import checked_count, checked_features, checked_images
from ganzoo.networks.architecture import architecture, is_described
from ganzoo.zoo import recipes, weights

__all__ = ["CustomExtractor", "Extractor", "build_classifier", "extractor", "extractor_names"]

# (filters, kernel, stride) of each convolution. Kernel 4 with stride 2 on even sides pads one pixel on every side, so
# that "same" means one thing on every backend; there is no pooling and no resize, for the same reason.
DEFAULT_WIDTHS = (16, 32, 64, 64, 128)
_KERNELS_AND_STRIDES = ((3, 1), (4, 2), (3, 1), (4, 2), (3, 1))


def build_classifier(
    image_shape: tuple[int, int, int] = (28, 28, 1),
    num_classes: int = 10,
    widths: Sequence[int] = DEFAULT_WIDTHS,
    dtype: str = "float32",
) -> keras.Model:
    """Five convolutions, each with BatchNorm and ReLU, the mean over positions (the features), and a linear classifier.

    Every operation gives the same result on TensorFlow, JAX and PyTorch, and in float32 whatever the global policy.

    Args:
        image_shape: (height, width, channels), height and width divisible by 4.
        num_classes: number of logits.
        widths: filters of the five convolutions; the last is the dimension of the features.
        dtype: policy of the convolutions while they are trained; an extractor computes in float32.

    Returns:
        A model from float32 images in [0, 255], (n, height, width, channels), to the pair
        (features (n, widths[-1]), logits (n, num_classes)).

    Raises:
        ValueError: if a side is not divisible by 4, or `widths` does not have five entries.
    """
    if image_shape[0] % 4 or image_shape[1] % 4:
        raise ValueError(f"Height and width must be divisible by 4. Received: image_shape={image_shape}")
    if len(widths) != len(_KERNELS_AND_STRIDES):
        raise ValueError(f"There are {len(_KERNELS_AND_STRIDES)} convolutions to give a width. Received: {widths=}")
    exact = {"dtype": "float32"}
    inner = {"dtype": dtype}
    images = keras.Input(image_shape, name="images", dtype="float32")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale", **exact)(images)
    for i, (width, (kernel, stride)) in enumerate(zip(widths, _KERNELS_AND_STRIDES, strict=True), start=1):
        conv = {"padding": "same", "use_bias": False, "data_format": "channels_last"}
        x = layers.Conv2D(width, kernel, stride, name=f"conv{i}", **conv, **inner)(x)
        x = layers.BatchNormalization(axis=-1, name=f"norm{i}", **inner)(x)
        x = keras.layers.ReLU(name=f"relu{i}", **inner)(x)
    features = ops.mean(ops.cast(x, "float32"), axis=(1, 2))
    logits = keras.layers.Dense(num_classes, name="classifier", **exact)(features)
    return keras.Model(images, (features, logits), name="extractor")


@dataclasses.dataclass
class Extractor:
    """A frozen network whose features and logits the metrics use.

    Attributes:
        name: Name of the extractor, usually that of the data set it was trained on.
        network: From float32 images in [0, 255] to the pair (features, logits).
        sha256: Hash of the weights file, or of the network where there is none; its first 8 digits are part of `id`,
            and so of every number reported.
        card: What was measured of it: accuracy, the metrics of real images against real images, ...
        batch_size: Images at a time.

    Example:
        >>> import numpy as np, ganzoo.metrics
        >>> extractor = ganzoo.metrics.extractor("mnist")
        >>> extractor.features(np.zeros((2, 28, 28, 1), "uint8")).shape
        (2, 128)
    """

    name: str
    network: keras.Model = dataclasses.field(repr=False)
    sha256: str = ""
    card: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    batch_size: int = dataclasses.field(default=500, repr=False)

    def __post_init__(self) -> None:
        self.sha256 = self.sha256 or _digest(self.network)

    @property
    def id(self) -> str:
        """Name and hash: two numbers with the same id were seen through the same network."""
        return f"{self.name}-{self.sha256[:8]}"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images it sees."""
        return tuple(self.network.input_shape[1:])

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features of uint8 images (n, height, width, channels): float32 (n, d).

        Raises:
            ValueError: The images are of another dtype or shape, or none.
        """
        return self.features_and_logits(images)[0]

    def float_features(self, images: np.ndarray) -> np.ndarray:
        """Features of float images in [-1, 1], not rounded to what can be stored: for `perceptual_path_length`.

        Raises:
            ValueError: The images are of another shape or out of range.
        """
        if np.asarray(images).dtype.kind != "f":
            raise ValueError(f"Floats in [-1, 1]; `features` takes uint8. Received: images.dtype={images.dtype}")
        check_images(np.asarray(images), self.image_shape, allow_nonnegative=True, name="images")
        return self._outputs((np.asarray(images, "float32") + 1) * 127.5)[0]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Class logits of uint8 images (n, height, width, channels): float32 (n, num_classes).

        Raises:
            ValueError: The images are of another dtype or shape, or none.
        """
        return self.features_and_logits(images)[1]

    def features_and_logits(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Both, in one pass."""
        return self._outputs(self._checked(images))

    def _outputs(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = []
        size = min(self.batch_size, len(images))
        for start in progress(range(0, len(images), size), -(-len(images) // size), f"Features of {self.name}"):
            batch = images[start : start + size]
            # The last batch is filled up, so that there is one shape to compile for.
            filled = np.zeros((size, *self.image_shape), "float32")
            filled[: len(batch)] = batch
            parts.append([np.asarray(output)[: len(batch)] for output in self.network.predict_on_batch(filled)])
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    def _checked(self, images: np.ndarray) -> np.ndarray:
        images = checked_images(images)
        if images.shape[1:] != self.image_shape:
            wanted = ", ".join(map(str, self.image_shape))
            raise ValueError(f"The extractor {self.name!r} sees images (n, {wanted}). Received: shape={images.shape}")
        return images

    # What `ganzoo.zoo.weights` asks of a model whose networks it saves and loads.
    @property
    def networks(self) -> dict[str, keras.Model]:
        return {"extractor": self.network}

    @property
    def moving_averages(self) -> dict[str, keras.Model]:
        return {}


class CustomExtractor:
    """Any network or function as an extractor: its features are what the metrics compare.

    Args:
        network: A `keras.Model` from float32 images in [-1, 1] to features (n, d), or a function from uint8 images to
            features (n, d).
        name: Part of `id`, and so of every number. Of a model, a hash of it is added; of a function, say its
            version in the name.
        batch_size: Images at a time.

    Raises:
        ValueError: `network` is neither, or gives more than one array.

    What a function or a subclass of `keras.Model` computes has no hash: their features are not cached.

    Example:
        >>> extractor = CustomExtractor(lambda images: images.mean(axis=(1, 2)), "mean-colour-1")
        >>> metrics.evaluate("dcgan-mnist", extractor=extractor)
    """

    def __init__(self, network: keras.Model | Callable[[np.ndarray], np.ndarray], name: str, batch_size: int = 250):
        if not callable(network) or (isinstance(network, keras.Model) and len(network.outputs or [None]) != 1):
            raise ValueError(f"An extractor is a function or a model of one output. Received: network={network!r}")
        self.network, self.name, self.batch_size = network, name, checked_count(batch_size, "batch_size")

    @property
    def sha256(self) -> str | None:
        """Of all that the network computes, as it is now; None where its own code decides."""
        return _digest(self.network) if isinstance(self.network, keras.Model) and is_described(self.network) else None

    @property
    def id(self) -> str:
        """The name, and of a model the begin of a hash of its layers and weights."""
        return f"{self.name}-{_digest(self.network)[:8]}" if isinstance(self.network, keras.Model) else self.name

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features of uint8 images (n, height, width, channels): (n, d)."""
        images, network = checked_images(images), self.network

        def see(batch: np.ndarray) -> np.ndarray:
            if isinstance(network, keras.Model):
                return network.predict_on_batch(to_float(batch))
            return network(batch)

        starts = range(0, len(images), self.batch_size)
        batches = (images[start : start + self.batch_size] for start in progress(starts, len(starts), self.name))
        parts = [see(batch) for batch in batches]
        shapes = {tuple(np.shape(part)[1:]) for part in parts}
        if len(shapes) > 1 or len(*shapes) != 1 or sum(map(len, parts)) != len(images):
            raise ValueError(
                f"An extractor gives features (n, d) for n images. Received: {self.name!r} gives "
                f"{[tuple(np.shape(part)) for part in parts[:3]]} for batches of {self.batch_size}"
            )
        return np.concatenate([checked_features(part, self.name) for part in parts])


def _digest(network: keras.Model) -> str:
    """A hash of what a network computes: its architecture, without the names, and its weights."""
    digest = hashlib.sha256()
    digest.update(json.dumps(architecture(network)).encode())
    for weight in network.get_weights():
        digest.update(str(weight.shape).encode() + np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def extractor_names() -> list[str]:
    """Names that `extractor` knows."""
    return sorted(path.name.removesuffix(".card.json") for path in _folder().glob("*.card.json"))


def extractor(name: str) -> Any:
    """The frozen extractor of that name, its weights verified against their sha256.

    Args:
        name: One of `extractor_names()`, which are bundled and called like the data set whose classes they know; or
            "inception", whose weights are fetched: see `ganzoo.metrics.inception`.

    Returns:
        The `Extractor`, or the `Inception`.

    Raises:
        ValueError: There is none of that name, or its weights file is not the one that its card describes.

    Example:
        >>> ganzoo.metrics.extractor("mnist").card["test_accuracy"] > 0.994
        True
    """
    if name == "inception":
        from ganzoo.metrics.inception import Inception

        return Inception()
    if name not in extractor_names():
        raise ValueError(
            f"There is no such extractor, and data of your own have none: name one of "
            f"{[*extractor_names(), 'inception']} (--extractor on the command line), or a protocol that needs none: "
            f"'paired' of models that translate images, --protocol losses on the command line. Received: name={name!r}"
        )
    card = json.loads((_folder() / f"{name}.card.json").read_text(encoding="utf-8"))
    path = _folder() / f"{name}.safetensors"
    sha256 = weights.sha256(path)
    if sha256 != card["sha256"]:
        raise ValueError(
            f"The weights of the extractor {name!r} are not those on its card ({card['sha256'][:8]}...): "
            f"restore {path.name} and {name}.card.json together. Received: sha256={sha256}"
        )
    network = build_classifier(tuple(card["image_shape"]), card["num_classes"], card["widths"])
    found = Extractor(name, network, sha256, card)
    weights.load_weights(found, path)
    return found


def freeze(network: keras.Model, name: str) -> Extractor:
    """Writes a trained classifier's weights, the kernels in float16, and reads them back as they will be used.

    Args:
        network: From `build_classifier`; its kernels are rounded.
        name: Name of the extractor to be.

    Returns:
        The extractor, to be measured; `write_card` makes it known.
    """
    path = _folder() / f"{name}.safetensors"
    frozen = Extractor(name, network)
    weights.save_weights(frozen, path)
    weights.load_weights(frozen, path)
    frozen.sha256 = weights.sha256(path)
    frozen.card = {
        "name": name,
        "sha256": frozen.sha256,
        "bytes": path.stat().st_size,
        "image_shape": list(frozen.image_shape),
        "num_classes": network.output_shape[1][-1],
        "widths": [layer.filters for layer in network.layers if isinstance(layer, layers.Conv2D)],
    }
    return frozen


def write_card(frozen: Extractor, **measured: Any) -> None:
    """Writes the extractor's card, with what was measured of it, beside its weights."""
    frozen.card |= measured
    path = _folder() / f"{frozen.name}.card.json"
    text = json.dumps(frozen.card, indent=2) + "\n"
    plot.write_beside(path, lambda file: file.write(text.encode()))


def golden_images(image_shape: tuple[int, int, int]) -> np.ndarray:
    """Two fixed images, from arithmetic alone: their features, on the card, tell whether a backend computes right."""
    pixels = np.arange(2 * int(np.prod(image_shape)), dtype="int64")
    return (pixels * pixels // 7 % 256).astype("uint8").reshape(2, *image_shape)


def _folder() -> Path:
    return recipes.config_dir() / "extractors"
