"""Training from a recipe: one command makes a preset, and the same command resumes what was interrupted."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ganzoo import metrics, plot
from ganzoo.callbacks import Backup, HealthMonitor, MetricMonitor, SampleGrid
from ganzoo.callbacks.health_monitor import LEAST_IMAGES
from ganzoo.engine.feed import make_feed
from ganzoo.engine.schedules import HoldThenLinear
from ganzoo.metrics.protocol import some_of
from ganzoo.zoo import presets, weights
from ganzoo.zoo.presets import Recipe, Training
from ganzoo.zoo.registry import suggestion

if TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

RECORD, BACKUP, LOG, SAMPLES = "training.json", "backup.safetensors", "log.csv", "samples"
BACKUP_STEPS = 500  # and at the end of each epoch
WEIGHTS, MODEL, SHEET, BEST = "weights.safetensors", "model.keras", "samples.png", "best.safetensors"
HEALTH_STEPS, MONITORED, MONITOR = 200, 2000, "frechet_distance"  # steps; training images; the log's column
MONITOR_SEED = 10_000  # far from those of the evaluation: what chooses the best does not also report it


def train(
    preset: str | Path,
    output_dir: str | Path,
    *,
    data: str | Path | np.ndarray | None = None,
    data_dir: str | Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    sample_every: int = 1,
    resume: bool = True,
    verbose: int | str = "auto",
) -> GAN:
    """Trains a preset's model as its recipe says, in a folder from which an interrupted training resumes.

    Killed or stopped at any moment, the training goes on where it was when the same call is made again, and ends with
    the same model as if it had not been interrupted (the log's row of that epoch counts the steps after it). Ctrl-C
    stops after the step that runs and loses nothing; a kill loses at most the steps since the last backup. The folder
    then holds `weights.safetensors` (float32), `model.keras` (optimizers and all), `log.csv` (a row per epoch),
    `samples/` (a sheet of images per epoch), `samples.png` (64 images of the final model; no sheets where images have
    other than 1 or 3 channels) and `training.json` (what was
    trained, how and on what, and the alarms of `ganzoo.callbacks.HealthMonitor`). Where ganzoo has an extractor for the
    data, each row of the log holds the Frechet distance of 2000 images to as many of the training images, and
    `best.safetensors` the weights of the epoch in which it was least.

    Args:
        preset: A preset's name, or the path of a recipe of your own (`.yaml`).
        output_dir: The folder to write; created if missing.
        data: Instead of the recipe's data: a data set's name, the path of an `.npz` file or of a folder of images, or
            an array of images (n, height, width, channels), uint8 or float in [-1, 1].
        data_dir: A folder with the data set's original files, where it cannot be downloaded.
        image_shape: (height, width, channels) to resize a folder's images to. By default the recipe's for a folder,
            and the images' own where `data` is anything else.
        epochs: Instead of the recipe's, at least 1.
        batch_size: Instead of the recipe's: images of one discriminator step.
        seed: Instead of the recipe's. It fixes the initial weights, the latents and the order of the images.
        sample_every: Epochs from one sample sheet to the next.
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
    recipe = _effective(presets.read_recipe(preset), epochs, batch_size, seed)
    folder = Path(output_dir)
    _check_folder(folder)
    images = load_images(
        recipe.dataset.name if data is None else data,
        split=recipe.dataset.split,
        data_dir=data_dir,
        image_shape=image_shape,
        folder_shape=recipe.arguments.get("image_shape"),
    )
    recipe = recipe.model_copy(update={"arguments": {**recipe.arguments, "image_shape": list(images.shape[1:])}})
    extractor = _extractor(recipe.dataset.name if data is None else data, images)
    record = _record(preset, recipe, images, data, extractor)
    begun = _begun(folder, record) if resume else None
    if begun is not None and begun["finished"]:
        _say(verbose, f"The training in {folder} is finished already.")
        return keras.saving.load_model(folder / MODEL)
    model = _compiled(recipe, len(images), preset)
    if begun is None:
        _begin(folder, record, model, images, recipe.training.batch_size)
    record = begun or record
    watched = len(images) >= LEAST_IMAGES and not HealthMonitor.cannot_watch(model)
    backup = Backup(folder / BACKUP, save_freq=BACKUP_STEPS)
    with _StopBetweenSteps(backup) as stop:
        model.fit(
            images,
            batch_size=recipe.training.batch_size,
            epochs=recipe.training.epochs,
            callbacks=[
                *([_Health(folder, images)] if watched else []),
                *_quality(folder, record, extractor, images),
                keras.callbacks.CSVLogger(folder / LOG, append=True),
                *([SampleGrid(folder / SAMPLES, every=sample_every)] if plot.drawable(images.shape[1:]) else []),
                backup,  # after these: an epoch is done when its row and sheet are there
                stop,
            ],
            verbose=verbose,
        )
    _finish(folder, model, read_record(folder))
    _say(verbose, f"Wrote {folder}: {WEIGHTS}, {MODEL}, {SHEET}, {LOG}")
    return model


def load_images(
    data: str | Path | np.ndarray,
    *,
    split: str = "train",
    data_dir: str | Path | None = None,
    image_shape: Sequence[int] | None = None,
    folder_shape: Sequence[int] | None = None,
) -> np.ndarray:
    """Images from a data set's name, an `.npz` file, a folder, or an array, which is returned as it is.

    Args:
        data: The name, path or array.
        split: The part of a data set.
        data_dir: A folder with the data set's original files.
        image_shape: (height, width, channels) that all images are brought to. By default they keep their own.
        folder_shape: The same for a folder of images, which have no shape of their own in common.

    Returns:
        Array (n, height, width, channels), uint8 or float in [-1, 1].
    """
    if isinstance(data, np.ndarray):
        return data
    from ganzoo.data import load
    from ganzoo.data.sources import as_path

    path = as_path(data)
    shape = image_shape or (folder_shape if path is not None and path.is_dir() else None)
    images = load(data, split, data_dir=data_dir, image_shape=None if shape is None else tuple(shape))
    assert isinstance(images, np.ndarray)  # not a pair: no labels were asked for
    return images


def compile_for(model: GAN, training: Training, num_steps: int) -> None:
    """Compiles `model` with a recipe's optimizers, whose schedule ends after `num_steps` training steps.

    A player that the recipe does not name keeps the optimizer of the model's own defaults, under the same schedule.
    """
    optimizers = model.default_optimizers()
    for player, adam in training.optimizer.items():
        optimizers[player] = keras.optimizers.Adam(**adam.model_dump())
    if training.schedule is not None:
        for player, optimizer in optimizers.items():
            updates = num_steps * model.updates_per_step(player)
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            optimizer.learning_rate = HoldThenLinear(rate, round(training.schedule.hold * updates), updates)
    model.compile(optimizers)


def _effective(recipe: Recipe, epochs: int | None, batch_size: int | None, seed: int | None) -> Recipe:
    """The recipe with the caller's values in place of its own, checked like a recipe."""
    given = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        least = 0 if name == "seed" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"`{name}` must be an integer, at least {least}. Received: {name}={value!r}")
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=given)})


