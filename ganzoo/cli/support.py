"""What the commands share: models, data and inputs by what a command line says; files that are written."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN


def use_backend(backend: str) -> None:
    """Has Keras run on a backend, before it is imported."""
    if importlib.util.find_spec(backend) is None:
        raise ValueError(f"{backend} is not installed: pip install {backend}. Received: --backend {backend}")
    if "keras" in sys.modules and sys.modules["keras"].config.backend() != backend:
        raise ValueError(
            "Keras runs on another backend in this process already: set KERAS_BACKEND before starting it. "
            f"Received: --backend {backend}"
        )
    os.environ["KERAS_BACKEND"] = backend


def load_keras() -> None:
    """Imports Keras and what it runs on, without their notes."""
    from ganzoo.engine import quiet

    with quiet.starting():
        import keras  # noqa: F401


def import_module(name: str) -> None:
    """Imports a module of the user's, whose classes register themselves."""
    sys.path.insert(0, os.getcwd())
    try:
        importlib.import_module(name.removesuffix(".py"))
    except ModuleNotFoundError as error:
        raise ValueError(f"{error}: name a module, as in --import mymodels. Received: --import {name}") from error
    finally:
        sys.path.remove(os.getcwd())


def dataset_of(source: str) -> str:
    """What a preset, or the training in a folder, learned from."""
    from ganzoo.zoo.opening import data_of

    if (dataset := data_of(source)) is None:
        raise ValueError(f"Say which data to measure on with --data NAME, .npz or folder. Received: {source}")
    return dataset.name


def parts(model: GAN, source: str, data: str, data_dir: Path | None) -> Any:
    """The test split of a data set, as the model's parts."""
    from ganzoo.zoo.opening import data_of
    from ganzoo.zoo.reading import read_parts, reading_of

    with working("Reading the data"):
        return read_parts(
            model.data, data, "test", data_dir=data_dir, folder_shape=model.image_shape,
            **reading_of(data_of(source), data),
        )  # fmt: skip


def split(inputs: list[str]) -> dict[str, str]:
    """NAME=VALUE by name."""
    if wrong := [text for text in inputs if "=" not in text]:
        raise ValueError(f"What the generator is told is written NAME=VALUE, as in labels=3. Received: {wrong[0]}")
    names = [text.partition("=")[0] for text in inputs]
    for name in names:
        if name in ("n", "seed", "batch_size", "averaged", "dtype"):
            raise ValueError(f"That is an option: -n 16, --seed 0. Received: {name}=...")
        if names.count(name) > 1:
            raise ValueError(f"An input is given once; several values have commas between them. Received: {name} twice")
    return {name: value for name, _, value in (text.partition("=") for text in inputs)}


def inputs(
    model: GAN, source: str, texts: dict[str, str], number: int | None, reading: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """The inputs of `generate`, and what to say of those that were not given: all classes in turn."""
    from ganzoo.engine.attributes import Attribute
    from ganzoo.engine.parts import Labels
    from ganzoo.zoo.records import class_names

    numbers = {name: str(number) for number, name in enumerate(class_names(source))}
    for name, text in texts.items():
        if isinstance(model.data.get(name), Labels):  # a class by its name, where the training knows it
            texts = {**texts, name: ",".join(numbers.get(each, each) for each in text.split(","))}
    options = {**learned_reading(source), **reading}
    given = {name: value(model, name, text, options) for name, text in texts.items()}
    missing = [name for name in model.conditions() if name not in given] if len(model.generators()) == 1 else []
    said = ""
    for name in missing:
        part = model.data[name]
        if isinstance(part, Labels) and not isinstance(part, Attribute):  # which stays as it is in a source
            count, classes = number or 64, part.num_classes
            given[name] = sorted(i % classes for i in range(count))
            said = f", {name} 0 to {min(count, classes) - 1}"
    return given, said


def learned_reading(source: str) -> dict[str, Any]:
    """How files were read in training, as a user's are unless the command says how."""
    from ganzoo.zoo.opening import data_of
    from ganzoo.zoo.records import RECORD

    learned = None if Path(source).is_dir() and not (Path(source) / RECORD).is_file() else data_of(source)
    read = {} if learned is None else learned.reading
    return {name: value for name, value in read.items() if name != "skip_unreadable"}


def default_number(model: GAN, given: dict[str, Any]) -> int | None:
    """64 images where every input is one value for all; otherwise as many as an input says."""
    single = all(model.data[name].is_single(each) if name in model.data else True for name, each in given.items())
    return 64 if single else None


def value(model: GAN, name: str, text: str, reading: dict[str, Any]) -> Any:
    """What a text says of an input."""
    if name in model.data:
        return model.data[name].read(text, name, **reading)
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        return text  # of an unknown name, which `generate` tells
    return numbers[0] if len(numbers) == 1 else numbers


def write(images: Any, output: Path | None, separate: Path | None, columns: int | None, scale: int) -> None:
    """Writes images as a sheet, and one by one."""
    from ganzoo import plot

    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        plot.save_png(output, images, columns=columns, scale=scale)
    if separate is not None:
        from rich.progress import track

        separate.mkdir(parents=True, exist_ok=True)
        digits = len(str(len(images) - 1))
        for index, image in enumerate(track(images, "Writing", console=console(), transient=True)):
            plot.save_png(separate / f"{index:0{digits}}.png", image, scale=scale)


def shape(text: str | None) -> tuple[int, int, int] | None:
    """(height, width, channels) of HxWxC."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"The image shape is height x width x channels, as in 64x64x3. Received: --image-shape {text}")
    height, width, channels = (int(part) for part in parts)
    return height, width, channels


def given(**options: Any) -> dict[str, Any]:
    """The options that a command line holds."""
    return {name: value for name, value in options.items() if value is not None}


def stem(preset: str) -> str:
    """What to call what is made of a preset, a file or a folder."""
    return Path(preset).resolve().name if Path(preset).is_dir() else Path(preset).stem if "." in preset else preset


def check_free(path: Path, overwrite: bool) -> None:
    """Refuses an output that is there already; an empty folder is free."""
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and not overwrite:
        raise ValueError(f"{path} is there already: choose another name, or add --overwrite.")


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on stderr while something takes its time; nothing where stderr is not a terminal."""
    with console().status(f"{what} ..."):
        yield


def console() -> Any:
    """Where spinners and bars go: stderr."""
    from rich.console import Console

    return Console(stderr=True)
