"""The bundled networks of perceptual losses and distances: weights, verified, and their cards."""

from __future__ import annotations

import functools
import json
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ganzoo.networks.perceptual import feature_network, features_of
from ganzoo.zoo import weights
from ganzoo.zoo.registry import suggestion

__all__ = ["card", "features", "freeze", "golden_images", "names", "network"]

WITHOUT = "SRGAN(perceptual=None) and IDCGAN(perceptual_weight=0) do without"


def features(
    network: str | keras.Model = "cifar10", layers: Sequence[str] = ("relu2_2", "relu4_2"), channels: int = 3
) -> Callable[[Any], list[Any]]:
    """Features of images, as `ganzoo.losses.perceptual_loss` takes them.

    Args:
        network: the name of a bundled network, or one of your own, from float32 images in [-1, 1].
        layers: names of its layers; of bundled ones ``relu1_1``, ``relu1_2``, ..., ``relu4_2``, and ``conv...``, what
            is before these ReLU.
        channels: int, of the images: 3, or 1, which is repeated.

    Returns:
        A function from images, float32 (batch, height, width, channels) in [-1, 1], to a list of features: see
        `ganzoo.networks.perceptual.features_of`.

    Raises:
        ValueError: an unknown name or layer, other channels, or weights that are not those on the card.
        FileNotFoundError: the package holds the card and not the weights.

    Example:

    >>> see = ganzoo.zoo.perceptual.features("cifar10", ["relu2_2"])
    >>> loss = ganzoo.losses.perceptual_loss(see, target, drawn)
    """
    if channels not in (1, 3):
        raise ValueError(f"Features are those of images of 1 or 3 channels; {WITHOUT}. Received: {channels=}")
    return features_of(_loaded(network) if isinstance(network, str) else network, layers)


def names() -> list[str]:
    """Names of the bundled networks."""
    return sorted(path.name.removesuffix(".card.json") for path in _folder().glob("*.card.json"))


def card(name: str = "cifar10") -> dict[str, Any]:
    """What is known of a bundled network: its hash, what it was trained on and how well it learned that."""
    if name not in names():
        raise ValueError(
            f"There is no perceptual network of that name: scripts/train_perceptual.py makes one; {WITHOUT}."
            f"{suggestion(name, names())} Received: {name!r}"
        )
    return json.loads((_folder() / f"{name}.card.json").read_text(encoding="utf-8"))


def network(name: str = "cifar10", folder: Path | None = None) -> keras.Model:
    """A bundled network, frozen, its weights verified against their sha256: see `ganzoo.networks.perceptual`.

    Args:
        name: one of `names()`.
        folder: of other weights than the bundled ones, `<name>.safetensors` and `<name>.card.json`.

    Raises:
        ValueError: an unknown name, or weights that are not those on the card.
        FileNotFoundError: there is the card and not the weights.
    """
    folder = folder or _folder()
    about = card(name) if folder == _folder() else json.loads((folder / f"{name}.card.json").read_text("utf-8"))
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(
            f"No such file: {path}. Restore it, or make it with scripts/train_perceptual.py; {WITHOUT}."
        )
    if (found := weights.sha256(path)) != about["sha256"]:
        raise ValueError(
            f"The weights of the perceptual network {name!r} are not those on its card ({about['sha256'][:8]}...): "
            f"restore {path.name} and {name}.card.json together. Received: sha256={found}"
        )
    made = feature_network(about["widths"])
    weights.load_weights(_holder(made), path)
    made.trainable = False
    return made


@functools.cache
def _loaded(name: str) -> keras.Model:
    return network(name)


def freeze(made: keras.Model, folder: Path, name: str = "cifar10", **measured: Any) -> keras.Model:
    """Writes a trained network's weights, the kernels in half precision, and its card; returns it as it will be used.

    Args:
        made: of `feature_network`.
        folder: that of the bundled ones, or another.
        name: of the network to be.
        **measured: what else the card says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    weights.save_weights(_holder(made), path)
    about = {"name": name, "sha256": weights.sha256(path), "bytes": path.stat().st_size}
    about |= {"widths": [made.get_layer(f"conv{i}_1").filters for i in range(1, len(made.layers) // 5 + 1)], **measured}
    weights.load_weights(_holder(made), path)
    last = made.predict(golden_images(), verbose=0)
    about["golden"] = [round(float(value), 5) for value in last[:, ::2, ::2, ::8].ravel()]
    (folder / f"{name}.card.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return network(name, folder)


def golden_images() -> np.ndarray:
    """A fixed image in [-1, 1], of arithmetic alone, whose features on the card tell whether a backend computes right.

    Returns:
        float32 (1, 32, 32, 3).
    """
    pixels = np.arange(32 * 32 * 3, dtype="int64")
    return (pixels * pixels // 7 % 256).astype("float32").reshape(1, 32, 32, 3) / 127.5 - 1


def _holder(made: keras.Model) -> Any:
    """What `ganzoo.zoo.weights` asks of a model whose networks it saves and loads."""
    return types.SimpleNamespace(networks={"features": made}, moving_averages={})


def _folder() -> Path:
    from ganzoo.zoo.recipes import config_dir  # slow to import, and models need only the name

    return config_dir() / "perceptual"
