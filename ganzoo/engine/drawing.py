"""What a model draws: `generate`, `predict`, and the latents that they start from."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import secrets
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.data.preprocessing import check_positive, to_uint8
from ganzoo.engine import backend
from ganzoo.engine.backend.scope import StepScope
from ganzoo.engine.before import named_arguments
from ganzoo.engine.mixin import Mixin
from ganzoo.engine.parts import Images, Part, input_names, pick
from ganzoo.networks.making import seed_states

__all__ = ["Drawing"]


class Drawing(Mixin):
    """What of `BaseGAN` is about drawing."""

    def noise(self, kind: str, shape):
        """All randomness inside a step: ``"normal"`` N(0, 1) or ``"uniform"`` U[0, 1), float32 of the given shape."""
        draw = {"normal": keras.random.normal, "uniform": keras.random.uniform}[kind]
        if isinstance(rng := self._noise_seed, np.random.Generator):  # outside of a step: the same on every backend
            array = rng.standard_normal(shape, "float32") if kind == "normal" else rng.random(shape, "float32")
            return ops.convert_to_tensor(array)
        return draw(shape, dtype="float32", seed=self._noise_seed)

    def latents(self, num: int):
        """Fresh latents, for the steps and for `generate`: float32 (num, latent_dim) from N(0, 1).

        A variant of several gives a dictionary by the generator's inputs. Further arguments, with defaults, become
        arguments of `generate` (``truncation=.7``).
        """
        return self.noise("normal", (num, self.latent_dim))

    def generators(self) -> list[keras.Model]:
        """The networks that `generate` asks; where there are several, by the part that is given."""
        return [self.generator]

    def average_of(self, network: keras.Model) -> keras.Model:
        """The network's moving average, or the network itself where it has none."""
        name = self._average_names.get(id(network))
        return network if name is None else getattr(self, name)

    def call(self, inputs, training: bool = False):
        """The generator's inputs, a tensor or a dictionary by name, to float32 images, averaged unless training."""
        given = inputs if isinstance(inputs, Mapping) else {}
        generator = self._generator_of(given)
        if not isinstance(inputs, Mapping):
            inputs = {input_names(generator, "latents", self.data)[0]: inputs}
        if missing := [name for name in self._names_of(generator) if name not in inputs]:
            raise ValueError(
                f"{type(self).__name__} draws from {' and '.join(f'`{name}`' for name in self._names_of(generator))}: "
                f"give them all, by these names. Received: {', '.join(inputs)}; no {missing[0]}"
            )
        batch = {name: self._to_device(name, x) for name, x in inputs.items()}
        network = generator if training else self.average_of(generator)
        return network(pick(network, batch, "latents"), training=training)

    def predict(self, x, *args, **kwargs):
        """As in Keras: float images in [-1, 1] for the generator's inputs, an array or a dictionary by name."""
        if isinstance(x, Mapping):
            parts = self._parts_of(self._generator_of(x))
            x = {name: parts[name].check(v, name, True) if name in parts else v for name, v in x.items()}
        return super().predict(x, *args, **kwargs)

    def generate(
        self,
        n: int | None = None,
        *before,
        seed: int | None = None,
        batch_size: int = 256,
        averaged: bool = True,
        dtype: str | None = None,
        **inputs: Any,
    ) -> np.ndarray:
        """New images from the averaged generator.

        Args:
            n: int, how many; may be left out where an input says it.
            seed: int; one seed gives the same latents on every backend, drawn with NumPy, and the same images at every
                call. (Where a layer draws in inference, other images on another backend or with another batch_size.)
                None draws anew each time.
            batch_size: int, images computed at once.
            averaged: False draws with the generator in training instead of its moving average.
            dtype: "uint8" or "float32", in [-1, 1] and finer than 8 bits. By default uint8 for images.
            **inputs: by name what the generator takes: for all images alike, or one for each (``labels=3``,
                ``source=photos``, ``captions=["a red heart"]``, also latents of one's own); and what the model's
                latents can be told (``truncation=.7``).

        Returns:
            uint8 (n, height, width, channels), or float32; float32 (n, ...) of models of vectors, sequences, volumes.

        Raises:
            ValueError: n is not a positive integer; an input is missing, unknown, or not what the generator takes;
                another dtype.

        Example:

            >>> images = ganzoo.load("dcgan-mnist").generate(16, seed=0)            # uint8 (16, 28, 28, 1)
            >>> sevens = ganzoo.load("cgan-mnist").generate(16, labels=7, seed=0)
        """
        if before:
            given = {"seed": seed, "batch_size": batch_size, "averaged": averaged, **inputs}
            inputs = {**given, **named_arguments(before)}
            seed, batch_size, averaged = (inputs.pop(name) for name in ("seed", "batch_size", "averaged"))
        inputs = {name: values for name, values in inputs.items() if values is not None}
        check_positive(batch_size=batch_size, **({} if n is None else {"n": n}))
        check_seed(seed)
        is_image = isinstance(self.data[self.target], Images)
        if dtype not in (("uint8", "float32", None) if is_image else ("float32", None)):
            raise ValueError(f"Images are drawn in uint8 or float32, other numbers in float32. Received: {dtype=}")
        generator = self._generator_of(inputs)
        parts = self._inputs_for(generator, n, seed, inputs)
        network = self.average_of(generator) if averaged else generator
        begins = range(0, len(next(iter(parts.values()))), batch_size)
        states, entropy = seed_states(network), secrets.randbits(64) if seed is None else seed
        drawn = []
        for begin in begins:
            batch = {name: self._to_device(name, part[begin : begin + batch_size]) for name, part in parts.items()}
            with backend.no_gradient(), StepScope(_seeded(states, entropy, begin)):
                drawn.append(ops.convert_to_numpy(network(pick(network, batch, "latents"), training=False)))
        images = np.concatenate(drawn).astype("float32", copy=False)
        return to_uint8(images) if is_image and dtype != "float32" else images

    def inputs_for(self, n: int | None = None, seed: int | None = None, **inputs: Any) -> dict[str, np.ndarray]:
        """All that `generate(n, seed=seed, **inputs)` draws its images from, (n, ...) each, by name.

        Args:
            n, seed, **inputs: as for `generate`.

        Returns:
            Arrays by the names of the generator's inputs, which `generate` takes again: ``generate(**inputs)``.
        """
        inputs = {name: values for name, values in inputs.items() if values is not None}
        return self._inputs_for(self._generator_of(inputs), n, seed, inputs)

    def seeded_latents(self, n: int, seed: int | None = None, **options: Any) -> Any:
        """What `generate` draws from: latents as in training, drawn with NumPy, so that every backend has the same.

        Args:
            n: int, how many.
            seed: int; None draws anew each time.
            **options: what the model's `latents` can be told.

        Returns:
            float32 (n, latent_dim), or a dictionary of arrays by name where the model has several.
        """
        with backend.no_gradient(), self._noise_of(np.random.default_rng(seed)):
            return keras.tree.map_structure(ops.convert_to_numpy, self.latents(n, **options))

    def seeded_fake(self, real, seed: int = 0):
        """`fake(real, training=False)` with latents, and layers that draw, of a seed; no state of the model is moved.

        Args:
            real: a batch as losses take it (`as_batch`).
            seed: int.
        """
        states = _seeded(seed_states(self.generator), seed, 0)
        with backend.no_gradient(), StepScope(states), self._noise_of(np.random.default_rng(seed)):
            return self.fake(real, training=False)

    @contextlib.contextmanager
    def _noise_of(self, generator):
        """`noise` draws from this generator inside."""
        before, self._noise_seed = self._noise_seed, generator
        try:
            yield
        finally:
            self._noise_seed = before

    def conditions(self, generator: keras.Model | None = None) -> list[str]:
        """The parts of the data that the generator takes: what `generate` must be told."""
        return [name for name in self._names_of(generator or self.generator) if name in self.data]

    # Inputs ----------------------------------------------------------------------------------------------------------

    def _names_of(self, generator: keras.Model) -> list[str]:
        return input_names(generator, "latents", self.data)

    def _parts_of(self, generator: keras.Model) -> dict[str, Part]:
        """The data, those that the generator takes in the sizes that it takes: any, where training has one."""
        taken = {name: tuple(x.shape[1:]) for name, x in zip(self._names_of(generator), generator.inputs)}
        return {name: part.of_shape(taken.get(name, part.shape)) for name, part in self.data.items()}

    def _generator_of(self, inputs: Mapping[str, Any]) -> keras.Model:
        """The generator that takes what is given, where a model has several."""
        generators = self.generators()
        if len(generators) == 1:
            return generators[0]
        asked = [each for each in generators if (own := self.conditions(each)) and set(own) <= set(inputs)]
        if len(asked) != 1:
            calls = " or ".join(f"generate({', '.join(f'{c}=...' for c in self.conditions(g))})" for g in generators)
            raise ValueError(f"This model has several generators: ask one of them, {calls}. Received: {list(inputs)}")
        return asked[0]

    def _inputs_for(self, generator, n: int | None, seed, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """All inputs of the generator, (n, ...) each: those given, and latents."""
        names = self._names_of(generator)
        options = list(inspect.signature(self.latents).parameters)[1:]
        self._refuse_unknown(inputs, names, options)
        given = {name: self._checked(generator, name, inputs[name]) for name in names if name in inputs}
        if missing := [name for name in names if name in self.data and name not in given]:
            raise ValueError(
                f"{type(self).__name__} draws from {' and '.join(f'`{name}`' for name in names)}: say "
                f"generate(..., {missing[0]}=...) ({missing[0]}=... as a command). Received: no {', '.join(missing)}"
            )
        count = n if n is not None else max(map(len, given.values()), default=0)
        if not count:
            raise ValueError("Say how many images to draw: generate(16). Received: n=None")
        for name, values in given.items():
            if len(values) not in (1, count):
                raise ValueError(f"`{name}` is one for all {count} images, or one for each. Received: {len(values)}")
            given[name] = np.repeat(values, count, axis=0) if len(values) < count else values
        if all(name in given for name in names):
            return given
        drawn = self.seeded_latents(count, seed, **{key: inputs[key] for key in inputs if key not in names})
        drawn = drawn if isinstance(drawn, dict) else {"latents": drawn}
        return {name: given[name] if name in given else drawn[name] for name in names}

    def _refuse_unknown(self, inputs: Mapping[str, Any], names: list[str], options: list[str]) -> None:
        for name in inputs:
            if name not in names and name not in options:
                close = difflib.get_close_matches(name, [*names, *options], n=1, cutoff=0.8)
                fix = f"Did you mean {close[0]!r}?" if close else "Leave it out."
                raise ValueError(
                    f"{type(self).__name__} draws from {' and '.join(f'`{each}`' for each in [*names, *options])}, and "
                    f"knows no `{name}`. {fix} Received: {name}={str(inputs[name])[:80]}"
                )

    def _checked(self, generator: keras.Model, name: str, values: Any) -> np.ndarray:
        if np.size(values) == 0:
            raise ValueError(f"`{name}` holds nothing to draw from. Received: {name}={values!r}")
        if name in self.data:
            part = self._parts_of(generator)[name]
            if isinstance(values, (str, bytes)) and not part.takes_names:
                raise ValueError(
                    f"`{name}` is {type(part).__name__}, given as numbers: read files with ganzoo.data.load_folder. "
                    f"Received: {name}={values!r:.80}"
                )
            return part.check(np.asarray(values)[None] if part.is_single(values) else values, name, True)
        shape = tuple(next((x for x in generator.inputs if x.name == name), generator.inputs[0]).shape[1:])
        array = np.asarray(values, "float32")
        array = array[None] if array.ndim == len(shape) else array
        if array.shape[1:] != shape or not np.isfinite(array).all():
            raise ValueError(f"`{name}` are finite numbers (n, {', '.join(map(str, shape))}). Received: {array.shape}")
        return array

    def _to_device(self, name: str, values: np.ndarray):
        tensor = ops.convert_to_tensor(values)
        return self.data[name].to_device(tensor) if name in self.data else tensor


def _seeded(states: list, entropy: int, begin: int) -> list:
    """The random states of layers that draw in inference, for one batch of images."""
    return [
        (state, ops.cast(np.random.SeedSequence([entropy, begin, i]).generate_state(2) >> 1, state.dtype))
        for i, state in enumerate(states)
    ]


def check_seed(seed) -> None:
    """Refuses what is no seed."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ValueError(f"`seed` must be an integer, at least 0, or None. Received: seed={seed!r}")
