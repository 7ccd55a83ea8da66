"""From a finished training to a published preset: weights in half precision, card, sample sheet."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganzoo import metrics, plot
from ganzoo.engine.parts import Images, Labels
from ganzoo.zoo import presets, recipes, weights
from ganzoo.zoo.reading import layout_of, read_parts
from ganzoo.zoo.recipes import Card, Golden, Recipe
from ganzoo.zoo.records import BEST, WEIGHTS, differences, normal, read_record, settings
from ganzoo.zoo.training import MONITOR, MONITORED

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

# Of one preset's weights: of small grey images, of small ones in colour, of larger or translated ones; of all weights
# and extractors that the package carries.
MAX_BYTES, MAX_TOTAL_BYTES = (2_000_000, 4_000_000, 6_000_000), 96_000_000
MAX_HALF_PRECISION_ERROR = 2.0  # grey levels, mean over all pixels of the images compared
NUM_COMPARED, PIXELS_COMPARED = 256, 1_000_000  # images; fewer where they are large
NUM_GOLDEN, SEED = 4, 0


def publish(
    folder: str | Path, preset: str, data_dir: str | Path | None = None, shown: Mapping[str, str] | None = None
) -> Card:
    """Publishes a finished training as a preset: writes its weights, its card and its sample sheet to `zoo_configs`.

    The weights file is in half precision; the card's golden images and the sheet are drawn with it as it will be
    loaded, in float32. What was published before is replaced, the card last.

    Of a data set that may not be redistributed (`dataset.shown: false` in the recipe) no pixel enters the project:
    where the generator must be told an image, golden images and the sheet are drawn for examples made of a seed.

    Args:
        folder: The folder of a finished training (`ganzoo.train`).
        preset: The preset that was trained.
        data_dir: Folder with the data set's original files, for the sheet of a preset that draws images of images.
        shown: What the sheet is drawn for instead, by the input's name, as on the command line:
            `{"source": "runs/maps"}`, an image or a folder of them.

    Returns:
        The card, without numbers yet: `measure` adds them.

    Raises:
        ValueError: The training is not finished, or not of this preset's recipe as it stands; the weights are over
            their limit (1.5 MB for small grey images, 4 MB for small ones in colour, 6 MB for others), or all weights
            together over 96 MB; images drawn in half precision are on average more than 2 grey levels away from those
            in float32; or what is to be shown cannot be read. Nothing is written then.

    Example:

    ```python
    ganzoo.train("dcgan-mnist", "runs/dcgan-mnist")
    publish("runs/dcgan-mnist", "dcgan-mnist")
    ```
    """
    folder, recipe = Path(folder), presets.read_recipe(preset)
    record = read_record(folder)
    _check_record(record, preset, recipe, folder)
    final = recipes.config_dir() / "weights" / f"{preset}.safetensors"
    final.parent.mkdir(parents=True, exist_ok=True)
    beside = final.with_name(f".{final.name}.part")
    try:
        model, error = _halved(recipe, folder / WEIGHTS, beside)
        _check_size(beside, final, model)
        card = _card(preset, recipe, record, beside, model, error)
        sheet = final.parent.parent / "samples" / f"{preset}.png"
        sheet.parent.mkdir(exist_ok=True)
        plot.save_png(sheet, plot.sample_sheet(model, None, SEED, data=_shown(recipe, model, data_dir, shown)))
        os.replace(beside, final)
    finally:
        beside.unlink(missing_ok=True)
    _write(card)
    return card


def measure(preset: str, folder: str | Path | None = None, **options: Any) -> Card:
    """Measures a published preset and writes the numbers to its card.

    A model of domains without pairs, of attributes or of features has none, nor one that makes its conditions itself,
    nor one of images alone that no extractor knows: no protocol of the zoo is for it, scripts of their own measure it.

    Args:
        preset: Its name.
        folder: The folder of its training: with it, the weights of the epoch that was best by its distance to training
            images are measured too, on the test images as everything, under the standard protocol.
        **options: As for `ganzoo.metrics.evaluate`: `data_dir`, `num_images`, ...

    Returns:
        The card.

    Raises:
        ValueError: The preset is not published, or from another training, or what `ganzoo.metrics.evaluate` raises.
            Nothing is written then.
    """
    card = presets.read_card(preset)
    if card is None:
        raise ValueError(f"Publish the preset before it is measured. Received: preset={preset!r}")
    best, recipe = None, presets.read_recipe(preset)
    if folder is not None:
        record = read_record(folder)
        _check_record(record, preset, recipe, Path(folder))
        origin = {key: record[key] for key in ("commit", "steps", "trained_at")}
        if origin != {key: getattr(card, key) for key in origin}:
            raise ValueError(f"The preset was published from another training than that in {folder}: {origin}")
        best = record.get("best")
    watched = recipe.dataset.name in metrics.extractor_names()
    model = presets.build(recipe)
    given = {*recipe.dataset.parts, *recipe.dataset.derive}
    makes_own = any(model.data[name].derived and name not in given for name in model.conditions())
    apart = layout_of(model.data) in ("domains", "attributes") or not isinstance(model.data[model.target], Images)
    unknown = not model.conditions() and "extractor" not in options
    if makes_own or ((apart or unknown) and not watched):
        return card
    protocol = "extended" if watched else "paired"
    numbers: dict[str, Any] = {"metrics": _rounded(metrics.evaluate(preset, **{"protocol": protocol, **options}))}
    if best is not None:
        model = presets.build(recipe, dtype="float32")
        weights.load_weights(model, Path(str(folder)) / BEST)
        measured = metrics.evaluate(model, recipe.dataset.name, **{**options, "protocol": "standard"})
        chosen_by = f"{MONITOR} of {MONITORED} images to training images"
        numbers["best"] = {"epoch": best["epoch"], "chosen_by": chosen_by, "metrics": _rounded(measured)}
    card = card.model_copy(update=numbers)
    _write(card)
    return card


def _rounded(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """To six digits: a card is for people too."""

    def short(value: Any) -> Any:
        if isinstance(value, list):
            return [short(each) for each in value]
        return float(f"{value:.6g}") if isinstance(value, float) else value

    return [{key: short(value) for key, value in metric.items()} for metric in measured]


def _write(card: Card) -> None:
    text = json.dumps(card.model_dump(), indent=2) + "\n"
    plot.write_beside(presets.card_path(card.preset), lambda file: file.write(text.encode()))


def _check_record(record: dict[str, Any], preset: str, recipe: Recipe, folder: Path) -> None:
    if not record["finished"]:
        raise ValueError(f"The training in {folder} is not finished: run `ganzoo train` again to resume it.")
    if record["preset"] != preset:
        raise ValueError(f"The folder holds a training of {record['preset']!r}. Received: preset={preset!r}")
    if recipes.Dataset(**record["dataset"]) != recipe.dataset:
        raise ValueError(f"The training in {folder} is on other data than the recipe's: {record['dataset']['name']!r}.")
    trained = {key: value for key, value in record["settings"].items() if key != "data"}
    if changes := differences(normal(trained), normal(settings(recipe))):
        raise ValueError(f"The training in {folder} is not of the recipe as it stands: {'; '.join(changes)}.")


def _halved(recipe: Recipe, trained: Path, path: Path) -> tuple[GAN, float]:
    """Writes the weights in half precision to `path`; returns the model that loads them and how far off it draws."""
    model = presets.build(recipe, dtype="float32")
    weights.load_weights(model, trained)
    exact = _compared(model)
    weights.save_weights(model, path, half=True)
    weights.load_weights(model, path)
    error = float(np.mean(np.abs(_compared(model) - exact.astype(float))))
    if error > MAX_HALF_PRECISION_ERROR:
        raise ValueError(
            f"Half precision changes the images by {error:.2f} grey levels on average, more than the "
            f"{MAX_HALF_PRECISION_ERROR:g} allowed. Received: weights={str(trained)!r}"
        )
    return model, error


def _compared(model: GAN) -> np.ndarray:
    """Numbers of images for examples of what each generator must be told, as many as show a difference."""
    num = min(NUM_COMPARED, max(4, PIXELS_COMPARED // int(np.prod(model.image_shape))))
    drawn = []
    for generator in model.generators():
        given: dict[str, Any] = {name: model.data[name].examples(num, SEED) for name in model.conditions(generator)}
        drawn.append(model.generate(num, seed=SEED, **given).ravel())
    return np.concatenate(drawn)


def _asked(model: GAN) -> list[str]:
    """The parts that any of the generators must be told."""
    return [name for name in model.data if any(name in model.conditions(each) for each in model.generators())]


def _shown(
    recipe: Recipe, model: GAN, data_dir: str | Path | None, given: Mapping[str, str] | None
) -> dict[str, Any] | None:
    """What the sheet is drawn for, where a generator must be told more than labels."""
    if given:
        if unknown := set(given) - set(model.data):
            raise ValueError(f"A sheet is drawn for {', '.join(_asked(model))}. Received: {unknown.pop()}=...")
        return {name: model.data[name].read(text, name) for name, text in given.items()}
    told = [model.data[name] for name in _asked(model)]
    if all(isinstance(part, Labels) for part in told):
        return None
    if not recipe.dataset.shown:
        return {name: model.data[name].examples(8, SEED) for name in _asked(model)}
    dataset = recipe.dataset
    parts = read_parts(
        model.data,
        dataset.name,
        "test",
        data_dir=data_dir,
        names=dataset.parts,
        derive=dataset.derive,
        image_shape=dataset.image_shape,
    )
    return {name: part[:16] for name, part in parts.items()}


def _limit(model: GAN) -> int:
    """How many bytes a preset's weights may take."""
    height, width, channels = (*model.image_shape, 1, 1)[:3]
    if max(height or 64, width or 64) > 32 or any(isinstance(model.data[name], Images) for name in model.conditions()):
        return MAX_BYTES[2]
    if hasattr(model, "classify"):  # a classifier of perceptrons
        return MAX_BYTES[2]
    has_more = hasattr(model, "codes_of") or hasattr(model, "encode")  # layers for codes, or an encoder
    return MAX_BYTES[0 if channels == 1 and not has_more else 1]


