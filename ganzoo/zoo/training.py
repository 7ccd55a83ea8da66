"""Training from a recipe: one command makes a preset, and the same command resumes what was interrupted."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ganzoo import layers, metrics, plot
from ganzoo.callbacks import Backup, HealthMonitor, MetricMonitor, SampleGrid
from ganzoo.callbacks.health_monitor import LEAST_IMAGES
from ganzoo.data.ages import age_class_names, holds_ages
from ganzoo.data.part_folders import class_folders
from ganzoo.engine.feed import make_feed
from ganzoo.engine.parts import Labels
from ganzoo.engine.quiet import printable
from ganzoo.engine.schedules import HoldThenLinear
from ganzoo.metrics.reals import rows_of
from ganzoo.networks.making import kernel_of
from ganzoo.zoo import presets, weights
from ganzoo.zoo.asked import augmented, effective, look_at, of_attributes, of_shapes, parts_of, wanted_of
from ganzoo.zoo.reading import derived_of, folder_of, how_read
from ganzoo.zoo.recipes import Dataset, Optimizer, Recipe, Training
from ganzoo.zoo.records import (
    BACKUP,
    LOG,
    MODEL,
    SAMPLES,
    SHEET,
    WEIGHTS,
    begun,
    check_folder,
    clear,
    commit,
    differences,
    held,
    once_per_epoch,
    read_record,
    rows,
    settings,
    write_record,
)
from ganzoo.zoo.registry import suggestion
from ganzoo.zoo.watching import MONITOR, Health, KeepBest, StopBetweenSteps

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

__all__ = ["begin_with", "compile_for", "compiled", "differences", "read_record", "settings", "train"]

BACKUP_STEPS = 500  # and at the end of each epoch
MONITORED = 2000  # training images
SHOWN_PIXELS = 2**18  # of the examples of a sheet
MONITOR_SEED = 10_000  # far from those of the evaluation: what chooses the best does not also report it


def train(
    preset: str | Path,
    output_dir: str | Path,
    *,
    data: Any = None,
    data_dir: str | Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
    reading: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    sample_every: int = 1,
    augment: bool = True,
    extractor: Any = None,
    resume: bool = True,
    verbose: int | str = "auto",
) -> GAN:
    """Trains a preset's model as its recipe says, in a folder from which an interrupted training resumes.

    Killed or stopped at any moment, the training goes on where it was when the same call is made again, and ends with
    the same model as if it had not been interrupted (the log's row of that epoch counts the steps after it). Ctrl-C
    stops after the step that runs and loses nothing; a kill loses at most the steps since the last backup. The folder
    then holds `weights.safetensors` (float32), `model.keras` (optimizers and all), `log.csv` (a row per epoch),
    `samples/` (a sheet of images per epoch), `samples.png` (64 images of the final model) and
    `training.json` (what was trained, how and on what, and the alarms of `ganzoo.callbacks.HealthMonitor`).
    Where ganzoo has an extractor for the
    data, each row of the log holds the Frechet distance of 2000 images to as many of the training images, and
    `best.safetensors` the weights of the epoch in which it was least.

    Args:
        preset: A preset's name, or the path of a recipe of your own (`.yaml`).
        output_dir: The folder to write; created if missing.
        data: Instead of the recipe's data: a data set's name; the path of an `.npz` file or of a folder: of images, of
            class folders or of faces with ages (`ganzoo.data.load_ages`) for models of labels, of pairs (two subfolders
            with equal names, or side-by-side images) or of two domains for models of two images, with a table for
            models of attributes; or arrays as for `fit`.
        data_dir: A folder with the data set's original files, where it cannot be downloaded.
        image_shape: (height, width, channels) to resize a folder's images to. By default the recipe's for a folder,
            and the images' own where `data` is anything else.
        reading: How the files of a folder are read, instead of the recipe's: `fit`, `max_value`, `pages` and
            `skip_unreadable` of `ganzoo.data.load_folder`.
        epochs: Instead of the recipe's, at least 1.
        batch_size: Instead of the recipe's: images of one discriminator step.
        seed: Instead of the recipe's. It fixes the initial weights, the latents and the order of the images.
        sample_every: Epochs from one sample sheet to the next.
        augment: Fewer than 2000 images of a user's own are augmented (`ganzoo.layers.DiffAugment`) where the recipe
            says nothing of it; `False` leaves them as they are.
        extractor: One of `ganzoo.metrics.extractor_names()`, or one of your own, in whose features the training
            is watched where the data have none.
        resume: `False` starts afresh, deleting the training that the folder holds.
        verbose: As in `keras.Model.fit`; 0 prints nothing.

    Returns:
        The trained `GAN`.

    Raises:
        KeyboardInterrupt: Ctrl-C, when the step is done and saved.
        FloatingPointError: Losses or weights are no longer finite.
        ValueError: An unknown preset, a faulty recipe, unsuitable images; or a folder that holds something else, or a
            training with other settings: the message names them.

    Example:

    ```python
    model = ganzoo.train("dcgan-mnist", "runs/dcgan-mnist", epochs=10)
    ```
    """
    recipe = of_attributes(effective(presets.read_recipe(preset), epochs, batch_size, seed), data)
    folder = Path(output_dir)
    check_folder(folder)
    _check_phases(recipe, preset)
    wanted, source = wanted_of(recipe), recipe.dataset.name if data is None else data
    reading = dict(recipe.dataset.reading if reading is None else reading)
    if data is not None and verbose != 0 and not (folder / BACKUP).is_file():
        with contextlib.suppress(ValueError, OSError, MemoryError):  # what is wrong is told by what reads the data
            _say(verbose, f"Data: {look_at(recipe, wanted, data, data_dir, image_shape, reading).short}")
    parts = parts_of(recipe, wanted, data, data_dir, image_shape, reading)
    made = derived_of(wanted, source, recipe.dataset.split, recipe.dataset.derive)
    if told := how_read(wanted, source, recipe.dataset.split, made):
        _say(verbose, f"Data: {told}")
    recipe = of_shapes(recipe, parts, data is not None)
    if data is not None and augment and (changed := augmented(recipe, parts)) is not recipe:
        recipe = changed
        _say(verbose, "Few images: the discriminator sees them through DiffAugment, so as not to learn them by heart.")
    images = parts[_target(parts)]
    extractor = _extractor(source if extractor is None else extractor, images)
    record = _record(preset, recipe, parts, _learned(recipe.dataset, data, made, reading, image_shape), extractor)
    with held(folder):
        before = begun(folder, record) if resume else None
        if before is not None and before["finished"]:
            _say(verbose, f"The training in {folder} is finished already.")
            return keras.saving.load_model(folder / MODEL)
        for unfinished in folder.glob(".*.tmp"):  # of a process that was killed as it wrote
            unfinished.unlink()
        model = compiled(recipe, max(map(len, parts.values())), preset)
        if before is None:
            _begin(folder, record, model, parts, recipe.training.batch_size)
        if not (folder / BACKUP).is_file():  # also where an earlier call was stopped before its first backup
            begin_with(recipe, model, folder, data_dir, verbose)
        once_per_epoch(folder / LOG)
        record = before or record
        if "classes" in record:
            _say(verbose, f"Labels: {', '.join(f'{i} {name}' for i, name in enumerate(record['classes']))}")
        _fit(folder, record, recipe, model, parts, extractor, sample_every, verbose)
        _finish(folder, model, read_record(folder), parts)
    _say(verbose, f"Wrote {folder}: {WEIGHTS}, {MODEL}, {SHEET}, {LOG}")
    return model


def _fit(folder: Path, record, recipe: Recipe, model: GAN, parts: dict, extractor, sample_every, verbose) -> None:
    """Trains, and writes to the folder all that is written meanwhile."""
    watched = min(map(len, parts.values())) >= LEAST_IMAGES and not HealthMonitor.cannot_watch(model)
    backup = Backup(folder / BACKUP, save_freq=BACKUP_STEPS)
    sheets = SampleGrid(folder / SAMPLES, every=sample_every, **_shown(model, parts))
    with StopBetweenSteps(backup) as stop:
        model.fit(
            parts,
            batch_size=recipe.training.batch_size,
            epochs=recipe.training.epochs,
            callbacks=[
                *([Health(folder, parts)] if watched else []),
                *_quality(folder, record, extractor, model, parts),
                keras.callbacks.CSVLogger(folder / LOG, append=True),
                *([sheets] if plot.drawable(model.image_shape) else []),
                backup,  # after these: an epoch is done when its row and sheet are there
                stop,
            ],
            verbose=verbose,
        )
    if (folder / SAMPLES).is_dir() and not (folder / SAMPLES / "samples.gif").exists():  # killed between the two
        sheets.animate(recipe.training.epochs)


def _target(parts: Mapping[str, np.ndarray]) -> str:
    """The part that the model draws: the last that holds images, as variants name them."""
    return [name for name in parts if parts[name].ndim > 1][-1]


def _shown(model: GAN, parts: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What sample sheets are drawn for, where the model must be told more than labels: of large images fewer."""
    if all(isinstance(model.data[name], Labels) for name in model.conditions()):
        return {}
    num = max(4, min(16, SHOWN_PIXELS // math.prod(parts[_target(parts)].shape[1:3])))
    return {"data": {name: part[:num] for name, part in parts.items()}}


def _check_phases(recipe: Recipe, *chain: str | Path) -> None:
    """Refuses a training that begins with what there is not, or with itself."""
    if recipe.freeze and not recipe.begin_with:
        raise ValueError("freeze: name the preset whose layers are to stay, begin_with.")
    for earlier in recipe.begin_with:
        if earlier in map(str, chain):
            raise ValueError(f"These trainings begin with one another: {' -> '.join(map(str, (*chain, earlier)))}.")
        _check_phases(presets.read_recipe(earlier), *chain, earlier)


def begin_with(recipe: Recipe, model: GAN, folder: Path, data_dir, verbose) -> None:
    """Loads the networks that the training begins with; those of a preset without weights are trained first."""
    for preset in recipe.begin_with:
        card = presets.read_card(preset)
        if card is not None:
            path = weights.locate(presets.weights_file(card))
        else:
            earlier = folder / "phases" / presets.info(preset).name
            train(preset, earlier, data_dir=data_dir, verbose=verbose)
            path = earlier / WEIGHTS
        loaded = weights.load_networks(model, path)
        _say(verbose, f"Begins with {', '.join(loaded)} of {preset}.")
        if recipe.freeze and "discriminator" not in loaded:
            raise ValueError(f"freeze: the discriminator of {preset} does not fit, and nothing of it can be kept.")


def compile_for(model: GAN, training: Training, num_steps: int) -> None:
    """Compiles `model` with a recipe's optimizers, whose schedule ends after `num_steps` training steps.

    A player that the recipe does not name keeps the optimizer of the model's own defaults, under the same schedule.
    """
    optimizers = model.default_optimizers()
    for player, chosen in training.optimizer.items():
        optimizers[player] = _optimizer(player, chosen)
    if training.schedule is not None:
        for player, optimizer in optimizers.items():
            updates = num_steps * model.updates_per_step(player)
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            optimizer.learning_rate = HoldThenLinear(rate, round(training.schedule.hold * updates), updates)
    model.compile(optimizers)


def freeze(network: keras.Model, number: int) -> None:
    """Keeps the layers of a network as they are, up to that of the so many-th kernel (FreezeD).

    Raises:
        ValueError: The network has not more kernels than that.

    Reference:
        Mo, Cho and Shin 2020, arXiv:2002.10964.
    """
    layers_ = [layer for layer in network.layers if layer.weights]
    kernels = [layer for layer in layers_ if kernel_of(layer) is not None]
    if number and number >= len(kernels):
        raise ValueError(f"The {network.name} has {len(kernels)} layers of weights: freeze fewer. Received: {number}")
    for layer in layers_[: layers_.index(kernels[number])] if number else ():
        layer.trainable = False


def _optimizer(player: str, chosen: Optimizer) -> keras.optimizers.Optimizer:
    names = [name for name, kind in vars(keras.optimizers).items() if isinstance(kind, type) and name != "Optimizer"]
    where = f"training.optimizer.{player}"
    if chosen.class_name not in names:
        near = suggestion(chosen.class_name, names)
        raise ValueError(f"{where}.class: Keras has no optimizer of that name.{near} Received: {chosen.class_name!r}")
    try:
        return getattr(keras.optimizers, chosen.class_name)(**chosen.settings())
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {chosen.class_name} does not take that: {error}") from error


def compiled(recipe: Recipe, num_images: int, preset: str | Path, **networks: Any) -> GAN:
    """The model of a recipe as it is before its first step: a function of the recipe and its seed.

    Args:
        recipe: What to build.
        num_images: In an epoch: the schedule ends after the recipe's epochs of so many.
        preset: Whose recipe it is, for errors.
        **networks: `generator`, `discriminator` in place of the model's own.
    """
    training = recipe.training
    # Initial weights and Keras' seeds come from these two generators. `keras.utils.set_random_seed` would also import
    # TensorFlow beside the other backends.
    random.seed(training.seed)
    np.random.seed(training.seed)
    seen: dict[str, Any] = dict(networks)
    if training.augment is not None:
        seen["augment"] = getattr(layers, training.augment.class_name)(**training.augment.arguments)
    model = presets.build(recipe, seed=training.seed, dtype=training.precision, **seen)
    freeze(model.discriminator, recipe.freeze)
    for player in training.optimizer:
        if player not in model.players():
            near = suggestion(player, model.players())
            raise ValueError(
                f"{presets.recipe_path(preset)}: training.optimizer.{player}: {type(model).__name__} has no player of "
                f"that name.{near} Received: {player!r}"
            )
    per_step = training.batch_size * model.discriminator_steps
    compile_for(model, training, max(num_images // per_step, 1) * training.epochs)
    return model


def _extractor(data: Any, images: np.ndarray) -> Any:
    """The extractor in whose features the training is watched; None where there is none for the data."""
    if hasattr(data, "features"):
        return data
    if str(data) not in metrics.extractor_names() or len(images) < MONITORED:
        return None
    extractor = metrics.extractor(str(data))
    return extractor if images.shape[1:] == extractor.image_shape else None


def _quality(folder: Path, record: Mapping[str, Any], extractor: Any, model: GAN, parts: Mapping) -> list:
    """Callbacks that log the distance to training images and keep the best weights, if the training began with them."""
    started, now = record.get("extractor"), extractor and extractor.id
    if started != now and started is not None:
        raise ValueError(
            f"The training in {folder} was begun with the extractor {started!r}, in whose features its log is. Install "
            f"the version of ganzoo that has it, or start afresh. Received: {now!r}"
        )
    if started is None or not set(model.conditions()) <= set(parts):  # the model makes its conditions itself
        return []
    chosen = rows_of(parts[model.target], MONITORED)
    inputs = {name: parts[name][chosen] for name in model.conditions()}
    reference = metrics.Reference(extractor, parts[model.target][chosen], inputs=inputs)
    return [MetricMonitor(metrics.scorer(reference, seed=MONITOR_SEED)), KeepBest(folder)]


# --- The folder and its record


def _learned(dataset: Dataset, data: Any, made: Mapping[str, str], reading: dict, size: Any) -> Dataset:
    """What the training learns from, as it can be read again."""
    if data is not None and str(data) != dataset.name:
        name = str(data) if isinstance(data, (str, Path)) else "array"
        dataset = Dataset(name=name, split=dataset.split)
    changed = {"derive": dict(made), "reading": reading, **({"image_shape": list(size)} if size else {})}
    return dataset.model_copy(update=changed)


def _record(preset: str | Path, recipe: Recipe, parts: Mapping[str, np.ndarray], dataset: Dataset, extractor) -> dict:
    """What is trained, on what and by what; `settings` is what a resumed training must have in common."""
    digest = hashlib.sha256()
    for part in parts.values():
        whole = np.array("\n".join(map(str, part))) if part.dtype.kind == "O" else np.ascontiguousarray(part)
        digest.update(whole.tobytes() if whole.ndim == 0 else whole.view(np.uint8).data)
    most = max(map(len, parts.values()))
    return {
        "preset": presets.info(preset).name,
        "finished": False,
        "settings": settings(recipe) | {"data": {"images": most, "sha256": digest.hexdigest()}},
        "dataset": dataset.model_dump(),
        **_class_names(dataset, parts),
        "extractor": extractor and extractor.id,
        "alarms": [],
        "backend": keras.config.backend(),
        "keras": keras.__version__,
        "commit": commit(),
    }


def _class_names(dataset: Dataset, parts: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """What the labels that were read from a folder are called, in their order: by its folders, or the ages."""
    folder = folder_of(dataset.name, dataset.split)
    if "labels" not in parts or folder is None:
        return {}
    if holds_ages(folder):
        return {"classes": age_class_names()[: parts["labels"].max() + 1]}
    return {"classes": [each.name for each in class_folders(folder)]}


def _begin(folder: Path, record: dict[str, Any], model: GAN, parts: dict, batch_size: int) -> None:
    """Opens the folder for a new training: what it held is deleted, once `fit` is known to take the data."""
    make_feed(parts, data=model.data, batch_size=batch_size, basket=model.discriminator_steps)
    clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder, record)


def _finish(folder: Path, model: GAN, record: dict[str, Any], parts: Mapping[str, np.ndarray]) -> None:
    weights.save_weights(model, folder / WEIGHTS, half=False)
    beside = folder / f"part.{MODEL}"  # Keras wants the suffix
    model.save(beside)
    os.replace(beside, folder / MODEL)
    if plot.drawable(model.image_shape):
        plot.save_samples(folder / SHEET, model, None, seed=0, **_shown(model, parts))
    once_per_epoch(folder / LOG)
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    today = time.strftime("%Y-%m-%d", time.gmtime())
    logged = [row for row in rows(folder / LOG) if MONITOR in row]
    best = min(logged, key=lambda row: float(row[MONITOR]), default=None)
    if best is not None:
        record |= {"best": {"epoch": int(best["epoch"]) + 1, MONITOR: float(best[MONITOR])}}
    write_record(folder, record | {"finished": True, "steps": steps, "trained_at": today})
    (folder / BACKUP).unlink(missing_ok=True)


def _say(verbose: int | str, text: str) -> None:
    if verbose != 0:
        print("\n".join(map(printable, text.splitlines())))
