"""One optimizer object for Keras, several inside: one per player."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from ganzoo.engine import backend

__all__ = ["PlayerOptimizers", "deserialize", "serialize"]


class PlayerOptimizers(keras.optimizers.Optimizer):
    """The optimizers of all players, as the single optimizer that Keras carries, saves and shows to callbacks.

    Attributes:
        optimizers: the players' optimizers in the order in which the players were given, each named after its player.
            Keras' learning-rate callbacks find them here and move each from its own rate.
        iterations: int variable, the number of training steps, that is of updates of the last player (the generator).
        learning_rate: the last player's. Setting it moves the others in proportion, also to zero and back.

    Args:
        optimizers: mapping from player to `keras.optimizers.Optimizer`.

    Raises:
        ValueError: two players share one optimizer object, or an optimizer keeps an average of its own
            (``use_ema=True``) or expects a scaled loss (``loss_scale_factor``, `LossScaleOptimizer`).
    """

    def __init__(self, optimizers: Mapping[str, keras.optimizers.Optimizer], name: str = "player_optimizers"):
        super().__init__(learning_rate=0.0, name=name)
        if len({id(optimizer) for optimizer in optimizers.values()}) < len(optimizers):
            raise ValueError("Each player needs an optimizer object of its own: its moments belong to its weights.")
        for player, optimizer in optimizers.items():
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                raise ValueError(
                    f"The {player}'s optimizer is a LossScaleOptimizer, for float16: it divides gradients by a "
                    "scale that the losses here never had. Give the optimizer that is inside of it, and for half "
                    'precision build the model with dtype="mixed_bfloat16".'
                )
            if optimizer.use_ema:
                raise ValueError(
                    f"The {player}'s optimizer has use_ema=True, which would overwrite the trained weights at the end "
                    "of fit and skip BatchNorm statistics. Use the model's own average (`ema_decay=`) instead."
                )
            if optimizer.loss_scale_factor:
                raise ValueError(
                    f"The {player}'s optimizer has a loss_scale_factor, which is for float16, and its gradients are "
                    "those of the loss itself: leave it out. "
                    f"Received: loss_scale_factor={optimizer.loss_scale_factor}"
                )
            optimizer.name = player
        self.players = tuple(optimizers)
        self.optimizers = [backend.prepared(optimizer) for optimizer in optimizers.values()]
        rates = self._rates()
        self._ratios = [rate / rates[-1] if rates[-1] else 1.0 for rate in rates]

    def __getitem__(self, player: str) -> keras.optimizers.Optimizer:
        return self.optimizers[self.players.index(player)]

    def build_players(self, variables: Mapping[str, list]) -> None:
        """Creates all slots now, so that the state that Keras carries through a step is complete from the first."""
        super().build([])
        for player, optimizer in zip(self.players, self.optimizers):
            if not optimizer.built:
                optimizer.build(variables[player])
            elif [id(v) for v in optimizer._trainable_variables] != [id(v) for v in variables[player]]:
                raise ValueError(
                    f"The {player}'s optimizer belongs to another model, whose moments it holds: make a new one."
                )

    def settings(self) -> dict[str, dict]:
        """The optimizers' hyper-parameters by player, as plain values. Keras' `get_config` would import TensorFlow."""
        return {player: _settings(self[player]) for player in self.players}

    def build(self, variables):
        """Nothing left to do: `build_players` knows whose variables are whose, Keras' trainers do not."""

    @property
    def variables(self):
        return [*super().variables, *(v for optimizer in self.optimizers for v in optimizer.variables)]

    @property
    def learning_rate(self):
        return self.optimizers[-1].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        rates = self._rates()
        if rates[-1]:  # else they are to one another as they were before
            self._ratios = [rate / rates[-1] for rate in rates]
        for optimizer, ratio in zip(self.optimizers, self._ratios):
            optimizer.learning_rate = value * ratio

    def _rates(self) -> list[float]:
        return [float(keras.ops.convert_to_numpy(optimizer.learning_rate)) for optimizer in self.optimizers]

    def apply(self, grads, trainable_variables=None):
        raise NotImplementedError("Gradients are applied player by player: see `GAN.minimize`.")

    def finalize_variable_values(self, var_list):
        """No average of its own to write back."""

    def save_own_variables(self, store):
        for i, variable in enumerate(super().variables):  # the players' optimizers are saved as themselves
            store[str(i)] = keras.ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        for i, variable in enumerate(super().variables):
            if str(i) in store.keys():  # not in the weights of a model that was never compiled
                variable.assign(store[str(i)])

    def get_config(self):
        return {
            "optimizers": {p: serialize(self[p]) for p in self.players},
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        optimizers = {player: deserialize(o, custom_objects) for player, o in config["optimizers"].items()}
        return cls(optimizers, name=config["name"])


def serialize(optimizer: keras.optimizers.Optimizer) -> dict:
    """As Keras does it, but by the optimizer's public name: on PyTorch, Keras would name a class of that backend."""
    return _public(keras.saving.serialize_keras_object(optimizer))


def deserialize(config: dict, custom_objects=None) -> keras.optimizers.Optimizer:
    """The optimizer of a configuration, on whatever backend that was written."""
    return keras.saving.deserialize_keras_object(_public(config), custom_objects)


def _public(config: dict) -> dict:
    of_backend = str(config.get("module")).startswith("keras.src.backend.")
    if of_backend and hasattr(keras.optimizers, config["class_name"]):
        return {**config, "module": "keras.optimizers", "registered_name": None}
    return config


def _settings(optimizer: keras.optimizers.Optimizer) -> dict:
    plain = {
        name: value
        for name, value in vars(optimizer).items()
        if isinstance(value, (bool, int, float, str)) and not name.startswith("_") and name not in ("name", "built")
    }
    rate = optimizer._learning_rate
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        rate = {"schedule": type(rate).__name__, **rate.get_config()}
    else:
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    return {"optimizer": type(optimizer).__name__, **plain, "learning_rate": rate}
