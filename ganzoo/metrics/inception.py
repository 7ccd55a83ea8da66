"""The InceptionV3 of the FID: the graph that TensorFlow published in December 2015, not that of today's libraries.

Its weights are not bundled: they are fetched when first used (95.6 MB), verified, and read by PyTorch.

**Not yet run on the published weights.** The architecture is tested layer by layer, on random weights, against the
implementation in torch-fidelity.

Three things tell this graph from the InceptionV3 of `keras.applications`: averages at a border count only what lies
inside, the last block takes a maximum where its paper has an average, and images are enlarged as TensorFlow 1 did.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from ganzoo.data.progress import progress
from ganzoo.engine import backend
from ganzoo.metrics.checks import checked_images
from ganzoo.zoo import download

__all__ = ["Inception", "build_inception"]

SIZE = 299
WEIGHTS = download.WeightsFile(
    "inception",
    "pt_inception-2015-12-05-6726825d.pth",
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    bytes=95_628_359,
)
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS.file}"


def build_inception() -> keras.Model:
    """InceptionV3 as in the graph `inception-2015-12-05`, from float32 (n, 299, 299, 3) in [0, 255].

    Returns:
        A model to (features (n, 2048), logits (n, 1008)), untrained. The features are those called "pool3"; the logits
        come without the classifier's bias, as the Inception Score takes them. The layers have the names of
        their weights in pytorch-fid and torch-fidelity, with "--" for ".".

    Reference: Szegedy et al. 2016, arXiv:1512.00567; Heusel et al. 2017, arXiv:1706.08500, which defines the FID by it.
    """
    images = keras.Input((SIZE, SIZE, 3), name="images")
    x = layers.Rescaling(1 / 128, offset=-1.0, dtype="float32", name="rescale")(images)
    x = _conv(x, 32, 3, 2, "valid", name="Conv2d_1a_3x3")
    x = _conv(x, 32, 3, padding="valid", name="Conv2d_2a_3x3")
    x = _conv(x, 64, 3, name="Conv2d_2b_3x3")
    x = _max_pool(x, 2, "MaxPool_1")
    x = _conv(x, 80, 1, padding="valid", name="Conv2d_3b_1x1")
    x = _conv(x, 192, 3, padding="valid", name="Conv2d_4a_3x3")
    x = _max_pool(x, 2, "MaxPool_2")
    for name, filters in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = _block_a(x, filters, name)
    x = _block_b(x, "Mixed_6a")
    for name, filters in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        x = _block_c(x, filters, name)
    x = _block_d(x, "Mixed_7a")
    x = _block_e(x, _average_pool, "Mixed_7b")
    x = _block_e(x, lambda x, name: _max_pool(ops.pad(x, _RING), 1, name), "Mixed_7c")  # after a ReLU, 0 is no maximum
    features = ops.mean(x, axis=(1, 2))
    logits = layers.Dense(1008, use_bias=False, dtype="float32", name="fc")(features)
    return keras.Model(images, (features, logits), name="inception")


class Inception:
    """The extractor of the FID, the KID and the Inception Score of the literature. See the module.

    Args:
        source: Where its weights come from: a file, a folder or an address, as for `ganzoo.load`. By default the
            release of pytorch-fid.

    Attributes:
        id: "inception-" and the begin of the hash of the weights.
        sha256: That hash.
        network: From float32 (n, 299, 299, 3) in [0, 255] to (features, logits). Its weights are fetched when it is
            first used.

    Raises:
        WeightsError: When first used: the weights cannot be had; the message says how.
        ImportError: PyTorch, which reads them, is not installed.

    Example:
        >>> metrics.evaluate("my-cifar10-preset", "cifar10", extractor="inception")
    """

    name, channels = "inception", 3

    def __init__(self, source: str | Path | None = None, batch_size: int = 50):
        self.source, self.batch_size, self.sha256 = source, batch_size, WEIGHTS.sha256
        self.id = f"inception-{self.sha256[:8]}"

    @functools.cached_property
    def network(self) -> keras.Model:
        network = build_inception()
        load_state(network, backend.read_torch_file(download.locate(WEIGHTS, self.source or URL)))
        return network

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features of uint8 images (n, height, width, 3) of any size: float32 (n, 2048)."""
        return self.features_and_logits(images)[0]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of uint8 images (n, height, width, 3) of any size: float32 (n, 1008), without bias."""
        return self.features_and_logits(images)[1]

    def features_and_logits(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Both, in one pass."""
        images = checked_images(images)
        if images.shape[-1] != self.channels:
            raise ValueError(
                "Inception was trained on RGB photographs: of grey images use a classifier of their own kind "
                f"(ganzoo.metrics.extractor_names()). Received: images.shape={images.shape}"
            )
        parts = []
        starts = range(0, len(images), self.batch_size)
        for start in progress(starts, len(starts), "Features of inception"):
            batch = resize_like_tensorflow_1(images[start : start + self.batch_size], SIZE)
            parts.append([np.asarray(output) for output in self.network.predict_on_batch(batch)])
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))


