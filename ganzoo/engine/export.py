"""The EMA generator as a file that runs without ganzoo and without Keras.

There is one route for every backend: the generator's config and weights go to a second process, which runs Keras on
TensorFlow on the CPU, writes the SavedModel there, reloads it by plain TensorFlow and hands back what it draws. Only
when that is what the generator draws here does the file appear under its name.
"""

from __future__ import annotations

import copy
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ganzoo.engine.backend import import_tensorflow

FORMATS = ("tf_saved_model",)
TOLERANCE = 1e-4  # largest difference of a pixel in [-1, 1] between the file and Keras, both in float32 on the CPU
ROUNDING = 0.02  # mean difference that TF32 on a GPU or bfloat16 may make between the live generator and float32
SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra"}
REDUCED = ("mixed_bfloat16", "bfloat16", "mixed_float16", "float16")


def export(
    model: keras.Model,
    path: str | os.PathLike,
    format: str = "tf_saved_model",
    overwrite: bool = False,
    verbose: bool = True,
) -> Path:
    """Writes the EMA generator, in inference mode, to a file for other programs.

    `"tf_saved_model"` is a TensorFlow SavedModel folder whose signature `serving_default` takes `latents`, float32
    `(batch, latent_dim)`, and returns `images`, float32 `(batch, height, width, channels)` in [-1, 1], for any batch
    size. It always computes in float32, also when the model was trained under `mixed_bfloat16`.

    The file is reloaded by plain TensorFlow and compared with Keras before it gets its name: for batches of 1 and 7
    no value differs by more than 1e-4. Whatever fails, nothing is left at `path`, and what was there stays.

    Args:
        model: A `ganzoo.GAN`, or anything with `generator_ema` (a `keras.Model` of latents) and `latent_dim` (int).
        path: The folder to write. Its parents are created.
        format: `"tf_saved_model"`.
        overwrite: Whether a SavedModel (or an empty folder) at `path` is replaced. Nothing else ever is.
        verbose: Whether to print what was written and how far it is from Keras.

    Returns:
        The absolute path written.

    Raises:
        ValueError: Unknown format; a generator that gives NaN, takes more than latents, or that another process
            cannot rebuild (the message says which class and what to do).
        FileExistsError: `path` is taken.
        ImportError: TensorFlow is not installed.
        RuntimeError: The second process failed, or the file draws other images than Keras.

    Example:
        >>> model = ganzoo.load("dcgan-mnist")
        >>> path = ganzoo.export.export(model, "dcgan")  # or model.export("dcgan")
        >>> generator = tf.saved_model.load("dcgan").signatures["serving_default"]
        >>> images = generator(latents=tf.random.normal((16, 32)))["images"]
    """
    if format not in FORMATS:
        raise ValueError(f"There is no export format of that name: choose from {list(FORMATS)}. Received: {format=}")
    path = Path(path).expanduser().absolute()
    _check_free(path, overwrite)
    import_tensorflow()  # Keras would import it to write a config, and let it take the GPU
    job = _describe(model)
    weights = [keras.ops.convert_to_numpy(keras.ops.cast(v, _float32(v.dtype))) for v in model.generator_ema.weights]
    latents = np.random.default_rng(0).normal(size=(8, model.latent_dim)).astype("float32")
    expected = _expected(model.generator_ema, job["config"], weights, latents)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        difference = _write(Path(folder), job, weights, latents, expected)
        _move(Path(folder), path)
    if verbose:
        print(f"Exported to {path}: largest difference from Keras {difference:.1e}.")
    return path


def _check_free(path: Path, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / "saved_model.pb").is_file():
        raise FileExistsError(f"Something that is not a SavedModel is in the way: name another path. Received: {path=}")
    if others := sorted({entry.name for entry in path.iterdir()} - SAVED_MODEL):
        raise FileExistsError(
            f"Other files lie in that SavedModel's folder, and would be deleted with it: name another path. "
            f"Received: {path=}, which holds {', '.join(others[:4])}"
        )
    if not overwrite:
        raise FileExistsError(f"There is a SavedModel already: pass overwrite=True to replace it. Received: {path=}")


def _move(folder: Path, path: Path) -> None:
    """Puts `folder`/saved_model at `path`; what was there goes with `folder`, or comes back if the move fails."""
    if path.exists():
        os.replace(path, folder / "old")
    try:
        os.replace(folder / "saved_model", path)
    except OSError:
        if (folder / "old").exists():
            os.replace(folder / "old", path)
        raise


# What this process prepares