def _check_size(path: Path, final: Path, model: GAN) -> None:
    size, limit = path.stat().st_size, _limit(model)
    files = [
        file
        for each in ("weights", "extractors", "perceptual")
        for file in (final.parents[1] / each).glob("*.safetensors")
    ]
    others = sum(file.stat().st_size for file in files if file not in (path, final))
    if size > limit or size + others > MAX_TOTAL_BYTES:
        raise ValueError(
            f"A preset's weights may take {limit / 1e6:g} MB, all together {MAX_TOTAL_BYTES / 1e6:g} MB: choose "
            f"narrower networks. Received: {size / 1e6:.2f} MB, {(size + others) / 1e6:.2f} MB together"
        )


def _card(preset: str, recipe: Recipe, record: dict, path: Path, model: GAN, error: float) -> Card:
    trained = record["settings"]["training"]
    return Card(
        preset=preset,
        file=f"{preset}.safetensors",
        sha256=weights.sha256(path),
        bytes=path.stat().st_size,
        half_precision_error=round(error, 4),
        seed=trained["seed"],
        steps=record["steps"],
        epochs=trained["epochs"],
        batch_size=trained["batch_size"],
        precision=trained["precision"],
        backend=record["backend"],
        keras=record["keras"],
        commit=record["commit"],
        trained_at=record["trained_at"],
        dataset=recipe.dataset.name,
        dataset_licence=recipe.dataset.licence,
        licence=recipe.licence,
        alarms=record.get("alarms", []),
        golden=Golden.drawn_by(model, NUM_GOLDEN, SEED),
    )
