"""The averaged generator as a file that runs without ganzoo and without Keras.

There is one route for every backend: the generator's config and weights go to a second process, which runs Keras on
TensorFlow on the CPU, writes the SavedModel there, reloads it by plain TensorFlow and hands back what it draws. Only
when that is what the generator draws here does the file appear under its name.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from ganzoo.engine.backend import import_tensorflow
from ganzoo.engine.parts import Part, input_names, pick
from ganzoo.layers import SwitchedDropout

FORMATS = ("tf_saved_model",)
TOLERANCE = 1e-4  # largest difference of a pixel in [-1, 1] between the file and Keras, both in float32 on the CPU
ROUNDING = 0.02  # mean difference that TF32 on a GPU or bfloat16 may make between the live generator and float32
NUM_EXAMPLES = 8  # compared in batches of 1 and 7
SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra"}
REDUCED = ("mixed_bfloat16", "bfloat16", "mixed_float16", "float16")


def export(
    model: keras.Model,
    path: str | os.PathLike,
    format: str = "tf_saved_model",
    overwrite: bool = False,
    verbose: bool = True,
    of: str | None = None,
) -> Path:
    """Writes the averaged generator, in inference mode, to a file for other programs.

    `"tf_saved_model"` is a TensorFlow SavedModel folder. Its signature `serving_default` takes the generator's inputs
    by name, as networks receive them, and returns `images`, float32 `(batch, height, width, channels)` in [-1, 1] (of
    models of vectors, sequences, volumes: what they draw), for any batch size:

    - latents are float32, `latents` of shape `(batch, latent_dim)` and whatever else the model's latents are named;
    - images (`source`) are float32 `(batch, height, width, channels)` in [-1, 1], of any size where the model takes
      any: bytes are to be divided by 127.5, less 1;
    - labels (`labels`) are int32 `(batch,)`, from 0 to num_classes - 1;
    - sentences (`captions`) are int32 `(batch, length)`, the numbers of their words, as
      `model.data["captions"].check(sentences, "captions")` gives them; the file holds no vocabulary.

    It always computes in float32, also when the model was trained under `mixed_bfloat16`. It draws no random numbers:
    equal inputs give equal images. `ganzoo.layers.SwitchedDropout` is switched off in it.

    The file is reloaded by plain TensorFlow and compared with Keras, on examples of each part, before it gets its
    name: for batches of 1 and 7, and for a second size where any is allowed, no value differs by more than 1e-4.
    Whatever fails, nothing is left at `path`, and what was there stays.

    Args:
        model: A `ganzoo.GAN`, or anything with `generator_ema` (a `keras.Model` of latents) and `latent_dim` (int).
        path: The folder to write. Its parents are created.
        format: `"tf_saved_model"`.
        overwrite: Whether a SavedModel (or an empty folder) at `path` is replaced. Nothing else ever is.
        verbose: Whether to print what was written and how far it is from Keras.
        of: Of a model of several generators, the one to write: the name of the part that it takes (`of="a"`). One
            file holds one generator.

    Returns:
        The absolute path written.

    Raises:
        ValueError: Unknown format; several generators and no `of`; a generator that gives NaN, draws random numbers in
            inference, or that another process cannot rebuild (the message says which class and what to do).
        FileExistsError: `path` is taken.
        ImportError: TensorFlow is not installed.
        RuntimeError: The second process failed, or the file draws other images than Keras.

    Example:
        >>> model = ganzoo.load("cgan-mnist")
        >>> path = ganzoo.export.export(model, "digits")  # or model.export("digits")
        >>> generator = tf.saved_model.load("digits").signatures["serving_default"]
        >>> images = generator(latents=tf.random.normal((16, 32)), labels=tf.fill([16], 3))["images"]
    """
    if format not in FORMATS:
        raise ValueError(f"There is no export format of that name: choose from {list(FORMATS)}. Received: {format=}")
    path = Path(path).expanduser().absolute()
    _check_free(path, overwrite)
    generator = _generator_of(model, of)
    import_tensorflow()  # Keras would import it to write a config, and let it take the GPU
    inputs = _inputs_of(model, generator)
    job = _describe(generator, inputs)
    weights = [keras.ops.convert_to_numpy(keras.ops.cast(v, _float32(v.dtype))) for v in generator.weights]
    batches = _batches(inputs)
    expected = _expected(generator, job["config"], weights, batches)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        difference = _write(Path(folder), job, weights, batches, expected)
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


# Which generator, and what it takes


class _Input(NamedTuple):
    shape: tuple[int | None, ...]  # of one example, None where any size is allowed
    examples: np.ndarray  # (8, ...), as networks receive them


def _generator_of(model: Any, of: str | None) -> keras.Model:
    """The averaged generator that is asked for."""
    if not hasattr(model, "generators"):
        taken: list[tuple[keras.Model, list[str]]] = [(model.generator_ema, [])]
    else:
        taken = [(model.average_of(generator), model.conditions(generator)) for generator in model.generators()]
    chosen = [generator for generator, names in taken if of in names or (of is None and len(taken) == 1)]
    if len(chosen) == 1:
        return chosen[0]
    known = " or ".join(f"of={name!r}" for _, names in taken for name in names)
    if len(taken) > 1:
        options = " or ".join(f"--of {name}" for _, names in taken for name in names)
        fix = f"This model has several generators, and a file holds one: say {known} (on the command line {options})"
    else:
        fix = "This model has one generator: leave `of` out"
    raise ValueError(f"{fix}. Received: of={of!r}")


def _inputs_of(model: Any, generator: keras.Model) -> dict[str, _Input]:
    """What the generator takes, by the names of the parts and of the latents."""
    data, tensors = getattr(model, "data", {}), getattr(generator, "inputs", None)
    names = input_names(generator, "latents", data) if tensors else ["latents"]  # a subclassed network names none
    shapes = [tuple(x.shape[1:]) for x in tensors] if tensors else [(model.latent_dim,)]
    taken = dict(zip(names, shapes))
    drawn = _latents(model, {name: shape for name, shape in taken.items() if name not in data})
    if missing := [name for name in names if name not in data and name not in drawn]:
        raise ValueError(
            f"The generator takes {missing[0]!r}, which is no part of the data and no latent: name its inputs after "
            f"them (keras.Input(..., name=)). Received: data of {', '.join(data)}; latents {', '.join(drawn)}"
        )
    return {
        name: _of_part(data[name], shape, name, seed) if name in data else _of_latents(drawn[name], shape)
        for seed, (name, shape) in enumerate(taken.items())
    }


def _latents(model: Any, shapes: Mapping[str, tuple]) -> dict[str, np.ndarray]:
    """The model's own latents by name; those of a model that has no say in them are from N(0, 1)."""
    if not shapes:
        return {}
    if not hasattr(model, "seeded_latents"):
        rng = np.random.default_rng(0)
        return {name: rng.normal(size=(NUM_EXAMPLES, *shape)).astype("float32") for name, shape in shapes.items()}
    drawn = model.seeded_latents(NUM_EXAMPLES, 0)
    return drawn if isinstance(drawn, dict) else {"latents": drawn}


