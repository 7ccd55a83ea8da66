"""Interrupted training that goes on as if it had not been."""

from __future__ import annotations

import hashlib
import json
import os
import re
import weakref
from pathlib import Path

import keras
import numpy as np
from keras import ops

from ganzoo.networks.architecture import architecture

__all__ = ["Backup", "keep"]

CALLBACK = "callback "  # what the names of callbacks' arrays begin with
_KEPT: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # the callbacks in training, by their model


class Backup(keras.callbacks.Callback):
    """Saves the whole training state to one file, and resumes from it when `fit` is called again.

    Killed at any moment and started again with the same command, training ends with the same weights, optimizer
    slots, averages and random states as if it had never stopped, also from the middle of an epoch (for data from
    arrays, and for other data that gives the same batches in the same order at each pass; with `steps_per_epoch` such
    data is read again from its begin up to where it was). On another backend the training goes on too, with other
    random numbers. The file is written beside and renamed, so there is always a whole one; a state that is not finite
    is not saved. It stays when training is done: a later `fit` with more epochs continues.

    The metrics that `fit` logs for the epoch of the interruption count only the steps after it. What a `HealthMonitor`
    has seen is in the file too. Other callbacks keep their own state (`EarlyStopping`'s patience, for example), which
    is not; and for the epoch of the interruption they see `on_epoch_begin` again, so let a `LearningRateScheduler`
    compute the rate from the epoch's number, not from the rate before.

    Args:
        filepath: the file, ``.safetensors`` by custom; its folder is made.
        save_freq: ``"epoch"``, or int: every so many training steps, and at the end of each epoch.

    Raises:
        ValueError: in `fit`, when the model, a layer's settings, its optimizers, or the size and number of the data's
            batches differ from those in the file: the differences are named. To start afresh, delete the file.

    Example:

        >>> model.fit(images, epochs=20, callbacks=[ganzoo.callbacks.Backup("run/backup.safetensors", save_freq=500)])
    """

    def __init__(self, filepath: str | os.PathLike, save_freq: str | int = "epoch"):
        super().__init__()
        whole = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and not whole:
            raise ValueError(f"`save_freq` is 'epoch' or a positive integer. Received: save_freq={save_freq!r}")
        self.filepath, self.save_freq = Path(filepath), save_freq
        self._settings: dict = {}
        self._epoch = self._begin = self._steps = self._skip = 0
        self._found: dict = {}

    def resume(self, model, settings: dict) -> tuple[int, int] | None:
        """Restores the model from the file, if there is one. Called by `GAN.fit`.

        Args:
            model: the compiled model.
            settings: what else must be the same in both halves of a training.

        Returns:
            (epoch, steps of it already done), or None without a file.
        """
        self.filepath.parent.mkdir(parents=True, exist_ok=True)
        self._settings, self._skip = _plain({**_hyperparameters(model), **settings}), 0
        self._found, _KEPT[model] = {}, []
        if not self.filepath.exists():
            return None
        arrays, state = _read(self.filepath)
        _refuse_differences(state["settings"], self._settings, self.filepath)
        for name, seen in state.get("callbacks", {}).items():
            own = [each for each in arrays if each.startswith(f"{CALLBACK}{name} ")]
            self._found[name] = seen, {each.removeprefix(f"{CALLBACK}{name} "): arrays.pop(each) for each in own}
        variables = _variables(model)
        if {name: tuple(v.shape) for name, v in variables.items()} != {name: a.shape for name, a in arrays.items()}:
            raise ValueError(
                f"{self.filepath} holds the variables of another architecture than this model's. Build the model as it "
                "was, or delete the file to start afresh."
            )
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self._skip = state["steps"]
        return state["epoch"], state["steps"]

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._begin, self._steps, self._skip = epoch, self._skip, self._skip, 0
        for name, callback in _kept(self.model).items():
            if name in self._found:
                callback.set_state(*self._found[name])
        self._found = {}

    def on_train_batch_end(self, batch, logs=None):
        before, self._steps = self._steps, self._begin + batch + 1  # `batch` counts from 0 where this run came in
        if self.save_freq != "epoch" and self._steps // self.save_freq > before // self.save_freq:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        self._save(epoch + 1, 0)

    def save(self) -> bool:
        """Saves the state between two steps, to be called from `on_train_batch_end`.

        Returns:
            False after an epoch's last step: `on_epoch_end` saves, when the other callbacks have seen the end too.
        """
        if between := self._steps < self._settings["steps_per_epoch"]:
            self._save(self._epoch, self._steps)
        return between

    def _save(self, epoch: int, steps: int) -> None:
        from safetensors.numpy import save

        # Through self.model, which on JAX first brings the variables up to date.
        # Contiguous, for safetensors writes memory as it lies.
        arrays = {n: np.asarray(ops.convert_to_numpy(v), order="C") for n, v in _variables(self.model).items()}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            return  # what has diverged does not replace what has not
        state: dict = {"epoch": epoch, "steps": steps, "settings": self._settings, "callbacks": {}}
        for name, callback in _kept(self.model).items():
            state["callbacks"][name], own = callback.state()
            arrays |= {f"{CALLBACK}{name} {each}": np.asarray(array, order="C") for each, array in own.items()}
        about = json.dumps(state | {"digest": _hash(arrays, state)})
        beside = self.filepath.with_name(f"{self.filepath.name}.tmp")
        try:
            with open(beside, "wb") as file:
                file.write(save(arrays, metadata={"ganzoo": about}))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.filepath)
        finally:
            beside.unlink(missing_ok=True)