def _float32(value: Any) -> Any:
    """`value` (a config, a dtype) with every reduced precision in it replaced by float32."""
    if isinstance(value, dict):
        return {key: _float32(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_float32(item) for item in value]
    return "float32" if isinstance(value, str) and value in REDUCED else value


def _describe(model: keras.Model) -> dict[str, Any]:
    """What another process needs to rebuild the generator, weights aside."""
    generator = model.generator_ema
    inputs = getattr(generator, "inputs", None) or [None]
    if len(inputs) != 1:
        names = [tensor.name for tensor in inputs]
        raise ValueError(f"Only a generator of latents alone can be exported. Received: a generator of {names}")
    config = _float32(keras.saving.serialize_keras_object(generator))
    objects = {name: (found.__module__, found.__qualname__) for name, found in _custom_objects(config)}
    for name, (module, qualname) in objects.items():
        if module == "__main__" or "<locals>" in qualname:
            raise ValueError(
                f"The generator uses {qualname!r}, defined in {module!r}. Exporting rebuilds the generator in a second "
                "process, which can import only what stands at the top level of a module: move it to a .py file of "
                "its own, under @keras.saving.register_keras_serializable(), and import it from there. "
                f"Received: {name!r} in the config of {generator.name!r}"
            )
    return {"config": config, "objects": objects, "latent_dim": int(model.latent_dim)}


def _custom_objects(config: Any) -> Iterator[tuple[str, Any]]:
    """The classes and functions in a Keras config that are not Keras' own, each under its registered name."""
    if isinstance(config, (list, tuple)):
        for item in config:
            yield from _custom_objects(item)
    elif isinstance(config, dict):
        module = config.get("module") or "__main__"
        if "class_name" in config and module.split(".")[0] != "keras":
            name = config["config"] if config["class_name"] == "function" else config.get("registered_name", "")
            here = getattr(sys.modules.get(module), config["class_name"], None)
            if (found := keras.saving.get_registered_object(name) or here) is not None:
                yield name, found
        for item in config.values():
            yield from _custom_objects(item)


def _rebuild(config: dict, objects: dict[str, Any], weights: list[np.ndarray], latents: np.ndarray) -> keras.Model:
    config = copy.deepcopy(config)  # Keras empties what it is given
    generator = keras.saving.deserialize_keras_object(config, custom_objects=objects, safe_mode=False)
    if len(generator.weights) < len(weights):  # a subclassed network has none before its first call
        generator(latents, training=False)
    generator.set_weights(weights)
    return generator


def _draw(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    return np.asarray(generator.predict_on_batch(latents), "float32")  # compiled as one, which on JAX is much faster


def _expected(generator: keras.Model, config: dict, weights: list[np.ndarray], latents: np.ndarray) -> np.ndarray:
    """What the file must draw: the generator's images in float32 on the CPU, through its config.

    The live generator may run in bfloat16, or on a GPU in TF32, where a small mistake of the file would not show.
    """
    live = _draw(generator, latents)
    if not np.isfinite(live).all():
        raise ValueError(f"The generator gives NaN or infinity: its training diverged. Received: {generator.name=}")
    try:
        with keras.device("cpu"):
            images = _draw(_rebuild(config, dict(_custom_objects(config)), weights, latents), latents)
    except Exception as error:
        raise ValueError(
            "The generator cannot be rebuilt from its config: custom layers need get_config() with every argument of "
            "their constructor, custom functions @keras.saving.register_keras_serializable(). "
            f"Received: generator={generator.name!r}, error={_reason(error)}"
        ) from error
    difference = float(np.abs(live - images).mean())
    if difference > ROUNDING:
        raise ValueError(
            "Rebuilt from its config the generator draws other images: does every custom layer's get_config() return "
            f"every argument of its constructor? Received: generator={generator.name!r}, mean difference={difference}"
        )
    return images


def _write(
    folder: Path, job: dict[str, Any], weights: list[np.ndarray], latents: np.ndarray, expected: np.ndarray
) -> float:
    """Has the second process write `folder`/saved_model; returns how far its images are from the expected ones."""
    (folder / "job.json").write_text(json.dumps(job))
    np.savez(folder / "arrays.npz", *weights, latents=latents)
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    environment["PYTHONPATH"] = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    command = [
        sys.executable,
        "-c",
        "import sys; from ganzoo.engine import export; export._second_process(sys.argv[1])",
    ]
    done = subprocess.run([*command, str(folder)], env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        report = folder / "error.txt"
        reason = report.read_text() if report.exists() else f"exit code {done.returncode}\n{done.stderr[-2000:]}"
        raise RuntimeError(f"TensorFlow did not export the generator; nothing was written. Received: {reason}")
    difference = float(np.abs(np.load(folder / "images.npy") - expected).max())
    if not difference <= TOLERANCE:
        raise RuntimeError(
            "The SavedModel draws other images than Keras does here, and was thrown away: some layer gives other "
            f"results on TensorFlow. Received: largest difference={difference}, allowed={TOLERANCE}"
        )
    return difference


def _reason(error: BaseException) -> str:
    """The heart of an error: Keras wraps it in configs that fill screens."""
    return str(error).split("Exception encountered: ")[-1].split(" Full object config")[0]


# What the second process does


def _second_process(folder: str) -> None:
    try:
        _write_saved_model(Path(folder))
    except BaseException as error:
        Path(folder, "error.txt").write_text(f"{type(error).__name__}: {_reason(error)}")
        raise


def _write_saved_model(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    with np.load(folder / "arrays.npz") as arrays:
        latents = arrays["latents"]
        weights = [arrays[f"arr_{index}"] for index in range(len(arrays.files) - 1)]
    objects = {
        name: functools.reduce(getattr, qualname.split("."), importlib.import_module(module))
        for name, (module, qualname) in job["objects"].items()
    }
    tf = import_tensorflow()
    tf.config.set_visible_devices([], "GPU")
    generator = _rebuild(job["config"], objects, weights, latents)

    def generate(latents: Any) -> dict[str, Any]:
        return {"images": keras.ops.cast(generator(latents, training=False), "float32")}

    archive = keras.export.ExportArchive()
    archive.track(generator)
    signature = [keras.InputSpec(shape=(None, job["latent_dim"]), dtype="float32", name="latents")]
    archive.add_endpoint("serving_default", generate, signature)
    archive.write_out(str(folder / "saved_model"), verbose=False)

    reloaded = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    batches = [reloaded(latents=tf.constant(batch))["images"].numpy() for batch in (latents[:1], latents[1:])]
    np.save(folder / "images.npy", np.concatenate(batches))
