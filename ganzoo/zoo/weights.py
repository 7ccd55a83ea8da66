"""How a model's weights are written to a safetensors file and read from one."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.zoo.download import WeightsError, WeightsFile, cache_dir, locate, sha256

if TYPE_CHECKING:
    import keras

__all__ = [
    "WeightsError",
    "WeightsFile",
    "cache_dir",
    "load_networks",
    "load_weights",
    "locate",
    "save_weights",
    "sha256",
]

NOT_FINITE = "not finite, or out of the range"
FORMAT = 1  # version of the weights files' layout


def save_weights(model: Any, path: str | os.PathLike[str], half: bool = True) -> None:
    """Writes the weights of a model's networks to a safetensors file; averaged ones where the network has them.

    A variable is stored as "<network>/<path>", the path made of the names of the layers around it and its own (for a
    layer `conv1` of the generator, "generator/conv1/kernel"). Seed states, metrics and optimizers are not stored. The
    same weights always give the same bytes.

    Args:
        model: Anything with `networks` and `moving_averages`, dictionaries of built Keras models by name.
        path: The file to write. It is written beside and renamed, so that it is there whole or not at all.
        half: Whether variables of two or more axes are stored in float16, those that it can hold.

    Raises:
        WeightsError: If a network is not built, a value is not finite or two variables have the same path.

    Example:
        >>> model = ganzoo.DCGAN(image_shape=(28, 28, 1))
        >>> save_weights(model, "dcgan.safetensors")
    """
    from safetensors.numpy import save

    path = Path(path)
    tensors = {key: _stored(key, variables[0], half) for key, variables in _variables(model).items()}
    # One entry, for safetensors writes several in an order that changes from run to run, and with it the hash.
    metadata = {"ganzoo": json.dumps({"format": FORMAT, "model": type(model).__name__}, sort_keys=True)}
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(save(tensors, metadata))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Reads a file that `save_weights` wrote into a model's networks, and into their averaged copies.

    Everything is checked first: if the file does not fit the model exactly, nothing is changed.

    Args:
        model: Anything with `networks` and `moving_averages`, dictionaries of built Keras models by name.
        path: A safetensors file. Nothing in it is executed.

    Raises:
        WeightsError: If the file cannot be read, its keys or shapes are not the model's, or a value is not finite.

    Example:
        >>> load_weights(model, "dcgan.safetensors")
    """
    tensors, written_by = _read(Path(path))
    wanted = _variables(model)
    problems = _misfits(tensors, wanted)
    if problems:
        listed = "\n  ".join(problems[:12] + ([f"and {len(problems) - 12} more"] if len(problems) > 12 else []))
        fix = f"Build the model with the options of the file's training{written_by}, and name its layers explicitly"
        if all(problem.startswith(NOT_FINITE) for problem in problems):
            fix = "The training that wrote it had diverged: take the weights of an earlier epoch"
        raise WeightsError(
            f"The file does not fit the model ({type(model).__name__}); nothing was changed.\n  {listed}\n{fix}. "
            f"Received: path={str(path)!r}"
        )
    for key, variables in wanted.items():
        for variable in variables:
            variable.assign(tensors[key])


def load_networks(model: Any, path: str | os.PathLike[str]) -> list[str]:
    """Reads those networks of a file that fit the model's of the same name exactly, and leaves the others as they are.

    Returns:
        Their names.

    Raises:
        WeightsError: If the file cannot be read, or none of its networks fits.
    """
    tensors, written_by = _read(Path(path))
    wanted, problems, loaded = _variables(model), [], []
    for name in model.networks:
        own = {key: variables for key, variables in wanted.items() if key.startswith(f"{name}/")}
        given = {key: value for key, value in tensors.items() if key.startswith(f"{name}/")}
        if given and not (misfits := _misfits(given, own)):
            loaded.append(name)
            for key, variables in own.items():
                for variable in variables:
                    variable.assign(given[key])
        elif given:
            problems += misfits
    if not loaded:
        raise WeightsError(
            f"No network of the file fits the model ({type(model).__name__}){written_by}: {'; '.join(problems[:4])}. "
            f"Build both with the same networks. Received: path={str(path)!r}"
        )
    return loaded


