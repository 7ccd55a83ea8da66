"""What a recipe asks of data, its own or a user's: which parts, of which shapes; and a look at them beforehand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.data import attributes_of, check
from ganzoo.data.attributes import attribute_table
from ganzoo.engine.feed import make_feed
from ganzoo.engine.parts import Images, as_array, vocabulary_of
from ganzoo.models import get_model
from ganzoo.zoo import presets
from ganzoo.zoo.reading import derived_of, few_labels, folder_of, layout_of, read_parts, shape_of
from ganzoo.zoo.recipes import MAX_EPOCHS, Augment, Recipe

__all__ = ["augmented", "check_data", "effective", "look_at", "of_attributes", "of_shapes", "parts_of", "wanted_of"]

FEW = 2000  # images that a discriminator learns by heart soon
QUICKLY = 500  # images whose pixels are looked at before a training


def parts_of(recipe: Recipe, wanted: dict, data: Any, data_dir, image_shape: Any, reading) -> dict[str, np.ndarray]:
    """What the model is trained on, by the names of its parts."""
    dataset, own = recipe.dataset, data is None or str(data) == recipe.dataset.name
    shape = recipe.arguments.get("image_shape")
    found = read_parts(
        wanted,
        dataset.name if data is None else data,
        dataset.split,
        data_dir=data_dir,
        names=dataset.parts if own else {},
        derive=dataset.derive,
        image_shape=image_shape or (dataset.image_shape if own else None),
        folder_shape=shape if isinstance(shape, list) else None,
        reading=reading,
    )
    return few_labels(found, wanted, **dataset.few.model_dump()) if dataset.few is not None and own else found


def check_data(
    preset: str | Path, data: Any, *, data_dir=None, image_shape=None, batch_size=None, reading={}, **options
):
    """`ganzoo.data.check` of data for a preset: as its training would read them. Returns a `ganzoo.data.Report`."""
    recipe = effective(presets.read_recipe(preset), None, batch_size, None)
    report = look_at(recipe, wanted_of(recipe), data, data_dir, image_shape, reading, **options)
    try:  # whatever else training would refuse
        recipe = of_attributes(recipe, data)
        wanted = wanted_of(recipe)
        if folder_of(data, recipe.dataset.split) is None:
            parts = parts_of(recipe, wanted, data, data_dir, image_shape, reading)
            model = presets.build(of_shapes(recipe, parts, True))
            make_feed(parts, data=model.data)
        elif image_shape:
            shaped = {name: list(image_shape) for name, value in recipe.arguments.items() if isinstance(value, list)}
            presets.build(recipe.model_copy(update={"arguments": recipe.arguments | shaped}))
    except (ValueError, OSError) as error:
        if not report.problems or "attributes" in recipe.arguments:
            report.problems.append(str(error).partition(" Received:")[0].rstrip("."))
    return report


def look_at(recipe: Recipe, wanted: dict, source: Any, data_dir, image_shape, reading: Mapping, **options) -> Any:
    model, dataset = presets.build(recipe), recipe.dataset
    derived = derived_of(wanted, source, dataset.split, dataset.derive)
    of_user = {name: part for name, part in wanted.items() if name not in derived}
    shape = image_shape or shape_of(wanted) or recipe.arguments.get("image_shape")
    chosen = {name: value for name, value in reading.items() if name != "skip_unreadable"}
    return check(
        source,
        layout=None if (layout := layout_of(of_user)) == "attributes" else layout,
        image_shape=tuple(shape) if shape and (image_shape or folder_of(source, dataset.split) is not None) else None,
        batch_size=recipe.training.batch_size,
        batches=model.discriminator_steps,
        split=dataset.split,
        data_dir=data_dir,
        **{"looked_at": QUICKLY, **chosen, **options},
    )


def wanted_of(recipe: Recipe) -> dict[str, Any]:
    """The parts that the recipe's model takes; images alone of whatever size."""
    model = presets.build(recipe)
    return {"images": Images((None, None, 3))} if list(model.data) == ["images"] else model.data


def of_shapes(recipe: Recipe, parts: Mapping[str, np.ndarray], given: bool) -> Recipe:
    """The recipe for a model of these data's shapes, and of as many classes as a user's own data have."""
    arguments = dict(recipe.arguments)
    for part, argument in get_model(recipe.model).shaped_by.items():
        if part in parts and parts[part].dtype.kind in "UOS":  # sentences: as many words as there are
            arguments[argument] = vocabulary_of(parts[part]) if given else recipe.arguments[argument]
        elif part in parts and isinstance(recipe.arguments.get(argument), list):
            arguments[argument] = list(parts[part].shape[1:])
        elif part in parts and given and parts[part].dtype.kind in "iu" and parts[part].size == len(parts[part]):
            arguments[argument] = count = int(parts[part].max()) + 1
            if missing := sorted(set(range(count)) - set(parts[part].ravel().tolist())):
                warnings.warn(
                    f"There are {count} classes, from 0 to the highest label, and {len(missing)} of them have no "
                    f"example (the first: {missing[0]}): number the labels without gaps if that is not meant.",
                    stacklevel=4,
                )
    return recipe.model_copy(update={"arguments": arguments})


def of_attributes(recipe: Recipe, data: Any) -> Recipe:
    """The recipe with the attributes of a user's own data, where its model takes some: of a folder, or arrays of str.

    Raises:
        ValueError, FileNotFoundError: see `ganzoo.data.load_attributes`.
    """
    if data is None or "attributes" not in recipe.arguments or str(data) == recipe.dataset.name:
        return recipe
    folder = folder_of(data, recipe.dataset.split)
    if folder is None and not isinstance(data, Mapping):
        return recipe
    columns = {name: as_array(x) for name, x in data.items()} if folder is None else attribute_table(folder)[1]
    found, known = attributes_of(columns), recipe.arguments["attributes"]
    if not found or found == {name: sorted(values) for name, values in known.items()}:
        return recipe  # numbers, or the same in an order of its own
    return recipe.model_copy(update={"arguments": {**recipe.arguments, "attributes": found}})


def augmented(recipe: Recipe, parts: Mapping[str, np.ndarray]) -> Recipe:
    """The recipe with an augmentation, where images are few, alone, and the recipe says nothing of it."""
    images = [part for part in parts.values() if part.ndim == 4]
    if recipe.training.augment is not None or len(images) != 1 or len(images[0]) >= FEW:
        return recipe
    if not get_model(recipe.model).augmentable:
        return recipe
    chosen = Augment.model_validate({"class": "DiffAugment"})
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"augment": chosen})})


def effective(recipe: Recipe, epochs: int | None, batch_size: int | None, seed: int | None) -> Recipe:
    """The recipe with the caller's values in place of its own, checked like a recipe."""
    given = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    for name, value in given.items():
        least, most = (1, MAX_EPOCHS) if name == "epochs" else (1, 2**31) if name == "batch_size" else (0, 2**32 - 1)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
            raise ValueError(f"`{name}` must be an integer, {least} to {most}. Received: {name}={value!r}")
    whole = {name: int(value) for name, value in given.items() if value is not None}
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=whole)})
