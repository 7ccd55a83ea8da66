"""The names of the zoo's models: `@register` files a GAN class, `get_model` finds it again."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Model = TypeVar("Model", bound=type)

_MODELS: dict[str, type] = {}


def register(name: str | Model | None = None) -> Model | Callable[[Model], Model]:
    """Files a GAN class in the registry, under its snake_case name or the one given.

    The name starts every preset of the model (`<model>-<dataset>`) and is what a recipe says under `model:`.
    Registering a model is having it tested: the contract tests run over every name in the registry.

    Args:
        name: The model's name: lower-case letters, digits and underscores. Left out (`@register`), the class name
            in snake_case: `DCGAN` is `"dcgan"`, `WGANGP` is `"wgan_gp"`, `ThreePlayerGAN` is `"three_player_gan"`.

    Returns:
        The class, unchanged.

    Raises:
        ValueError: The name is malformed, or another class has it already.

    Example:

    ```python
    @ganzoo.register
    class MyGAN(ganzoo.DCGAN):
        ...

    ganzoo.models.get_model("my_gan")
    ```
    """
    if isinstance(name, type):
        return _file(name, snake_case(name.__name__))
    return lambda model: _file(model, snake_case(model.__name__) if name is None else name)


def list_models() -> list[str]:
    """Returns the names of all registered models, sorted: the zoo's, once `ganzoo.models` is imported, and yours."""
    return sorted(_MODELS)


def get_model(name: str) -> Any:
    """Returns the class registered under `name`.

    Raises:
        ValueError: There is no such model; the message names the close ones.

    Example:

    ```python
    model = ganzoo.models.get_model("dcgan")(image_shape=(32, 32, 3))
    ```
    """
    if name not in _MODELS:
        raise ValueError(f"There is no model of that name.{suggestion(name, _MODELS)} Received: name={name!r}")
    return _MODELS[name]


def snake_case(class_name: str) -> str:
    """Returns `class_name` in snake_case, where `GAN` ends a word: `WGANGP` becomes `wgan_gp`."""
    words = re.sub(r"GAN(?=[A-Z])", "GAN_", class_name)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", words)
    return re.sub(r"_+", "_", words).lower()


def suggestion(name: object, choices: Iterable[str]) -> str:
    """Returns a sentence, after a space, that names the choices close to `name`, or else all of them."""
    choices = sorted(choices)
    lower = {choice.lower(): choice for choice in choices}
    if close := difflib.get_close_matches(str(name).lower(), lower, n=3):
        *others, last = (repr(lower[each]) for each in close)
        return f" Did you mean {', '.join(others)}{' or ' * bool(others)}{last}?"
    return f" Choose from: {', '.join(choices)}." if choices else ""


def _file(model: Model, name: str) -> Model:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(
            f"A model's name consists of lower-case letters, digits and underscores. Received: name={name!r}"
        )
    known = _MODELS.get(name)
    if known is not None and not _same_definition(known, model):
        raise ValueError(
            f"The model name {name!r} is taken by {known.__module__}.{known.__qualname__}; "
            f'give another one with @register("..."). Received: model={model.__module__}.{model.__qualname__}'
        )
    _MODELS[name] = model
    return model


def _same_definition(known: type, model: type) -> bool:
    """A notebook cell run again, or a reloaded module, defines the same class anew: that replaces it."""
    return (known.__module__, known.__qualname__) == (model.__module__, model.__qualname__)
