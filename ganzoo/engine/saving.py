"""How a model is saved and comes back: its configuration, and random states beside the weights."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import keras
from keras import ops

from ganzoo.engine import backend
from ganzoo.engine.mixin import Mixin
from ganzoo.networks.making import seed_states

__all__ = ["Saving", "refuse_hdf5"]


class Saving(Mixin):
    """What of `BaseGAN` is about saving."""

    def save(self, filepath, overwrite: bool = True, **kwargs):
        """As in Keras: architecture, weights, optimizers, averages and random states in one ``.keras`` file.

        Raises:
            ValueError: the name of another format.
        """
        refuse_hdf5(filepath)
        backend.keep_tensorflow_off_gpu()
        return super().save(filepath, overwrite=overwrite, **kwargs)

    def get_config(self):
        config = {name: _serialized(value) for name, value in self.arguments.items()}
        config |= {"ema_decay": self.ema_decay, "seed": self.seed, "name": self.name}
        config["dtype"] = keras.saving.serialize_keras_object(self.dtype_policy)
        config["data"] = {name: keras.saving.serialize_keras_object(part) for name, part in self.data.items()}
        if getattr(self, "augment", None) is not None:
            config["augment"] = keras.saving.serialize_keras_object(self.augment)
        for name in ("generator", "discriminator"):  # whoever made them: the user, or the variant from its arguments
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        backend.keep_tensorflow_off_gpu()
        config = {key: _deserialized(value, custom_objects) for key, value in copy.deepcopy(config).items()}
        parameters = inspect.signature(cls.__init__).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):  # a variant that makes its own networks
            config = {key: value for key, value in config.items() if key in parameters}
        while True:
            try:
                return cls(**config)
            except TypeError as error:  # one that says its networks or its data itself, and hands on what else there is
                twice = re.search(r"multiple values for (?:keyword )?argument '(\w+)'", str(error))
                if not twice or twice[1] not in ("generator", "discriminator", "data"):
                    raise
                del config[twice[1]]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for i, state in enumerate(seed_states(self)):
            store[f"seed_{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        states = seed_states(self)
        for i, state in enumerate(states):
            state.assign(store[f"seed_{i}"])
        super().load_own_variables({key: store[key] for key in store.keys() if not key.startswith("seed_")})


def refuse_hdf5(filepath) -> None:
    """Keras' older format takes names for keys, of which a network and its average have the same."""
    if str(filepath).endswith((".h5", ".hdf5")):
        raise ValueError(f"A model is saved in Keras' own format: end the name in .keras. Received: {filepath}")


def _serialized(value: Any) -> Any:
    """The value with every network in it as a config, and without what Keras wraps dictionaries and lists in."""
    if isinstance(value, dict):
        return {key: _serialized(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_serialized(each) for each in value]
    return keras.saving.serialize_keras_object(value) if isinstance(value, keras.Model) else value


def _deserialized(value: Any, custom_objects) -> Any:
    """The value with every Keras object in it made again; what else there is stays."""
    if not isinstance(value, dict):
        return value
    if {"class_name", "config"} <= set(value):
        return keras.saving.deserialize_keras_object(value, custom_objects)
    return {key: _deserialized(each, custom_objects) for key, each in value.items()}