def resize_like_tensorflow_1(images: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, pixel i of the result taken at i * old / new, not at pixels' centres and without antialiasing.

    Args:
        images: (n, height, width, channels).
        size: The new height and width.

    Returns:
        float32 (n, size, size, channels), not rounded.
    """
    x = np.asarray(images, "float32")
    for axis in (1, 2):
        old = x.shape[axis]
        place = np.arange(size, dtype="float32") * np.float32(old / size)
        low = np.minimum(place.astype("int64"), old - 1)
        shape = [1] * 4
        shape[axis] = size
        part = (place - low).reshape(shape)
        lower, upper = x.take(low, axis), x.take(np.minimum(low + 1, old - 1), axis)
        x = lower + (upper - lower) * part
    return x


def load_state(network: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Loads what pytorch-fid and torch-fidelity name `Mixed_5b.branch1x1.conv.weight` and so on.

    Raises:
        ValueError: an array is missing or has another shape.
    """
    missing = [name for name in _STEM if name not in state]
    if missing:
        raise ValueError(f"These are no weights of Inception: {missing[0]} is missing. Received: {len(state)} arrays")
    for layer in network.layers:
        key = layer.name.replace("--", ".")
        if isinstance(layer, layers.Conv2D):
            values = [state[f"{key}.weight"].transpose(2, 3, 1, 0)]
        elif isinstance(layer, layers.BatchNormalization):
            values = [state[f"{key}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")]
        elif isinstance(layer, layers.Dense):
            values = [state[f"{key}.weight"].T]
        else:
            continue
        layer.set_weights(values)


# --- Blocks. `branch` is a chain of convolutions: (name, filters, kernel) each.

_RING = [(0, 0), (1, 1), (1, 1), (0, 0)]  # one pixel around


def _conv(x, filters, kernel, stride=1, padding="same", *, name):
    options = {"data_format": "channels_last", "dtype": "float32"}
    x = layers.Conv2D(filters, kernel, stride, padding, use_bias=False, name=f"{name}--conv", **options)(x)
    x = layers.BatchNormalization(axis=-1, epsilon=1e-3, dtype="float32", name=f"{name}--bn")(x)
    return ops.relu(x)


def _branch(x, block, *convolutions):
    for name, filters, kernel in convolutions:
        x = _conv(x, filters, kernel, name=f"{block}--{name}")
    return x


def _join(block, branches):
    return layers.Concatenate(axis=-1, dtype="float32", name=block)(branches)


def _max_pool(x, stride, name):
    return layers.MaxPooling2D(3, stride, "valid", data_format="channels_last", dtype="float32", name=name)(x)


def _average_pool(x, name):
    """The mean of the 3 x 3 pixels around each, of those that lie inside."""
    height, width = x.shape[1:3]
    inside = np.pad(np.ones((1, height, width, 1), "float32"), _RING)
    windows = [(slice(None), slice(i, i + height), slice(j, j + width)) for i in range(3) for j in range(3)]
    padded = ops.pad(x, _RING)
    return sum(padded[window] for window in windows) / sum(inside[window] for window in windows)


def _block_a(x, pool_filters, name):
    return _join(
        name,
        [
            _branch(x, name, ("branch1x1", 64, 1)),
            _branch(x, name, ("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
            _branch(x, name, ("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
            _branch(_average_pool(x, name), name, ("branch_pool", pool_filters, 1)),
        ],
    )


def _block_b(x, name):
    double = _branch(x, name, ("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3))
    return _join(
        name,
        [
            _conv(x, 384, 3, 2, "valid", name=f"{name}--branch3x3"),
            _conv(double, 96, 3, 2, "valid", name=f"{name}--branch3x3dbl_3"),
            _max_pool(x, 2, f"{name}--pool"),
        ],
    )


def _block_c(x, inner, name):
    wide, tall = (1, 7), (7, 1)
    double = [("1", inner, 1), ("2", inner, tall), ("3", inner, wide), ("4", inner, tall), ("5", 192, wide)]
    return _join(
        name,
        [
            _branch(x, name, ("branch1x1", 192, 1)),
            _branch(x, name, ("branch7x7_1", inner, 1), ("branch7x7_2", inner, wide), ("branch7x7_3", 192, tall)),
            _branch(x, name, *((f"branch7x7dbl_{i}", filters, kernel) for i, filters, kernel in double)),
            _branch(_average_pool(x, name), name, ("branch_pool", 192, 1)),
        ],
    )


def _block_d(x, name):
    three = _branch(x, name, ("branch3x3_1", 192, 1))
    seven = _branch(x, name, ("branch7x7x3_1", 192, 1), ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1)))
    return _join(
        name,
        [
            _conv(three, 320, 3, 2, "valid", name=f"{name}--branch3x3_2"),
            _conv(seven, 192, 3, 2, "valid", name=f"{name}--branch7x7x3_4"),
            _max_pool(x, 2, f"{name}--pool"),
        ],
    )


def _block_e(x, pool, name):
    three = _branch(x, name, ("branch3x3_1", 384, 1))
    double = _branch(x, name, ("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3))
    return _join(
        name,
        [
            _branch(x, name, ("branch1x1", 320, 1)),
            *(_conv(three, 384, kernel, name=f"{name}--branch3x3_2{i}") for i, kernel in _CROSS),
            *(_conv(double, 384, kernel, name=f"{name}--branch3x3dbl_3{i}") for i, kernel in _CROSS),
            _branch(pool(x, f"{name}--pool"), name, ("branch_pool", 192, 1)),
        ],
    )


_STEM = ("Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch_pool.bn.running_var", "fc.weight")
_CROSS = (("a", (1, 3)), ("b", (3, 1)))