def _compiled(recipe: Recipe, num_images: int, preset: str | Path) -> GAN:
    """The model of a recipe as it is before its first step: a function of the recipe and its seed."""
    training = recipe.training
    # Initial weights and Keras' seeds come from these two generators. `keras.utils.set_random_seed` would also import
    # TensorFlow beside the other backends.
    random.seed(training.seed)
    np.random.seed(training.seed)
    model = presets.build(recipe, seed=training.seed, dtype=training.precision)
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
    if str(data) not in metrics.extractor_names() or len(images) < MONITORED:
        return None
    extractor = metrics.extractor(str(data))
    return extractor if images.shape[1:] == extractor.image_shape else None


def _quality(folder: Path, record: Mapping[str, Any], extractor: Any, images: np.ndarray) -> list:
    """Callbacks that log the distance to training images and keep the best weights, if the training began with them."""
    begun, now = record.get("extractor"), extractor and extractor.id
    if begun != now and begun is not None:
        raise ValueError(
            f"The training in {folder} was begun with the extractor {begun!r}, in whose features its log is. Install "
            f"the version of ganzoo that has it, or start afresh. Received: {now!r}"
        )
    if begun is None:
        return []
    reference = metrics.Reference(extractor, some_of(images, MONITORED))
    return [MetricMonitor(metrics.scorer(reference, seed=MONITOR_SEED)), _KeepBest(folder)]


