"""What every model does for its user around the step: networks, compile, fit, evaluate, generate, export, saving."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Mapping
from typing import TypeAlias

import keras
import numpy as np
from keras import ops

from ganzoo.data.preprocessing import check_positive, to_uint8
from ganzoo.engine import backend
from ganzoo.engine.backend.scope import StepScope
from ganzoo.engine.feed import Feed, is_array, make_feed
from ganzoo.engine.optimizer import PlayerOptimizers, deserialize, serialize

__all__ = ["BaseGAN"]

Network: TypeAlias = keras.Model | Callable[[], keras.Model]


class BaseGAN(backend.StepMixin, keras.Model):
    """A `keras.Model` of a generator, its moving average and a discriminator. `ganzoo.GAN` adds the step.

    Args:
        generator: a built `keras.Model`, or a function without arguments that returns one (called twice: the second
            network holds the averaged weights).
        discriminator: a built `keras.Model`, or a function without arguments that returns one.
        ema_decay: in [0, 1), how much of the average is kept at each step. It ramps up: step t uses
            ``min(ema_decay, (1 + t) / (10 + t))``, so that early weights are soon forgotten. 0 keeps no history.
        seed: int, fixes the latents and the order of the images. By default drawn from NumPy's global generator, which
            `keras.utils.set_random_seed` seeds. (Initial weights are drawn by Keras: use that function to fix them.)
        dtype: dtype policy, ``"float32"`` or ``"mixed_bfloat16"``; by default Keras' global one.
        name: str.

    Raises:
        ValueError: the networks do not fit together, or the policy is not supported.
    """

    extra_logs: tuple[str, ...] = ()
    arguments: dict = {}
    evaluation_metrics: tuple[str, ...] = ("real_accuracy", "fake_accuracy")

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        *,
        ema_decay: float = 0.999,
        seed: int | None = None,
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        if "float16" in self.dtype_policy.name.replace("bfloat16", ""):
            raise ValueError(
                "float16 gradients underflow in adversarial training, and Keras' loss scaling handles one loss only. "
                f"Use 'mixed_bfloat16', which needs no scaling. Received: dtype={self.dtype_policy.name!r}"
            )
        if not isinstance(ema_decay, (int, float)) or not 0 <= ema_decay < 1:
            raise ValueError(f"`ema_decay` must lie in [0, 1). Received: ema_decay={ema_decay!r}")
        _check_seed(seed)
        self.ema_decay, self.seed = float(ema_decay), seed
        with _policy(self.dtype_policy):
            self.generator = _build(generator, "generator")
            self.discriminator = _build(discriminator, "discriminator")
            self.generator_ema = _copy(self.generator, generator)
        self.latent_dim = int(self.generator.input_shape[-1])
        self.image_shape = tuple(self.generator.output_shape[1:])
        self._check_networks()
        # Scrambled, because Keras' torch backend adds seed and counter: neighbouring seeds would share their numbers.
        drawn = np.random.SeedSequence(int(np.random.randint(2**31 - 1)) if seed is None else seed).generate_state(2)
        self.seed_generator = keras.random.SeedGenerator(int(drawn[0]) >> 1, name="seed_generator")
        self.evaluation_seed = keras.random.SeedGenerator(int(drawn[1]) >> 1, name="evaluation_seed")
        self._noise_seed = self.seed_generator
        self.trackers: dict[str, keras.metrics.Mean] = {}  # made in compile, when a variant knows all its players
        self.built = True

    def make_network(self, build: Callable[[], keras.Model], role: str) -> keras.Model:
        """A further network, made as the generator and the discriminator are.

        Args:
            build: function without arguments that returns a `keras.Model` of known input and output shape.
            role: str, what to call it in errors.

        Returns:
            The network, computing in the model's precision and giving float32.
        """
        with _policy(self.dtype_policy):
            return _build(build, role)

    # What a user calls -----------------------------------------------------------------------------------------------

    @property
    def networks(self) -> dict[str, keras.Model]:
        """The networks in training: by their player's name, or by player and network where it has several."""
        found: dict[str, keras.Model] = {}
        for player, networks in self.players().items():
            for network in networks:
                name = player if len(networks) == 1 else f"{player}/{network.name}"
                if name in found:
                    raise ValueError(f"A player's networks have different names. Received: two of the name {name!r}")
                found[name] = network
        return found

    def trainable_variables_of(self, player: str) -> list:
        """What the player's optimizer moves, of all its networks."""
        return [variable for network in self.players()[player] for variable in network.trainable_variables]

    def updates_per_step(self, player: str) -> int:
        """How often a training step moves a player's weights: what the length of a schedule depends on."""
        return self.discriminator_steps if player == "discriminator" else 1

    @property
    def moving_averages(self) -> dict[str, keras.Model]:
        """The networks that follow those of the same name in `networks` as moving averages."""
        return {name: self.generator_ema for name, network in self.networks.items() if network is self.generator}

    def call(self, latents, training: bool = False):
        """Latents (batch, latent_dim) to float32 images in [-1, 1], with the averaged weights unless training."""
        return self.generator(latents, training=True) if training else self.generator_ema(latents, training=False)

    def generate(
        self, n: int, labels=None, seed: int | None = None, batch_size: int = 256, averaged: bool = True
    ) -> np.ndarray:
        """New images from the averaged generator.

        Args:
            n: int, how many images.
            labels: for models with classes only.
            seed: int; one seed gives the same latents on every backend, drawn with NumPy. None draws anew each time.
            batch_size: int, images computed at once.
            averaged: False draws with the generator in training instead of its moving average.

        Returns:
            uint8 (n, height, width, channels); float32 (n, features) for models of vectors.

        Raises:
            ValueError: n is not a positive integer, or labels for a model without classes.

        Example:

            >>> images = ganzoo.load("dcgan-mnist").generate(16, seed=0)   # uint8 (16, 28, 28, 1)
        """
        check_positive(n=n, batch_size=batch_size)
        _check_seed(seed)
        if labels is not None:
            raise ValueError(f"{type(self).__name__} knows no classes: leave `labels` out. Received: labels={labels!r}")
        latents = self.seeded_latents(n, seed)
        generator = self.generator_ema if averaged else self.generator
        with backend.no_gradient():
            parts = [
                ops.convert_to_numpy(generator(latents[i : i + batch_size], training=False))
                for i in range(0, n, batch_size)
            ]
        images = np.concatenate(parts).astype("float32", copy=False)
        return images if len(self.image_shape) == 1 else to_uint8(images)

    def seeded_latents(self, n: int, seed: int | None = None) -> np.ndarray:
        """What `generate` draws from: latents as in training, drawn with NumPy, so that every backend has the same.

        Args:
            n: int, how many.
            seed: int; None draws anew each time.

        Returns:
            float32 (n, latent_dim).
        """
        before, self._noise_seed = self._noise_seed, np.random.default_rng(seed)
        try:
            with backend.no_gradient():
                return ops.convert_to_numpy(self.latents(n))
        finally:
            self._noise_seed = before

    def compile(
        self,
        optimizer: Mapping[str, keras.optimizers.Optimizer] | None = None,
        *,
        jit_compile: bool | str = "auto",
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
    ) -> None:
        """Sets the players' optimizers. Not needed for the defaults: `fit` and `evaluate` compile on their own.

        Args:
            optimizer: mapping from player (``"generator"``, ``"discriminator"``) to a `keras.optimizers.Optimizer`;
                a player left out gets the variant's default.
            jit_compile: bool or ``"auto"``, as in Keras; True on TensorFlow and JAX alone.
            steps_per_execution: int, as in Keras (TensorFlow, JAX).
            run_eagerly: bool, as in Keras.

        Raises:
            ValueError: an unknown player, or one optimizer object for two players, or networks of one name.

        Compiled again, a model counts its training steps on; only the optimizers begin anew.

        Example:

            >>> model.compile({"generator": keras.optimizers.Adam(1e-4), "discriminator": keras.optimizers.Adam(4e-4)})
        """
        if jit_compile is True and keras.config.backend() == "torch":
            raise ValueError(
                "torch.compile does not take a training step of second derivatives and two optimizers: leave "
                "`jit_compile` out on PyTorch. Received: jit_compile=True"
            )
        if optimizer is not None and not isinstance(optimizer, Mapping):
            raise ValueError(
                f"A GAN has one optimizer per player: compile({{player: optimizer}}) with the players "
                f"{list(self.players())}. Received: optimizer={optimizer!r}"
            )
        given = dict(optimizer or {})
        if unknown := sorted(set(given) - set(self.players())):
            raise ValueError(f"Unknown players {unknown}; this model has {list(self.players())}.")
        chosen = {**self.default_optimizers(), **{p: keras.optimizers.get(o) for p, o in given.items()}}
        if missing := [player for player in self.players() if chosen.get(player) is None]:
            raise ValueError(f"No optimizer for {missing}: name it in compile, or in the variant's default_optimizers.")
        for name, network in self.networks.items():
            _refuse_activity_regularizers(network, name)
        _fix_seeds(self)
        composite = PlayerOptimizers({player: chosen[player] for player in self.players()})
        composite.build_players({player: self.trainable_variables_of(player) for player in self.players()})
        if self.compiled:  # the average goes on, and so does the order of the images
            composite.iterations.assign(self.optimizer.iterations)
        losses = [f"{player}_loss" for player in self.players()]
        names = ["loss", *losses, *self.extra_logs, *self.evaluation_metrics]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        super().compile(
            optimizer=composite,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )
        self.optimizer_settings = composite.settings()  # before any callback moves a learning rate
        self._jit_compile_as_given = jit_compile

    def get_compile_config(self):
        if not self.compiled:
            return {}
        return {
            "optimizer": {player: serialize(self.optimizer[player]) for player in self.optimizer.players},
            "jit_compile": self._jit_compile_as_given,
            "steps_per_execution": self.steps_per_execution,
            "run_eagerly": self.run_eagerly,
        }

    def compile_from_config(self, config):
        config = dict(config)
        optimizers = {player: deserialize(o) for player, o in config.pop("optimizer").items()}
        if keras.config.backend() == "torch":  # which has neither
            config |= {"jit_compile": "auto", "steps_per_execution": 1}
        self.compile(optimizers, **config)

    def fit(
        self,
        x,
        y=None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        callbacks=None,
        validation_data=None,
        shuffle: bool = True,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_batch_size: int | None = None,
        allow_nonnegative: bool = False,
        **kwargs,
    ):
        """Trains. Takes data and callbacks as `keras.Model.fit` does.

        Args:
            x: images as an array (n, height, width, channels), uint8 or float in [-1, 1]; or batches of them as a
                `tf.data.Dataset`, `keras.utils.PyDataset` or `torch.utils.data.DataLoader`, on any backend. Labels
                beside the images are ignored by models without classes.
            y: ignored by models without classes.
            batch_size: int, for arrays: images of one *discriminator* step (32 by default). A training step takes
                `discriminator_steps` batches of new images; a trailing incomplete set is dropped.
            epochs: int, passes over the data.
            shuffle: for arrays; the order is a function of the model's seed and step count, the same on every backend.
            initial_epoch: int, as in Keras.
            steps_per_epoch: int, training steps in an epoch instead of one pass.
            validation_data: anything that `evaluate` takes.
            validation_batch_size: int, for `validation_data`.
            allow_nonnegative: do not refuse float images that are never negative.
            **kwargs: ``verbose``, ``validation_steps``, ``validation_freq`` as in Keras; others are refused.

        Returns:
            A `keras.callbacks.History`; ``loss`` is the sum of the players' losses.

        Raises:
            ValueError, TypeError: images that the model cannot train on, with the fix; before the first step, or when
                they come where a stream holds them later.
        """
        if unknown := sorted(set(kwargs) - {"verbose", "validation_steps", "validation_freq"}):
            raise ValueError(f"fit of a GAN does not take {unknown}: see help(ganzoo.GAN.fit).")
        if not self.compiled:
            self.compile()
        for player in self.players():
            held = [id(v) for v in self.optimizer[player]._trainable_variables]
            if held != [id(v) for v in self.trainable_variables_of(player)]:
                raise ValueError(
                    f"What is trainable of the {player} has changed since `compile`: call `compile` again. "
                    f"Received: {len(held)} trainable weights at `compile`"
                )
        for name, value, least in (("epochs", epochs, 1), ("initial_epoch", initial_epoch, 0)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"`{name}` must be an integer, at least {least}. Received: {name}={value!r}")
        callbacks = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
        for callback in callbacks:
            if not isinstance(callback, keras.callbacks.Callback) or isinstance(callback, keras.callbacks.CallbackList):
                raise ValueError(f"`callbacks` takes keras.callbacks.Callback objects. Received: {callback!r}")
        feed = make_feed(
            x,
            image_shape=self.image_shape,
            batch_size=batch_size,
            basket=self.discriminator_steps,
            order=self._order if shuffle else None,
            steps=steps_per_epoch,
            allow_nonnegative=allow_nonnegative,
        )
        settings = {"batch_size": batch_size, "steps_per_epoch": len(feed), "shuffle": shuffle}
        initial_epoch, skip = self._resume(callbacks, settings, feed) or (initial_epoch, 0)
        if validation_data is not None:
            kwargs["validation_data"] = self._evaluation_feed(
                validation_data,
                validation_batch_size,
                allow_nonnegative,
                default=batch_size,
                endless=("validation_steps", kwargs.get("validation_steps")),
                name="validation_data",
            )
        kwargs.update(epochs=epochs, shuffle=False, initial_epoch=initial_epoch)
        with feed.own_errors():
            if skip:
                return self._fit_from_mid_epoch(feed, skip, callbacks, **kwargs)
            return super().fit(feed, callbacks=callbacks, **kwargs)

    def _resume(self, callbacks, settings: dict, feed: Feed) -> tuple[int, int] | None:
        """The epoch to begin with, and how many of its steps are done already, by a callback that knows."""
        states = [callback.resume(self, settings) for callback in callbacks if hasattr(callback, "resume")]
        state = next((state for state in states if state is not None), None)
        if state is not None:
            feed.catch_up(state[0] * len(feed))
        return state

    def _fit_from_mid_epoch(self, feed, skip: int, callbacks, *, initial_epoch, epochs, verbose="auto", **kwargs):
        """The rest of an epoch and the epochs after it."""
        rest = feed.rest(skip)
        feed.catch_up((initial_epoch + 1) * len(feed))
        with _OneTraining(callbacks, model=self, epochs=epochs, steps=len(feed), verbose=verbose) as callbacks:
            for part, begin, end in ((rest, initial_epoch, initial_epoch + 1), (feed, initial_epoch + 1, epochs)):
                if begin < epochs and not (part is feed and self.stop_training):
                    super().fit(part, epochs=end, callbacks=callbacks, initial_epoch=begin, verbose=verbose, **kwargs)
        return self.history

    def evaluate(
        self,
        x=None,
        y=None,
        *,
        batch_size: int | None = None,
        return_dict: bool = True,
        allow_nonnegative: bool = False,
        **kwargs,
    ):
        """Losses on given images and fresh latents, and how often the discriminator is right. Updates nothing.

        The latents come from a seed of their own, the same at every call.

        Args:
            x: images, as for `fit`.
            y: ignored by models without classes.
            batch_size: int, for arrays (32 by default). A last smaller batch counts as a batch.
            return_dict: bool, as in Keras; here True by default.
            allow_nonnegative: as for `fit`.
            **kwargs: ``verbose``, ``steps``, ``callbacks`` as in Keras.

        Returns:
            dict with ``loss``, one loss per player, ``real_accuracy`` and ``fake_accuracy``: means over batches.
        """
        if not self.compiled:
            self.compile()
        if kwargs.get("_use_cached_eval_dataset") is None:
            x = self._evaluation_feed(x, batch_size, allow_nonnegative, endless=("steps", kwargs.get("steps")))
        self.evaluation_seed.state.assign([int(ops.convert_to_numpy(self.evaluation_seed.state)[0]), 0])
        return super().evaluate(x, return_dict=return_dict, **kwargs)

    def evaluate_batch(self, real) -> dict:
        """What `evaluate` reports beside the losses: how often the discriminator is right, on either side of logit 0.

        A critic's scores (WGAN) have no such threshold: there the two numbers only say on which side of 0 they lie.
        """
        fake = self.generator(self.latents(ops.shape(real)[0]), training=False)
        right = {
            "real_accuracy": self.discriminator(real, training=False) > 0,
            "fake_accuracy": self.discriminator(fake, training=False) < 0,
        }
        return {name: ops.mean(ops.cast(hits, "float32")) for name, hits in right.items()}

    def evaluation_logs(self, data) -> dict:
        """Losses and `evaluate_batch` of one batch; returns the logs."""
        reals = self._reals(data)
        self._noise_seed = self.evaluation_seed
        try:
            with StepScope() as scope:
                losses, others = self.update(reals, training=False), self.evaluate_batch(reals[0])
        finally:
            self._noise_seed = self.seed_generator
        for variable, value in scope.updates:
            if variable is self.evaluation_seed.state:  # whatever else was written is not kept
                variable.assign(value)
        return self._track(losses, others)

    def _reals(self, data) -> tuple:
        reals, _, _ = keras.utils.unpack_x_y_sample_weight(tuple(data) if isinstance(data, list) else data)
        reals = tuple(reals) if isinstance(reals, (tuple, list)) else (reals,)
        return tuple(_to_unit_range(real) for real in reals)

    def _evaluation_feed(self, x, batch_size, allow_nonnegative, default=None, *, endless, name="x"):
        if isinstance(x, Feed):
            return x
        return make_feed(
            x,
            image_shape=self.image_shape,
            batch_size=batch_size or (default if is_array(x) else None),
            keep_rest=True,
            allow_nonnegative=allow_nonnegative,
            endless=endless,
            name=name,
        )

    def _order(self) -> tuple[int, int]:
        """What an epoch's order of images depends on."""
        seed, _ = ops.convert_to_numpy(self.seed_generator.state)
        return int(seed), int(ops.convert_to_numpy(self.optimizer.iterations))

    def export(self, filepath, format: str = "tf_saved_model", **kwargs):
        """Writes the averaged generator for use without ganzoo and Keras. See `ganzoo.engine.export.export`."""
        from ganzoo.engine.export import export

        return export(self, filepath, format=format, **kwargs)

    # Saving ----------------------------------------------------------------------------------------------------------

    def save(self, filepath, overwrite: bool = True, **kwargs):
        """As in Keras: architecture, weights, optimizers, averages and random states in one ``.keras`` file."""
        backend.keep_tensorflow_off_gpu()
        return super().save(filepath, overwrite=overwrite, **kwargs)

    def get_config(self):
        config = {**self.arguments, "ema_decay": self.ema_decay, "seed": self.seed, "name": self.name}
        config["dtype"] = keras.saving.serialize_keras_object(self.dtype_policy)
        for name in ("generator", "discriminator"):  # whoever made them: the user, or the variant from its arguments
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        backend.keep_tensorflow_off_gpu()
        config = copy.deepcopy(config)  # Keras takes it apart
        for key, value in config.items():
            if isinstance(value, dict) and {"class_name", "config"} <= set(value):
                config[key] = keras.saving.deserialize_keras_object(value, custom_objects)
        parameters = inspect.signature(cls.__init__).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):  # a variant that makes its own networks
            config = {key: value for key, value in config.items() if key in parameters}
        try:
            return cls(**config)
        except TypeError as error:
            if "multiple values for" not in str(error):
                raise
        # One that makes its own networks, and hands on what else it is given.
        return cls(**{key: config[key] for key in config if key not in ("generator", "discriminator")})

    def _seed_states(self) -> list:
        """The states of all random generators: Keras' own saving leaves them out."""
        weights = {id(v) for v in self.weights}
        return [v for v in self.variables if id(v) not in weights]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for i, state in enumerate(self._seed_states()):
            store[f"seed_{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        states = self._seed_states()
        for i, state in enumerate(states):
            state.assign(store[f"seed_{i}"])
        super().load_own_variables({key: store[key] for key in store.keys() if not key.startswith("seed_")})

    def _symbolic_build(self, iterator=None, data_batch=None):
        """Nothing left to do: the networks know their shapes. Keras would call the generator on images."""

    # Checks ----------------------------------------------------------------------------------------------------------

    def _check_networks(self) -> None:
        if len(self.generator.input_shape) != 2 or not self.generator.input_shape[-1]:
            raise ValueError(
                "The generator must take latents of shape (batch, latent_dim). "
                f"Received: a generator with input shape {self.generator.input_shape}"
            )
        taken = [tuple(x.shape[1:]) for x in self.discriminator.inputs]  # images, and perhaps something beside them
        if not any(
            len(shape) == len(self.image_shape) and all(n in (None, got) for n, got in zip(shape, self.image_shape))
            for shape in taken
        ):
            raise ValueError(
                "The discriminator must take the images that the generator makes. Received: a generator of "
                f"{self.image_shape} and a discriminator for {' and '.join(map(str, taken))}"
            )

    def _objective(self, loss_fn: Callable, player: str, variables: list) -> Callable:
        """What a player minimises: its loss and the regularizers of its weights."""

        def objective():
            loss = loss_fn()
            if len(getattr(loss, "shape", ())):
                raise ValueError(
                    "A loss is one number: take the mean over the batch (keras.ops.mean). "
                    f"Received: a loss of the {player} of shape {tuple(loss.shape)}"
                )
            for variable in variables:
                if getattr(variable, "regularizer", None) is not None:
                    loss = loss + ops.cast(variable.regularizer(variable), "float32")
            return loss

        return objective

    def _track(self, losses: dict, others: Mapping = {}) -> dict:
        losses, others = dict(losses), {**{name: losses[name] for name in self.extra_logs if name in losses}, **others}
        losses = {name: loss for name, loss in losses.items() if name not in others}
        if set(losses) != set(self.players()):
            raise ValueError(
                f"`update` returns a loss for each of the players {list(self.players())}, and what is named in "
                f"`extra_logs`. Received: {list(losses)}"
            )
        values = {"loss": sum(losses.values()), **{f"{player}_loss": loss for player, loss in losses.items()}, **others}
        for name, value in values.items():
            self.trackers[name].update_state(value)
        return {name: self.trackers[name].result() for name in values}

    @property
    def metrics(self):
        return list(self.trackers.values())

    def get_metrics_result(self):
        """The trackers that were updated since the last reset: `fit` logs no accuracy, `evaluate` does."""
        return {m.name: m.result() for m in self.metrics if float(ops.convert_to_numpy(m.count)) > 0}


def _fix_seeds(network: keras.Model) -> None:
    """Makes layers without a seed draw from their own generator on torch too, so that their masks can be resumed."""
    for layer in network._flatten_layers():
        generator = getattr(layer, "seed_generator", None)
        if generator is not None and getattr(generator, "_initial_seed", 0) is None:
            generator._initial_seed = int(ops.convert_to_numpy(generator.state)[0])


def _build(network: Network, role: str) -> keras.Model:
    if not isinstance(network, keras.Model) and callable(network):
        network = network()
    if not isinstance(network, keras.Model):
        raise ValueError(f"`{role}` must be a keras.Model or a function that returns one. Received: {network!r}")
    try:
        network.input_shape, network.output_shape  # noqa: B018 (both raise where the shapes are not known yet)
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"The {role} must know its input and output shape: make it a functional or Sequential model that begins "
            f"with keras.Input. Received: {network!r}"
        ) from error
    return _in_float32(network)


