"""ganzoo: a zoo of generative adversarial networks for Keras 3, on TensorFlow, JAX and PyTorch.

>>> import ganzoo
>>> model = ganzoo.load("dcgan-mnist")
>>> images = model.generate(16, seed=0)    # uint8 (16, 28, 28, 1)
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Where each public name lives. Modules are imported when a name is first used, so that `import ganzoo` stays light.
_HOME = {
    "GAN": "ganzoo.gan",
    "VanillaGAN": "ganzoo.models",
    "DCGAN": "ganzoo.models",
    "WGANGP": "ganzoo.models",
    "load": "ganzoo.presets",
    "list_presets": "ganzoo.presets",
    "info": "ganzoo.presets",
    "list_models": "ganzoo.registry",
    "register": "ganzoo.registry",
    "train": "ganzoo.training",
}
_MODULES = ("callbacks", "data", "export", "layers", "losses", "metrics", "models", "plot", "presets")

__all__ = [*_HOME, *_MODULES, "__version__"]


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"ganzoo.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ganzoo' has no attribute {name!r}. It has: {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
