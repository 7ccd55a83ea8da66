"""ganzoo: a zoo of generative adversarial networks for Keras 3, on TensorFlow, JAX and PyTorch.

>>> import ganzoo
>>> model = ganzoo.load("dcgan-mnist")
>>> images = model.generate(16, seed=0)    # uint8 (16, 28, 28, 1)
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import warnings

__version__ = "0.1.0"

# Where each public name lives. Modules are imported when a name is first used, so that `import ganzoo` stays light.
_HOME = {
    "GAN": "ganzoo.engine.gan",
    **dict.fromkeys(
        (
            "VanillaGAN",
            "DCGAN",
            "LSGAN",
            "WGAN",
            "WGANGP",
            "DRAGAN",
            "HingeGAN",
            "RelativisticGAN",
            "SNGAN",
            "SAGAN",
            "LAPGAN",
            "R1GAN",
            "R3GAN",
            "CGAN",
            "ACGAN",
            "InfoGAN",
            "ProjectionGAN",
            "BigGAN",
            "SemiSupervisedGAN",
            "Pix2Pix",
            "CycleGAN",
            "StackGAN",
            "StarGAN",
            "StyleGAN2",
            "FramePrediction",
            "Deocclusion",
            "SRGAN",
            "IDCGAN",
            "AgeCGAN",
            "SimGAN",
            "PerceptualGAN",
        ),
        "ganzoo.models",
    ),
    **dict.fromkeys(("Images", "Labels", "Text", "Vectors"), "ganzoo.engine.parts"),
    "Attribute": "ganzoo.engine.attributes",
    "Frames": "ganzoo.engine.frames",
    "interpolate_weights": "ganzoo.networks.interpolation",
    "load": "ganzoo.zoo.presets",
    "list_presets": "ganzoo.zoo.presets",
    "info": "ganzoo.zoo.presets",
    "list_models": "ganzoo.models",
    "register": "ganzoo.zoo.registry",
    "augment": "ganzoo.zoo.synthetic",
    "train": "ganzoo.zoo.training",
    "translate": "ganzoo.zoo.translating",
    "translate_files": "ganzoo.zoo.translating",
}
_MODULES = {
    name: f"ganzoo.{name}"
    for name in (
        "callbacks",
        "data",
        "editing",
        "features",
        "latent",
        "layers",
        "losses",
        "metrics",
        "models",
        "plot",
        "web",
    )
}
_MODULES |= {"export": "ganzoo.engine.export", "presets": "ganzoo.zoo.presets"}
# Where modules are that had another name before: an import by that name still works, and says the new one.
_MOVED = {
    **dict.fromkeys(("backend", "base", "export", "feed", "gan", "optimizer", "schedules"), "ganzoo.engine"),
    **dict.fromkeys(("presets", "publishing", "registry", "training", "weights"), "ganzoo.zoo"),
}

__all__ = [*_HOME, *_MODULES, "__version__"]


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name in _MOVED:  # as an attribute it was there once any model had been used
        return importlib.import_module(_new_name(f"ganzoo.{name}", stacklevel=3))
    raise AttributeError(f"module 'ganzoo' has no attribute {name!r}. It has: {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _new_name(name: str, stacklevel: int) -> str:
    rest = name.removeprefix("ganzoo.")
    new = f"{_MOVED[rest.partition('.')[0]]}.{rest}"
    warnings.warn(f"The module {name} is called {new} now: import it from there.", DeprecationWarning, stacklevel)
    return new


class _Moved:
    """Finds the modules of `_MOVED` by their names of before: the same modules, not others like them."""

    def find_spec(self, name, path=None, target=None):
        package, _, rest = name.partition(".")
        if package != "ganzoo" or rest.partition(".")[0] not in _MOVED:
            return None
        new = _new_name(name, stacklevel=3)
        return importlib.util.spec_from_loader(name, self, origin=new)

    def create_module(self, spec):
        module = importlib.import_module(spec.origin)
        self._own = module.__spec__  # which Python is about to replace
        return module

    def exec_module(self, module):
        module.__spec__, module.__loader__ = self._own, self._own.loader


class _AfterKeras:
    """Imports ganzoo's models once Keras is imported, so that `keras.saving.load_model` knows their classes.

    Importing Keras here instead would cost seconds where it is not used, and fix its backend too early.
    """

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                _register_models()

            spec.loader.exec_module = exec_module
        return spec


def _register_models() -> None:
    with contextlib.suppress(ImportError):  # Keras on a backend that ganzoo does not know: not its business here
        importlib.import_module("ganzoo.models")


sys.meta_path.insert(0, _Moved())
if "keras" in sys.modules:
    _register_models()
else:
    sys.meta_path.insert(0, _AfterKeras())