def keep(callback) -> None:
    """Lets the backups of a training hold a callback's state too: what `state` returns, and `set_state` takes.

    To be called in `on_train_begin`; before the first step of a training that resumes the state is set.
    """
    others = [each for each in _KEPT.get(callback.model, []) if each() not in (None, callback)]
    _KEPT[callback.model] = [*others, weakref.ref(callback)]


def _kept(model) -> dict:
    found = [callback for each in _KEPT.get(model, []) if (callback := each()) is not None]
    return {f"{i} {type(callback).__name__}": callback for i, callback in enumerate(found)}


def _variables(model) -> dict:
    """Everything that a step reads or writes, metrics aside. By position: Keras numbers optimizers' names anew."""
    return {str(i): v for i, v in enumerate([*model.variables, *model.optimizer.variables])}


def _hyperparameters(model) -> dict:
    own = {"ema_decay": model.ema_decay, "seed": model.seed, "dtype": model.dtype_policy.name}
    own["discriminator_steps"] = model.discriminator_steps
    networks = {player: [architecture(network) for network in each] for player, each in model.players().items()}
    own["data"] = {name: {"part": type(part).__name__, **part.get_config()} for name, part in model.data.items()}
    own |= {"optimizer": model.optimizer_settings, "networks": networks}
    if (augment := getattr(model, "augment", None)) is not None:
        settings = {key: value for key, value in augment.get_config().items() if key not in ("name", "seed", "dtype")}
        own["augment"] = {"class": type(augment).__name__, **settings}
    given = {name: architecture(x) if isinstance(x, keras.Model) else x for name, x in model.arguments.items()}
    return {"model": type(model).__name__, **given, **own}


def _read(path: Path):
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            state = json.loads(file.metadata()["ganzoo"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        old = state.pop("sha256", None)  # of the arrays alone, as it was written before
        if _hash(arrays, None if old else state) != (old or state.pop("digest")):
            raise ValueError("what it holds has another hash than when it was written")
        return arrays, state
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a training backup, or it is damaged. Name another file, or delete it to start afresh."
        ) from error


def _hash(arrays: dict, state: dict | None) -> str:
    digest = hashlib.sha256()
    if state is not None:
        told = {key: value for key, value in state.items() if key != "digest"}
        about = {name: [str(array.dtype), *array.shape] for name, array in arrays.items()}
        digest.update(json.dumps([told, about], sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _refuse_differences(saved: dict, current: dict, path: Path) -> None:
    before, now = ({k: v for k, v in _flat(each).items() if not _is_layer_seed(k)} for each in (saved, current))
    if not any(key.startswith("data.") for key in before):  # written before data had parts
        now = {key: value for key, value in now.items() if not key.startswith("data.")}
    changed = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    told = [key for key in changed if not key.startswith("networks.")] or changed[:8]  # a width changes many layers
    if changed:
        raise ValueError(
            f"The training in {path} was begun under other settings, and resuming it would mix the two:\n  "
            + "\n  ".join(f"{key}: {before.get(key)} -> {now.get(key)}" for key in told)
            + "\nRestore these settings to resume, or delete the file to start afresh."
        )


def _is_layer_seed(key: str) -> bool:
    """Whether it is what a layer's seed began with: where that is now is restored."""
    return re.search(r"(^|\.)\d+ \w+\.seed$", key) is not None


def _flat(tree, prefix: str = "") -> dict:
    if isinstance(tree, list) and any(isinstance(each, dict) for each in tree):
        tree = {str(i): each for i, each in enumerate(tree)}
    if not isinstance(tree, dict):
        return {prefix: tree}
    return {k: v for key, sub in tree.items() for k, v in _flat(sub, f"{prefix}.{key}" if prefix else key).items()}


def _plain(settings: dict) -> dict:
    """As it will read back from JSON."""
    return json.loads(json.dumps(settings, default=str))