class _KeepBest(keras.callbacks.Callback):
    """Writes the weights of each epoch that is better than all before it, which the log knows, also of earlier runs."""

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        before = [float(row[MONITOR]) for row in _rows(self._folder / LOG) if int(row["epoch"]) < epoch]
        if logs[MONITOR] < min(before, default=float("inf")):
            weights.save_weights(self.model, self._folder / BEST, half=False)


class _Health(HealthMonitor):
    """Writes its alarms to the record; and a training that has diverged is an error before anything of it is kept."""

    def __init__(self, folder: Path, images: np.ndarray):
        super().__init__(images, every=HEALTH_STEPS)
        self._folder = folder

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        self._raise_if_diverged()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._raise_if_diverged()

    def _raise_if_diverged(self) -> None:
        if self.alarms and self.alarms[-1][1] == "not a number":
            raise FloatingPointError(f"The training has diverged. {self.alarms[-1][2]}")

    def _alarm(self, kind: str, message: str) -> None:
        super()._alarm(kind, message)
        record, alarm = read_record(self._folder), {"step": self._step, "kind": kind}
        if alarm not in record.setdefault("alarms", []):  # a resumed training can come to the same step again
            record["alarms"].append(alarm)
        _write_record(self._folder, record)


class _StopBetweenSteps(keras.callbacks.Callback):
    """Ctrl-C ends a training after the step that runs, with a backup of it; a second Ctrl-C ends it at once.

    An interrupt in the middle of a framework's own code can come out as another error, or be lost.
    """

    def __init__(self, backup: Backup):
        super().__init__()
        self._backup, self._asked = backup, False

    def __enter__(self) -> _StopBetweenSteps:
        ordinary = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        self._ours = ordinary and threading.current_thread() is threading.main_thread()
        if self._ours:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _ask(self, *_: object) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._asked and self._backup.save():
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._asked:
            raise KeyboardInterrupt


# --- The folder and its record


def _check_folder(folder: Path) -> None:
    """Refuses a folder that holds anything but a training, before time is spent on data."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"The output must be a folder. Received: output_dir={str(folder)!r}, a file")
    visible = [path for path in folder.glob("*") if not path.name.startswith(".")]
    if visible and not (folder / RECORD).is_file():
        raise ValueError(
            "The output folder holds files that are no training of ganzoo: choose an empty or a new one. "
            f"Received: output_dir={str(folder)!r}"
        )


def _record(preset: str | Path, recipe: Recipe, images: np.ndarray, data: Any, extractor: Any) -> dict[str, Any]:
    """What is trained, on what and by what; `settings` is what a resumed training must have in common."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    given = {"name": "array" if isinstance(data, np.ndarray) else str(data)}
    return {
        "preset": presets.info(preset).name,
        "finished": False,
        "settings": settings(recipe) | {"data": {"images": len(images), "sha256": digest}},
        "dataset": recipe.dataset.model_dump() if data is None else given,
        "extractor": extractor and extractor.id,
        "alarms": [],
        "backend": keras.config.backend(),
        "keras": keras.__version__,
        "commit": _commit(),
    }


