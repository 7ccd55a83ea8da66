"""Independent implementations that the metrics are compared with. A missing one is an error, not a skipped test."""

from __future__ import annotations

import importlib.util
import sys
import types


def torch_fidelity(module: str):
    """A module of torch-fidelity, without its way to images: that imports torchvision and what it takes to download."""
    spec = importlib.util.find_spec("torch_fidelity") if "torch_fidelity" not in sys.modules else True
    assert spec is not None, "the test extra is not installed: pip install -e '.[test]'"
    if spec is not True:
        package, utils = types.ModuleType("torch_fidelity"), types.ModuleType("torch_fidelity.utils")
        package.__path__ = list(spec.submodule_search_locations)
        utils.__getattr__ = lambda name: None
        sys.modules.update({package.__name__: package, utils.__name__: utils})
    return importlib.import_module(f"torch_fidelity.{module}")
