"""Models by where they are: a preset's name, a `.keras` file, the folder of a training; and what they learned from."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.zoo import presets
from ganzoo.zoo.recipes import Dataset
from ganzoo.zoo.records import MODEL, read_record

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

__all__ = ["data_of", "open_model"]


def open_model(source: str | Path, **arguments: Any) -> GAN:
    """The model of a preset, of a `.keras` file or of the training in a folder.

    Args:
        source: A preset's name, or a path.
        **arguments: Constructor arguments for a preset, as for `ganzoo.load`.

    Raises:
        ValueError: There is none, the training is not finished, or the file holds no model of ganzoo.
    """
    if presets.is_preset(source):
        return presets.load(str(source), **arguments)
    import keras

    import ganzoo.models  # noqa: F401  Keras finds the classes that are registered
    from ganzoo.engine.gan import GAN

    path = Path(source)
    if path.is_dir():
        path = path / MODEL
        if not path.is_file() and not read_record(path.parent)["finished"]:
            raise ValueError(f"The training in {source} is not finished: run `ganzoo train` again to resume it.")
    if not path.is_file():
        raise ValueError(f"There is no such file. Received: {path}")
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(f"{path} cannot be read as a model of ganzoo: it is damaged or cut off, no whole .keras file.")
    try:
        model = keras.saving.load_model(path)
    except Exception as error:
        raise ValueError(f"{path} cannot be read as a model of ganzoo: {error}") from error
    if not isinstance(model, GAN):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a model of ganzoo.")
    return model


def data_of(source: str | Path) -> Dataset | None:
    """The data that a preset, or the training in a folder, learned from; a `.keras` file does not know it.

    Raises:
        ValueError: There is no such preset or training.
    """
    if presets.is_preset(source):
        return presets.read_recipe(source).dataset
    return Dataset(**read_record(source)["dataset"]) if Path(source).is_dir() else None