def _of_latents(drawn: np.ndarray, taken: tuple) -> _Input:
    return _Input(taken if len(taken) == drawn.ndim - 1 else drawn.shape[1:], drawn)


def _of_part(part: Part, taken: tuple, name: str, seed: int) -> _Input:
    """An input that is a part of the data; the network may fix a size that the part leaves open, or leave it open."""
    part = part.of_shape(taken)
    packed = part.check(part.examples(NUM_EXAMPLES, seed), name, True)
    examples = keras.ops.convert_to_numpy(part.to_device(keras.ops.convert_to_tensor(packed)))
    return _Input(part.shape, examples.astype(part.dtype, copy=False))


def _batches(inputs: Mapping[str, _Input]) -> list[dict[str, np.ndarray]]:
    """What the file and Keras are both given: the examples, and twice as wide ones where any size is allowed."""
    batches = [{name: given.examples for name, given in inputs.items()}]
    free = {name: [i for i, n in enumerate(given.shape, 1) if n is None] for name, given in inputs.items()}
    if any(free.values()):
        double = {name: np.concatenate([x, x[::-1]], free[name][-1]) for name, x in batches[0].items() if free[name]}
        batches.append({**batches[0], **double})
    return batches


# What this process prepares


def _float32(value: Any) -> Any:
    """`value` (a config, a dtype) with every reduced precision in it replaced by float32."""
    if isinstance(value, dict):
        return {key: _float32(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_float32(item) for item in value]
    return "float32" if isinstance(value, str) and value in REDUCED else value


def _describe(generator: keras.Model, inputs: Mapping[str, _Input]) -> dict[str, Any]:
    """What another process needs to rebuild the generator and to name what it takes, weights aside."""
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
    signature = {name: ([None, *given.shape], str(given.examples.dtype)) for name, given in inputs.items()}
    return {"config": config, "objects": objects, "signature": signature}


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


def _rebuild(config: dict, objects: dict[str, Any], weights: list[np.ndarray], batch: Mapping) -> keras.Model:
    """The generator of a config and weights, with nothing kept on that draws."""
    config = copy.deepcopy(config)  # Keras empties what it is given
    generator = keras.saving.deserialize_keras_object(config, custom_objects=objects, safe_mode=False)
    if len(generator.weights) < len(weights):  # a subclassed network has none before its first call
        generator(_given(generator, batch), training=False)
    generator.set_weights(weights)
    for layer in _switches(generator):
        layer.kept_on = False
    return generator


def _given(generator: keras.Model, batch: Mapping[str, Any]) -> Any:
    """A batch by name, as the generator is called with it."""
    first = next(iter(batch))
    return pick(generator, batch, first) if getattr(generator, "inputs", None) else batch[first]


def _draw(generator: keras.Model, batch: Mapping[str, np.ndarray]) -> np.ndarray:
    images = generator.predict_on_batch(_given(generator, batch))  # compiled as one, which on JAX is much faster
    return np.asarray(images, "float32")


def _switches(generator: keras.Model) -> list[SwitchedDropout]:
    layers = generator._flatten_layers()  # those inside of networks and layers too
    return [layer for layer in layers if isinstance(layer, SwitchedDropout)]


@contextlib.contextmanager
def _switched_off(generator: keras.Model) -> Iterator[None]:
    """Inside, the dropout of the live generator acts in training alone; a compiled function holds the switches."""
    switches = [(layer, layer.kept_on) for layer in _switches(generator)]
    try:
        for layer, _ in switches:
            layer.kept_on, generator.predict_function = False, None
        yield
    finally:
        for layer, kept_on in switches:
            layer.kept_on, generator.predict_function = kept_on, None


def _expected(generator: keras.Model, config: dict, weights: list[np.ndarray], batches: list[dict]) -> list[np.ndarray]:
    """What the file must draw for each batch: the generator's images in float32 on the CPU, through its config.

    The live generator may run in bfloat16, or on a GPU in TF32, where a small mistake of the file would not show.
    """
    with _switched_off(generator):
        live = _draw(generator, batches[0])
    if not np.isfinite(live).all():
        raise ValueError(f"The generator gives NaN or infinity: its training diverged. Received: {generator.name=}")
    with keras.device("cpu"):
        try:
            rebuilt = _rebuild(config, dict(_custom_objects(config)), weights, batches[0])
            seeds = _seeds(rebuilt)
            images = _draw(rebuilt, batches[0])
        except Exception as error:
            raise ValueError(
                "The generator cannot be rebuilt from its config: custom layers need get_config() with every argument "
                "of their constructor, custom functions @keras.saving.register_keras_serializable(). "
                f"Received: generator={generator.name!r}, error={_reason(error)}"
            ) from error
        _refuse_random(rebuilt, seeds, images, _draw(rebuilt, batches[0]))
        rest = [_draw(rebuilt, batch) for batch in batches[1:]]
    difference = float(np.abs(live - images).mean())
    if difference > ROUNDING:
        raise ValueError(
            "Rebuilt from its config the generator draws other images: does every custom layer's get_config() return "
            f"every argument of its constructor? Received: generator={generator.name!r}, mean difference={difference}"
        )
    return [images, *rest]


def _seeds(layer: keras.layers.Layer) -> dict[int, tuple[int, ...]]:
    """The states of all random generators inside of a layer: they move when it draws random numbers."""
    from ganzoo.networks.making import fix_seeds, seed_states  # beside this module in the order of imports

    fix_seeds(layer)  # else those of Keras' dropout do not move on torch
    return {id(state): tuple(keras.ops.convert_to_numpy(state)) for state in seed_states(layer)}


def _refuse_random(generator: keras.Model, before: dict, first: np.ndarray, second: np.ndarray) -> None:
    """Raises a ValueError, with the layer's name, for a generator that draws random numbers for its images."""

    def drew(layer: keras.layers.Layer) -> bool:
        return any(before.get(key, state) != state for key, state in _seeds(layer).items())

    layers = [layer for layer in generator._flatten_layers() if drew(layer)]
    innermost = [each for each in layers if not any(map(drew, each._flatten_layers(include_self=False)))]
    if not layers and np.abs(first - second).max() <= TOLERANCE:
        return
    names = ", ".join(f"{layer.name!r} ({type(layer).__name__})" for layer in innermost)
    raise ValueError(
        "The generator draws random numbers in inference, and a file gives equal images for equal inputs. Let the "
        "layer draw in training alone (`if training:`), make its noise an input that the model's `latents` draw, or "
        "use ganzoo.layers.SwitchedDropout, which is switched off in the file. "
        f"Received: the layer {names or 'of a random operation without keras.random.SeedGenerator'} "
        f"of {generator.name!r}"
    )


def _write(folder: Path, job: dict, weights: list[np.ndarray], batches: list[dict], expected: list) -> float:
    """Has the second process write `folder`/saved_model; returns how far its images are from the expected ones."""
    (folder / "job.json").write_text(json.dumps(job))
    examples = {f"{i}/{name}": values for i, batch in enumerate(batches) for name, values in batch.items()}
    np.savez(folder / "arrays.npz", *weights, **examples)
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
    with np.load(folder / "images.npz") as drawn:
        difference = max(float(np.abs(drawn[f"arr_{i}"] - images).max()) for i, images in enumerate(expected))
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
    weights, batches = _arrays(folder / "arrays.npz")
    objects = {
        name: functools.reduce(getattr, qualname.split("."), importlib.import_module(module))
        for name, (module, qualname) in job["objects"].items()
    }
    tf = import_tensorflow()
    tf.config.set_visible_devices([], "GPU")
    generator = _rebuild(job["config"], objects, weights, batches[0])

    def generate(*given: Any) -> dict[str, Any]:
        batch = dict(zip(job["signature"], given))
        return {"images": keras.ops.cast(generator(_given(generator, batch), training=False), "float32")}

    archive = keras.export.ExportArchive()
    archive.track(generator)
    signature = [keras.InputSpec(shape=shape, dtype=dtype, name=n) for n, (shape, dtype) in job["signature"].items()]
    archive.add_endpoint("serving_default", generate, signature)
    archive.write_out(str(folder / "saved_model"), verbose=False)

    reloaded = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    np.savez(folder / "images.npz", *(_in_two(reloaded, batch, tf.constant) for batch in batches))


def _arrays(path: Path) -> tuple[list[np.ndarray], list[dict[str, np.ndarray]]]:
    """The weights, and the batches by name, as `_write` put them there."""
    weights: list[np.ndarray] = []
    batches: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            number, _, name = key.partition("/")
            if name:
                batches.setdefault(number, {})[name] = arrays[key]
            else:
                weights.append(arrays[key])
    return weights, list(batches.values())


def _in_two(signature: Any, batch: Mapping[str, np.ndarray], as_tensor: Any) -> np.ndarray:
    """The images of a batch, drawn by the file as a batch of 1 and one of 7."""
    parts = [{name: as_tensor(x[rows]) for name, x in batch.items()} for rows in (slice(1), slice(1, None))]
    return np.concatenate([signature(**part)["images"].numpy() for part in parts])