def _in_float32(network: keras.Model) -> keras.Model:
    """The network with outputs in float32, whatever it computes in: losses and images are in float32."""
    if all(keras.backend.standardize_dtype(output.dtype) == "float32" for output in network.outputs):
        return network
    cast = [keras.layers.Activation("linear", dtype="float32")(output) for output in network.outputs]
    return keras.Model(network.inputs, cast if len(cast) > 1 else cast[0], name=network.name)


def _refuse_activity_regularizers(network: keras.Model, name: str) -> None:
    for layer in network._flatten_layers():
        if getattr(layer, "activity_regularizer", None) is not None:
            raise ValueError(
                "An activity regularizer has no place in the losses of two players: add the term to the loss that it "
                f"belongs to. Received: the layer {layer.name!r} of {name} with an activity_regularizer"
            )


def _copy(network: keras.Model, given: Network) -> keras.Model:
    """A second network of the same architecture and weights, not trained."""
    if isinstance(given, keras.Model):
        backend.keep_tensorflow_off_gpu()
        copy = keras.models.clone_model(network)
    else:
        copy = _build(given, "generator")
    copy.trainable = False
    copy.set_weights(network.get_weights())
    return copy


@contextlib.contextmanager
def _policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class _OneTraining(keras.callbacks.CallbackList):
    """Lets callbacks see two calls of Keras' `fit`, the rest of an epoch and the epochs after it, as one training.

    Keras' `fit` wants epochs of one length: on TensorFlow, data that ends early costs half a step of state.
    """

    def __init__(self, callbacks, *, verbose, **kwargs):
        super().__init__(callbacks, add_history=True, add_progbar=verbose != 0, verbose=verbose, **kwargs)
        self._begun, self._logs = False, None

    def on_train_begin(self, logs=None):
        if not self._begun:
            super().on_train_begin(logs)
        self._begun = True

    def on_train_end(self, logs=None):
        self._logs = logs

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            super().on_train_end(self._logs)


def _to_unit_range(images):
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "float32") / 127.5 - 1.0
    return ops.cast(images, "float32")


def _check_seed(seed) -> None:
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ValueError(f"`seed` must be an integer, at least 0, or None. Received: seed={seed!r}")
