"""Paths through the latent space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ganzoo.latent.own import options_of
from ganzoo.plot.images import checked_uint8

__all__ = ["interpolate", "slerp"]


def slerp(start: np.ndarray, end: np.ndarray, fraction: float) -> np.ndarray:
    """Spherical interpolation between vectors.

    A Gaussian latent of many dimensions lies close to a sphere. The straight line between two of them passes well
    inside, where the generator was never trained; the great circle does not.

    Args:
        start, end: `(..., latent_dim)`.
        fraction: From 0 (`start`) to 1 (`end`).

    Returns:
        sin((1 - t) omega) / sin(omega) start + sin(t omega) / sin(omega) end, with omega the angle between the two;
        the straight line where they are parallel.

    Reference:
        White 2016, "Sampling Generative Networks", arXiv:1609.04468.
    """
    norms = np.linalg.norm(start, axis=-1, keepdims=True) * np.linalg.norm(end, axis=-1, keepdims=True)
    cosine = np.sum(start * end, axis=-1, keepdims=True) / np.maximum(norms, 1e-12)
    omega = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(omega)
    straight = sine < 1e-6
    sine = np.where(straight, 1.0, sine)
    a = np.where(straight, 1 - fraction, np.sin((1 - fraction) * omega) / sine)
    b = np.where(straight, fraction, np.sin(fraction * omega) / sine)
    return a * start + b * end


def interpolate(
    model: Any,
    num_steps: int = 10,
    num_paths: int = 1,
    seed: int | None = 0,
    path: str | None = None,
    **inputs: Any,
) -> np.ndarray:
    """The images along paths through the latent space, each from one random latent to another.

    Smooth changes with a believable image at every step say that the generator has not memorised single images.

    By default the paths are great circles where the latents are Gaussian, as they are unless the model's class
    overrides `latents`. Of other latents nothing is known but that training drew them: there the path is a straight
    line, which stays among the latents wherever these fill a convex set, a cube for example, and the great circle would
    leave it.

    Args:
        model: A `ganzoo.GAN` that draws from latents. Of several named ones those called "latents" move, or the first
            of real numbers where none is called so; the others stay as they are along a path.
        num_steps: Images on a path, both ends included; at least 2.
        num_paths: How many paths.
        seed: Of the ends, drawn with NumPy: one seed gives the same paths on every backend.
        path: "spherical" (see `slerp`) or "linear"; by default what suits the latents.
        **inputs: What else the generator takes, by name as for `generate`, held fixed along a path: one for all paths
            or one for each (``labels=3``, ``labels=[0, 1, 2]``); and what the model's latents can be told.

    Returns:
        uint8 `(num_paths * num_steps, height, width, channels)`, path after path: with `columns=num_steps` each path
        is a row of the sheet. Of a model of vectors, float32 `(num_paths * num_steps, features)`.

    Raises:
        ValueError: Too few steps or paths; a model without latents; an input that is missing, unknown, or neither one
            for all paths nor one for each.

    Reference:
        The spherical path of White 2016, arXiv:1609.04468 (see `slerp`).

    Example:
        >>> images = ganzoo.latent.interpolate(model, num_steps=10, num_paths=5)
        >>> ganzoo.plot.save_png("paths.png", images, columns=10)
    """
    if num_steps < 2 or num_paths < 1:
        raise ValueError(f"Two steps make a path, one path a sheet, at least. Received: {num_steps=}, {num_paths=}")
    if path not in (None, *PATHS):
        raise ValueError(f"A path is {' or '.join(PATHS)}. Received: path={path!r}")
    options = {name: inputs.pop(name) for name in options_of(model) if name in inputs}
    generator = model._generator_of(inputs)
    names = model._names_of(generator)
    moved, along, start, end, held = _ends(model, names, num_paths, seed, options)
    if moved in inputs:
        raise ValueError(f"The path moves `{moved}`: leave them out, `seed` chooses the ends. Received: {moved}=...")
    between = along if path is None else PATHS[path]
    latents = np.stack([between(start, end, fraction) for fraction in np.linspace(0, 1, num_steps)], axis=1)
    latents = latents.reshape(num_paths * num_steps, *start.shape[1:]).astype("float32")
    ranks = {own: len(each.shape) - 1 for own, each in zip(names, generator.inputs)}
    fixed = {
        name: _along(name, values, _is_single(model, name, values, ranks), num_paths, num_steps)
        for name, values in {**held, **inputs}.items()
    }
    if model.plain and not fixed:  # as in earlier versions: `generate` may round a pixel otherwise
        images = np.asarray(model.predict(latents, verbose=0))
        return checked_uint8(images) if images.ndim == 4 else images
    return model.generate(len(latents), seed=seed, **{**fixed, moved: latents})


def _ends(
    model: Any, names: list[str], num_paths: int, seed: int | None, options: Mapping[str, Any]
) -> tuple[str, Callable, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The name of the latents that move, their path, its begins and ends, and the latents that stay."""
    from ganzoo.engine.drawing import Drawing

    if type(model).latents is Drawing.latents and "latents" in names:
        start, end = np.random.default_rng(seed).normal(size=(2, num_paths, model.latent_dim or 0))
        return "latents", slerp, start, end, {}
    drawn: Any = {}
    if type(model).latents is not Drawing.latents:
        drawn = model.seeded_latents(2 * num_paths, seed, **options)
    drawn = drawn if isinstance(drawn, dict) else {"latents": drawn}
    drawn = {name: values for name, values in drawn.items() if name in names}
    real = [name for name, values in drawn.items() if values.dtype.kind == "f"]
    if not real:
        raise ValueError(
            f"{type(model).__name__} draws from {' and '.join(f'`{name}`' for name in names)}: there are no latents to "
            "take a path through. Received: a model without latents"
        )
    moved = "latents" if "latents" in real else real[0]
    start, end = np.split(drawn.pop(moved), 2)
    return moved, _line, start, end, {name: values[:num_paths] for name, values in drawn.items()}


def _line(start: np.ndarray, end: np.ndarray, fraction: float) -> np.ndarray:
    return (1 - fraction) * start + fraction * end


PATHS = {"spherical": slerp, "linear": _line}


def _is_single(model: Any, name: str, values: Any, ranks: Mapping[str, int]) -> bool:
    """Whether an input is one for all paths."""
    if name in model.data:
        return model.data[name].is_single(values)
    return name not in ranks or np.ndim(values) == ranks[name]  # of unknown ones `generate` says what is wrong


def _along(name: str, values: Any, is_single: bool, num_paths: int, num_steps: int) -> Any:
    """An input for every step of the paths, as `generate` takes it."""
    if is_single:
        return values
    values = np.asarray(values)
    if len(values) not in (1, num_paths):
        raise ValueError(
            f"`{name}` is one for all paths, or one for each of the {num_paths}. Received: {len(values)} of them"
        )
    return values if len(values) == 1 else np.repeat(values, num_steps, axis=0)