def _begun(folder: Path, record: dict[str, Any]) -> dict[str, Any] | None:
    """The record of the training that the folder holds, if it came to anything; refused if it is not this one."""
    if not (folder / RECORD).is_file():
        return None
    before = read_record(folder)
    if not before["finished"] and not any((folder / name).exists() for name in (BACKUP, LOG, SAMPLES)):
        return None
    if changes := differences(before["settings"], record["settings"]):
        raise ValueError(
            f"The training in {folder} was begun with other settings: {'; '.join(changes)}. Go on with those, "
            "choose another folder, or start afresh with resume=False (on the command line --overwrite)."
        )
    return before


def _begin(folder: Path, record: dict[str, Any], model: GAN, images: np.ndarray, batch_size: int) -> None:
    """Opens the folder for a new training: what it held is deleted, once `fit` is known to take the images."""
    make_feed(images, image_shape=model.image_shape, batch_size=batch_size, basket=model.discriminator_steps)
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_record(folder, record)


def read_record(folder: str | Path) -> dict[str, Any]:
    """Reads the `training.json` of a training folder.

    Raises:
        ValueError: The folder holds no training, or the record cannot be read.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        raise ValueError(f"There is no training in that folder: it has no {RECORD}. Received: {str(folder)!r}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(record, dict) or not {"settings", "finished"} <= set(record):
        raise ValueError(f"{path} is not the record of a training. Received: {str(record)[:80]}")
    return record


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps(record, indent=2) + "\n"
    plot.write_beside(folder / RECORD, lambda file: file.write(text.encode()))


def _clear(folder: Path) -> None:
    """Deletes what a training writes, the record last, and nothing else."""
    for name in (BACKUP, LOG, WEIGHTS, MODEL, SHEET, BEST):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / SAMPLES, ignore_errors=True)
    (folder / RECORD).unlink(missing_ok=True)


def settings(recipe: Recipe) -> dict[str, Any]:
    """Returns what of a recipe decides the outcome of a training."""
    return recipe.model_dump(mode="json", include={"model", "arguments", "training"})


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Returns a phrase for each setting that differs, such as `"training.epochs was 30, now 40"`."""
    changes = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key} was {old!r}, now {new!r}")
    return changes


def _finish(folder: Path, model: GAN, record: dict[str, Any]) -> None:
    weights.save_weights(model, folder / WEIGHTS, half=False)
    beside = folder / f"part.{MODEL}"  # Keras wants the suffix
    model.save(beside)
    os.replace(beside, folder / MODEL)
    if plot.drawable(model.image_shape):
        plot.save_samples(folder / SHEET, model, None, seed=0)
    _once_per_epoch(folder / LOG)
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    today = time.strftime("%Y-%m-%d", time.gmtime())
    rows = [row for row in _rows(folder / LOG) if MONITOR in row]
    best = min(rows, key=lambda row: float(row[MONITOR]), default=None)
    if best is not None:
        record |= {"best": {"epoch": int(best["epoch"]) + 1, MONITOR: float(best[MONITOR])}}
    _write_record(folder, record | {"finished": True, "steps": steps, "trained_at": today})
    (folder / BACKUP).unlink(missing_ok=True)


def _rows(log: Path) -> list[dict[str, str]]:
    """The log's rows. An interruption can make an epoch run, and be logged, twice: the first, of the whole, holds."""
    rows: dict[str, dict[str, str]] = {}
    if log.is_file():
        with log.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows.setdefault(row["epoch"], row)
    return list(rows.values())


def _once_per_epoch(log: Path) -> None:
    rows = _rows(log)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0] if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    plot.write_beside(log, lambda file: file.write(text.getvalue().encode()))


def _commit() -> str | None:
    """The checkout's commit, with `+` where tracked files were changed; None outside a checkout of ganzoo."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # installed into another project's checkout: not ours
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _say(verbose: int | str, text: str) -> None:
    if verbose != 0:
        print(text)