def _stored(key: str, variable: keras.Variable, half: bool) -> Any:
    import keras
    import numpy as np

    value = np.array(keras.ops.convert_to_numpy(variable), order="C")  # safetensors writes memory as it lies
    if not np.issubdtype(value.dtype, np.integer) and value.dtype != bool:
        value = value.astype("float32")  # bfloat16 too, which NumPy does not know as floating
        if not np.isfinite(value).all():
            raise WeightsError(f"A value is not finite, the training diverged. Take earlier weights. Received: {key=}")
        if half and value.ndim >= 2 and np.abs(value).max(initial=0) <= np.finfo("float16").max:
            value = value.astype("float16")
    return value


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """The file's tensors by key, and " (model ...)" if the file says what it was written from."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError(f"There is no such weights file. Received: path={str(path)!r}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            about = json.loads((file.metadata() or {}).get("ganzoo", "{}"))
            version, model = int(about.get("format", FORMAT)), about.get("model")
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"This is not a readable safetensors file: {error}. Received: path={str(path)!r}") from error
    if version > FORMAT:
        fix = "Upgrade ganzoo"
        raise WeightsError(f"The file has format {version}, newer than {FORMAT}. {fix}. Received: path={str(path)!r}")
    return tensors, f" (it was written from {model})" if model else ""


def _misfits(tensors: dict[str, Any], wanted: dict[str, tuple[keras.Variable, ...]]) -> list[str]:
    """One line for each way in which the file is not what the model needs."""

    unexpected = sorted(tensors.keys() - wanted.keys())
    lines = []
    for key in sorted(wanted.keys() - tensors.keys()):
        close = difflib.get_close_matches(key, unexpected, n=1)
        lines.append(f"missing: {key}" + (f" (the file has {close[0]})" if close else ""))
    for key in unexpected:
        close = difflib.get_close_matches(key, wanted, n=1)
        lines.append(f"unexpected: {key}" + (f" (the model has {close[0]})" if close else ""))
    for key in sorted(wanted.keys() & tensors.keys()):
        value, shape = tensors[key], tuple(wanted[key][0].shape)
        if value.shape != shape:
            lines.append(f"shape: {key} is {value.shape} in the file, {shape} in the model")
        elif not _fits(value, str(wanted[key][0].dtype)):
            lines.append(f"{NOT_FINITE} of {wanted[key][0].dtype}: {key}")
    return lines


def _fits(value: Any, dtype: str) -> bool:
    """Whether all numbers are finite, and still are once they are cast."""
    import numpy as np

    if dtype.startswith(("int", "uint")):
        limits = np.iinfo(dtype)
        return bool(np.isfinite(value).all() and (value >= limits.min).all() and (value <= limits.max).all())
    with np.errstate(over="ignore"):
        return bool(np.isfinite(value.astype("float16" if dtype == "float16" else "float32")).all())


def _variables(model: Any) -> dict[str, tuple[keras.Variable, ...]]:
    """The variables behind each key: the one whose value is stored first, then all that a loaded value goes to."""
    found: dict[str, tuple[keras.Variable, ...]] = {}
    for name, network in model.networks.items():
        averaged = model.moving_averages.get(name, network)
        pairs, copies = _named(network), _named(averaged)
        if not pairs:
            raise WeightsError(f"The network {name!r} has no weights yet. Build it first. Received: network={name!r}")
        if [variable.shape for _, variable in pairs] != [variable.shape for _, variable in copies]:
            raise WeightsError(f"The averaged {name!r} has another architecture than {name!r}. Received: name={name!r}")
        for (path, variable), (_, copy) in zip(pairs, copies):
            key = f"{name}/{path}"
            if key in found:
                fix = "Give the layers of a network names that differ"
                raise WeightsError(f"Two variables have the same path. {fix}. Received: key={key!r}")
            found[key] = (copy,) if copy is variable else (copy, variable)
    return found


def _named(network: keras.Model) -> list[tuple[str, keras.Variable]]:
    """A network's weights by path, which depends on the names of the layers alone.

    Keras' `variable.path` alone does not do: it begins with the name of a Sequential or subclassed model and of every
    model whose `build` was under way, automatic ones among them ("sequential_1/conv/kernel"), and after
    `load_model` or `from_config` it lacks the names of nested models and wrappers.
    """
    pairs: list[tuple[str, keras.Variable]] = []
    seen: set[int] = set()
    for path, variable in _walk(network):
        if id(variable) not in seen:  # a layer that is used in two places is stored once
            seen.add(id(variable))
            pairs.append((path, variable))
    return pairs


def _walk(network: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from ((f"{layer.name}/{path}", variable) for path, variable in _walk(layer))
        else:
            yield from ((_below(layer, variable), variable) for variable in layer.weights)
    yield from ((_below(network, variable).partition("/")[2], variable) for variable in network.weights)


def _below(layer: keras.Layer, variable: keras.Variable) -> str:
    """The variable's path from the layer's own name on."""
    names = variable.path.split("/")
    return "/".join(names[names.index(layer.name) :] if layer.name in names else [layer.name, *names])
