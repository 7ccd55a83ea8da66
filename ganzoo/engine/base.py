"""What every model does for its user around the step: networks, compile, fit, evaluate, export."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import ops

from ganzoo.engine import backend, schedules  # noqa: F401 (its schedules are known to Keras, for saved models)
from ganzoo.engine.advice import advise
from ganzoo.engine.before import adapt
from ganzoo.engine.checks import check_names, check_networks
from ganzoo.engine.drawing import Drawing, check_seed
from ganzoo.engine.evaluating import Evaluating
from ganzoo.engine.feed import check_sizes, make_feed
from ganzoo.engine.naming import is_in_memory, named
from ganzoo.engine.optimizer import PlayerOptimizers, deserialize, serialize
from ganzoo.engine.parts import Part, default_data
from ganzoo.engine.resuming import OneTraining, resume
from ganzoo.engine.saving import Saving, refuse_hdf5
from ganzoo.networks.making import (
    Network,
    build,
    copy_of,
    fix_seeds,
    policy,
    refuse_activity_regularizers,
    take_numpy_numbers,
)

__all__ = ["BaseGAN"]


class BaseGAN(Drawing, Evaluating, Saving, backend.StepMixin, keras.Model):
    """A `keras.Model` of a generator, its moving average and a discriminator. `ganzoo.GAN` adds the step.

    Args:
        generator: a built `keras.Model`, or a function without arguments that returns one (called twice: the second
            network holds the averaged weights).
        discriminator: a built `keras.Model`, or a function without arguments that returns one.
        data: what the model is trained on, parts by name (`ganzoo.Images`, `Labels`, `Text`, `Vectors`), in the order
            in which `fit` takes them. Networks take the parts that their inputs are named after; the first part that
            the generator does not take is what it draws. By default images alone, of the shape that it draws.
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
    shaped_by: dict[str, str] = {"images": "image_shape"}  # which constructor argument a part of the data decides
    tiny: dict = {"image_shape": (16, 16, 1), "latent_dim": 4, "width": 4}  # arguments of a small model, for tests
    tiny_sizes: tuple = ((16, 16), (28, 28), (32, 48), (20, 64))  # heights and widths that its networks allow
    taken_by_losses: tuple[str, ...] = ()  # parts that the losses take, and no network
    penalised: tuple[str, ...] = ()  # players whose losses take the gradient of their networks by the images
    evaluation_metrics: tuple[str, ...] = ("real_accuracy", "fake_accuracy")

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        *,
        data: Mapping[str, Part] | None = None,
        ema_decay: float = 0.999,
        seed: int | None = None,
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.arguments = {}
        if "float16" in self.dtype_policy.name.replace("bfloat16", ""):
            raise ValueError(
                "float16 gradients underflow in adversarial training, and Keras' loss scaling handles one loss only. "
                f"Use 'mixed_bfloat16', which needs no scaling. Received: dtype={self.dtype_policy.name!r}"
            )
        if not isinstance(ema_decay, (int, float)) or not 0 <= ema_decay < 1:
            raise ValueError(f"`ema_decay` must lie in [0, 1). Received: ema_decay={ema_decay!r}")
        check_seed(seed)
        self.ema_decay, self.seed = float(ema_decay), seed
        with policy(self.dtype_policy):
            self.generator = build(generator, "generator")
            self.discriminator = build(discriminator, "discriminator")
            self.generator_ema = copy_of(self.generator, generator)
        self._average_names = {id(self.generator): "generator_ema"}
        self.image_shape = tuple(self.generator.output_shape[1:])
        self.data = dict(data or default_data(self.image_shape))
        self.target = next((name for name in self.data if name not in self._names_of(self.generator)), "")
        self.latent_dim = check_networks(self)
        known = self.data[self.target].shape if self.target else ()
        if len(known) == len(self.image_shape):  # a generator of any size, which training gives one
            self.image_shape = tuple(n if own is None else own for own, n in zip(self.image_shape, known))
        self.plain = len(self.data) == 1 and len(self.generator.inputs) == 1
        # Scrambled, because Keras' torch backend adds seed and counter: neighbouring seeds would share their numbers.
        drawn = np.random.SeedSequence(int(np.random.randint(2**31 - 1)) if seed is None else seed).generate_state(2)
        self.seed_generator = keras.random.SeedGenerator(int(drawn[0]) >> 1, name="seed_generator")
        self.evaluation_seed = keras.random.SeedGenerator(int(drawn[1]) >> 1, name="evaluation_seed")
        self._noise_seed = self.seed_generator
        self.trackers: dict[str, keras.metrics.Mean] = {}  # made in compile, when a variant knows all its players
        self.built = True

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        take_numpy_numbers(cls)
        adapt(cls)

    def make_network(self, build_network: Callable[[], keras.Model], role: str, average: bool = False) -> keras.Model:
        """A further network, made as the generator and the discriminator are.

        Args:
            build_network: function without arguments that returns a `keras.Model` of known input and output shape.
            role: str, what to call it in errors.
            average: keep a moving average of it too, as of the generator, in the attribute ``<role>_ema``.

        Returns:
            The network, computing in the model's precision and giving float32.
        """
        with policy(self.dtype_policy):
            network = build(build_network, role)
        if average:
            self.average(network, build_network, role)
        return network

    def average(self, network: keras.Model, given: Network, role: str) -> None:
        """Keeps a moving average of a network, as of the generator, in the attribute ``<role>_ema``.

        Args:
            network: one of a player's.
            given: what it was made from, a function or a network.
            role: str.
        """
        with policy(self.dtype_policy):
            self._average_names[id(network)] = f"{role}_ema"
            setattr(self, f"{role}_ema", copy_of(network, given))

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
        averaged = {name: self.average_of(network) for name, network in self.networks.items()}
        return {name: average for name, average in averaged.items() if average is not self.networks[name]}

    def compile(
        self,
        optimizer: Mapping[str, keras.optimizers.Optimizer] | None = None,
        *more,
        jit_compile: bool | str = "auto",
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        **others,
    ) -> None:
        """Sets the players' optimizers. Not needed for the defaults: `fit` and `evaluate` compile on their own.

        Args:
            optimizer: mapping from player (``"generator"``, ``"discriminator"``) to a `keras.optimizers.Optimizer`;
                a player left out gets the variant's default.
            jit_compile: bool or ``"auto"``, as in Keras; True on TensorFlow and JAX alone.
            steps_per_execution: int, as in Keras (TensorFlow, JAX).
            run_eagerly: bool, as in Keras.

        Raises:
            ValueError: an unknown player, or one optimizer object for two players, or networks of one name, or that
                the variant's losses cannot train (`ganzoo.engine.advice`).

        Compiled again, a model counts its training steps on; only the optimizers begin anew.

        Example:

            >>> model.compile({"generator": keras.optimizers.Adam(1e-4), "discriminator": keras.optimizers.Adam(4e-4)})
        """
        if more or others:
            raise TypeError(
                "compile of a GAN takes one optimizer per player, compile({'generator': ..., 'discriminator': ...}), "
                f"and no losses, which are the model's own. Received: {', '.join([*map(str, more), *others])}"
            )
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
        for player, each in chosen.items():
            if getattr(each, "gradient_accumulation_steps", None) and keras.config.backend() == "torch":
                raise ValueError(
                    f"gradient_accumulation_steps (of the {player}) is for TensorFlow and JAX: leave it out."
                )
        for name, network in self.networks.items():
            refuse_activity_regularizers(network, name)
        check_names(self)
        advise(self)
        fix_seeds(self)  # of layers that belong to the model itself
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
            x: the model's data: images as an array (n, height, width, channels), uint8 or float in [-1, 1]; of models
                of several parts a tuple of arrays in their order or a dictionary; or batches of any of these as a
                `tf.data.Dataset`, `keras.utils.PyDataset` or `torch.utils.data.DataLoader`, on any backend. Labels
                beside the images are passed over by models without classes.
            y: what follows x: labels, captions, the other images.
            batch_size: int, for arrays: examples of one *discriminator* step (32 by default). A training step takes
                `discriminator_steps` batches of new images; a trailing incomplete set is dropped.
            epochs: int, passes over the data.
            shuffle: for arrays; the order is a function of the model's seed and step count, the same on every backend.
            initial_epoch: int, as in Keras. The order of arrays goes on from the steps that a saved model has made; a
                stream begins anew, so that with `steps_per_epoch` below one pass its end is seen less often.
                `ganzoo.callbacks.Backup` goes on in the middle of a pass.
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
            if isinstance(callback, keras.callbacks.ModelCheckpoint) and not callback.save_weights_only:
                refuse_hdf5(callback.filepath)
        feed = make_feed(
            x,
            y,
            data=self.data,
            batch_size=batch_size,
            basket=self.discriminator_steps,
            order=self._order if shuffle else None,
            steps=steps_per_epoch,
            allow_nonnegative=allow_nonnegative,
        )
        settings = {"batch_size": batch_size, "steps_per_epoch": len(feed), "shuffle": shuffle}
        initial_epoch, skip = resume(self, callbacks, settings, feed) or (initial_epoch, 0)
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

    def _fit_from_mid_epoch(self, feed, skip: int, callbacks, *, initial_epoch, epochs, verbose="auto", **kwargs):
        """The rest of an epoch and the epochs after it."""
        rest = feed.rest(skip)
        feed.catch_up((initial_epoch + 1) * len(feed))
        with OneTraining(callbacks, model=self, epochs=epochs, steps=len(feed), verbose=verbose) as callbacks:
            for part, begin, end in ((rest, initial_epoch, initial_epoch + 1), (feed, initial_epoch + 1, epochs)):
                if begin < epochs and not (part is feed and self.stop_training):
                    super().fit(part, epochs=end, callbacks=callbacks, initial_epoch=begin, verbose=verbose, **kwargs)
        return self.history

    def prepare(self, real, training: bool):
        """What a step makes of a batch before all else: derived parts, augmentation. Random through `self.noise`."""
        return real

    def images_of(self, batch):
        """The images in a batch of the losses: the part that the generator draws."""
        return batch if self.plain else batch[self.target]

    def with_images(self, batch, images):
        """The batch with other images, and all else that belongs to them: what a gradient penalty moves."""
        return images if self.plain else {**batch, self.target: images}

    def _reals(self, data, training: bool) -> tuple:
        reals, _, _ = keras.utils.unpack_x_y_sample_weight(tuple(data) if isinstance(data, list) else data)
        reals = tuple(reals) if isinstance(reals, (tuple, list)) else (reals,)
        return tuple(self._real(batch, training) for batch in reals)

    def _real(self, batch, training: bool):
        """A batch as the feed packs it, as losses take it."""
        if not isinstance(batch, Mapping):
            batch = {next(name for name, part in self.data.items() if not part.derived): batch}
        scaled = {name: self.data[name].to_device(values) for name, values in batch.items()}
        return self.prepare(scaled[self.target] if self.plain else scaled, training)

    def as_batch(self, x, y=None, allow_nonnegative: bool = False):
        """Data as `fit` takes it in arrays, all of it as one batch, as losses take it.

        Raises:
            ValueError, TypeError: as `fit`.
        """
        if not is_in_memory(x, self.data):
            raise TypeError(f"Give the data as arrays. Received: {type(x).__name__}")
        packed = {
            name: self.data[name].check(values, name, allow_nonnegative)
            for name, values in named(x, y, self.data).items()
        }
        check_sizes(packed, {name: self.data[name].group for name in packed})
        return self._real({name: ops.convert_to_tensor(values) for name, values in packed.items()}, training=False)

    def _order(self) -> tuple[int, int]:
        """What an epoch's order of images depends on."""
        seed, _ = ops.convert_to_numpy(self.seed_generator.state)
        return int(seed), int(ops.convert_to_numpy(self.optimizer.iterations))

    def export(self, filepath, format: str = "tf_saved_model", **kwargs):
        """Writes the averaged generator for use without ganzoo and Keras. See `ganzoo.engine.export.export`."""
        from ganzoo.engine.export import export

        return export(self, filepath, format=format, **kwargs)

    def _symbolic_build(self, iterator=None, data_batch=None):
        """Nothing left to do: the networks know their shapes. Keras would call the generator on images."""

    # Checks ----------------------------------------------------------------------------------------------------------

    def _objective(self, loss_fn: Callable, player: str, variables: list) -> Callable:
        """What a player minimises: its loss and the regularizers of its weights."""

        def objective():
            loss, *others = backend.listed(loss_fn())
            if len(getattr(loss, "shape", ())):
                raise ValueError(
                    "A loss is one number: take the mean over the batch (keras.ops.mean). "
                    f"Received: a loss of the {player} of shape {tuple(loss.shape)}"
                )
            for variable in variables:
                if getattr(variable, "regularizer", None) is not None:
                    loss = loss + ops.cast(variable.regularizer(variable), "float32")
            return (loss, *others) if others else loss

        return objective

    def _write(self, updates, own) -> None:
        networks = [network for each in self.players().values() for network in each]
        mine = {id(v) for network in own for v in network.weights}  # of layers shared with another player's too
        other = {id(v) for network in networks for v in network.weights} - mine
        for variable, value in updates:
            if id(variable) not in other:
                variable.assign(value)

    def _average(self) -> None:
        step = ops.cast(self.optimizer.iterations, "float32")
        decay = ops.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for name, average in self.moving_averages.items():
            backend.average(average.weights, self.networks[name].weights, decay)
