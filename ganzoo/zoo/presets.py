"""The zoo's presets: `load`, `list_presets` and `info`. Nothing here imports Keras until a model is built.

A preset `<model>-<dataset>` is a recipe and, once trained and published, a card: see `ganzoo.zoo.recipes`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.zoo.recipes import (
    Card,
    Dataset,
    Golden,
    Optimizer,
    Recipe,
    Schedule,
    Training,
    card_path,
    config_dir,
    is_recipe_file,
    name_of,
    preset_names,
    read_card,
    read_recipe,
    recipe_path,
)
from ganzoo.zoo.registry import suggestion

if typing.TYPE_CHECKING:
    from ganzoo.engine.gan import GAN

__all__ = [
    "Card",
    "Golden",
    "Optimizer",
    "PresetInfo",
    "Recipe",
    "Schedule",
    "Training",
    "build",
    "card_path",
    "config_dir",
    "info",
    "is_preset",
    "is_recipe_file",
    "list_presets",
    "load",
    "read_card",
    "read_recipe",
    "recipe_path",
    "weights_file",
]


@dataclass(frozen=True)
class PresetInfo:
    """A preset's recipe and card; printed, it is a readable summary."""

    name: str
    recipe: Recipe
    card: Card | None

    @property
    def pretrained(self) -> bool:
        """Whether there are published weights."""
        return self.card is not None

    def __str__(self) -> str:
        recipe, training = self.recipe, self.recipe.training
        rows = [
            ("model", " ".join([recipe.model, *(f"{key}={value}" for key, value in recipe.arguments.items())])),
            ("paper", recipe.paper),
            ("data", _with_licence(_data(recipe.dataset), recipe.dataset.licence)),
            *([("begins with", ", ".join(recipe.begin_with))] if recipe.begin_with else []),
            ("training", f"{training.epochs} epochs, batches of {training.batch_size}, {training.precision}"),
            *((f"  {player}", _optimizer(chosen)) for player, chosen in training.optimizer.items()),
            *([("  rates", _rates(training.schedule))] if training.schedule else []),
            *([("  augment", training.augment.class_name)] if training.augment else []),
            *([("  frozen", f"{recipe.freeze} layers of the discriminator")] if recipe.freeze else []),
            *(("departure", text) for text in recipe.departures),
            *_weights_rows(self.card, recipe),
        ]
        width = max(len(label) for label, _ in rows)
        body = [f"  {label:{width}}  {text}" for label, text in rows]
        return "\n".join([f"{self.name}: {recipe.description}", "", *body, "", *commands(self)])

    __repr__ = __str__


def load(preset: str, weights: str | Path | None = "pretrained", **arguments: Any) -> GAN:
    """Builds a preset's model and loads its weights.

    The model is built in the ambient `keras.config.dtype_policy()`, whatever precision it was trained in, and can be
    trained on with `fit` at once.

    Args:
        preset: The preset's name (`ganzoo.list_presets()`), or the path of a recipe of your own (`.yaml`).
        weights: `"pretrained"` for the published weights; `None` for fresh ones; or where to take the preset's weights
            file from: a file, a directory, or an `http(s)://` or `hf://` address.
        **arguments: Constructor arguments that replace the recipe's.

    Returns:
        The `GAN`.

    Raises:
        ValueError: No such preset (the message names the close ones), a faulty recipe or an unknown argument.
        WeightsError: The weights cannot be had, or are not the ones that the card names.

    Example:

    ```python
    model = ganzoo.load("dcgan-mnist")
    images = model.generate(16, seed=0)  # uint8 (16, 28, 28, 1)
    ```
    """
    if isinstance(preset, (str, Path)) and not is_preset(preset):
        raise ValueError(
            "load takes presets; what was saved, in the folder of a training too, is loaded by "
            f"keras.saving.load_model('model.keras'). Received: preset={str(preset)!r}"
        )
    recipe = read_recipe(preset)
    card = read_card(preset)
    if weights is not None and not isinstance(weights, (str, Path)):
        raise ValueError(f'The weights are "pretrained", None, or where their file is. Received: weights={weights!r}')
    if weights == "pretrained" and card is None:
        raise ValueError(
            f"The preset {name_of(preset)!r} has no pretrained weights yet. Train it with `ganzoo train {preset}`, or "
            f"take fresh weights with `weights=None`. Received: preset={str(preset)!r}, weights={weights!r}"
        )
    model = build(recipe, **arguments)
    if weights is not None:
        _load_weights(model, card, None if weights == "pretrained" else weights)
    return model


def is_preset(source: str | Path) -> bool:
    """Whether it is meant as a preset: no `.keras` file and no folder, unless a preset is called like that."""
    return str(source) in preset_names() or not (Path(source).is_dir() or Path(source).suffix == ".keras")


def list_presets(model: str | None = None, dataset: str | None = None, pretrained: bool | None = None) -> list[str]:
    """Returns the names of the presets, sorted.

    Args:
        model: Only presets of this model, e.g. `"dcgan"`.
        dataset: Only presets trained on this data set, e.g. `"mnist"`.
        pretrained: Only presets with (`True`) or without (`False`) published weights.

    Example:

    ```python
    ganzoo.list_presets(dataset="mnist")  # ['dcgan-mnist', 'gan-mnist']
    ```
    """
    found = [info(name) for name in preset_names()]
    return [
        preset.name
        for preset in found
        if model in (None, preset.recipe.model)
        and dataset in (None, preset.recipe.dataset.name)
        and pretrained in (None, preset.pretrained)
    ]


def info(preset: str | Path) -> PresetInfo:
    """Returns a preset's recipe and card; printed, a summary with the commands to use it.

    Raises:
        ValueError: No such preset; the message names the close ones.

    Example:

    ```python
    print(ganzoo.info("dcgan-mnist"))
    ganzoo.info("dcgan-mnist").recipe.training.epochs
    ```
    """
    return PresetInfo(name_of(preset), read_recipe(preset), read_card(preset))


def build(recipe: Recipe, **arguments: Any) -> GAN:
    """Builds the model of `recipe` with fresh weights; `arguments` replace those of the recipe.

    Raises:
        ValueError: The model or one of the arguments is unknown; the message names the close ones.
    """
    from ganzoo.models import get_model  # which imports Keras

    model = get_model(recipe.model)
    arguments = {**recipe.arguments, **arguments}
    known = _constructor_arguments(model)
    for name, value in arguments.items():
        if name not in known:
            raise ValueError(
                f"{model.__name__} has no argument {name!r}.{suggestion(name, known)} Received: {name}={value!r}"
            )
    try:
        return model(**arguments)
    except (TypeError, ValueError) as error:
        received = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise ValueError(f"{model.__name__} cannot be built of these arguments ({received}): {error}") from error


def _load_weights(model: GAN, card: Card | None, source: str | Path | None) -> None:
    from ganzoo.zoo import download, weights

    if card is None and source is not None:  # a file of one's own, with no hash to hold it to
        if not Path(source).is_file():
            raise ValueError(
                "The preset has no card to verify weights by, so they can only come from a file on this machine. "
                f"Received: weights={str(source)!r}"
            )
        return weights.load_weights(model, Path(source))
    assert card is not None  # `load` has refused "pretrained" without one
    return weights.load_weights(model, download.locate(weights_file(card), source=source))


def weights_file(card: Card) -> Any:
    """Returns the weights file that a card is bound to, for `ganzoo.zoo.download.locate`."""
    from ganzoo.zoo import download

    return download.WeightsFile(preset=card.preset, file=card.file, sha256=card.sha256, bytes=card.bytes)


def _constructor_arguments(model: type) -> list[str]:
    """The named arguments of the class and, where it hands on `**kwargs`, of those above it up to Keras' own."""
    names: list[str] = []
    for cls in model.__mro__:
        if "__init__" not in vars(cls):
            continue
        parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if cls.__module__.startswith("keras.") or not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return sorted({*names} - {"self"} | {"name"})


# --- Printing


def _data(dataset: Dataset) -> str:
    made = [f"{name} made by {function}" for name, function in dataset.derive.items()]
    named = [f"{name} is {other}" for name, other in dataset.parts.items()]
    size = ["x".join(map(str, dataset.image_shape))] if dataset.image_shape else []
    return f"{dataset.name} ({', '.join([dataset.split, *size, *named, *made])})"


def _with_licence(text: str, licence: str | None) -> str:
    return f"{text}, licence: {licence}" if licence else text


def _optimizer(optimizer: Optimizer) -> str:
    settings = optimizer.settings()
    rate = settings.pop("learning_rate")
    return f"{optimizer.class_name}({', '.join([f'{rate:g}', *(f'{k}={v:g}' for k, v in settings.items())])})"


def _rates(schedule: Schedule) -> str:
    return f"constant for {schedule.hold:.0%} of the steps, then in a line to zero"


def _weights_rows(card: Card | None, recipe: Recipe) -> list[tuple[str, str]]:
    if card is None:
        return [("weights", "not published yet")]
    return [
        ("weights", _with_licence(f"{card.file}, {card.bytes / 1e6:.2f} MB", card.licence)),
        ("sha256", card.sha256),
        ("trained", f"{card.steps} steps, seed {card.seed}, {card.backend}, Keras {card.keras}, commit {card.commit}"),
        *(("protocol", protocol) for protocol in dict.fromkeys(metric["protocol"] for metric in card.metrics)),
        *(("metric", _metric(metric)) for metric in card.metrics),
        *([("best", _best(card.best))] if card.best else []),
    ]


def _metric(metric: Mapping[str, Any]) -> str:
    spread = f" +- {metric['std']:.2g}" if metric.get("std") is not None else ""
    return f"{metric['name']} {metric['value']:.4g}{spread}"


def _best(best: Mapping[str, Any]) -> str:
    return f"epoch {best['epoch']} ({best['chosen_by']}): {', '.join(map(_metric, best['metrics']))}"


def commands(preset: PresetInfo) -> list[str]:
    """What to type to draw with a preset, or to train it."""
    if preset.card is None:
        return [f"Train it: ganzoo train {preset.name}"]
    inputs = preset.card.golden.inputs
    files = [name for name, values in inputs.items() if isinstance(values, dict)]
    told = [f"{name}={name}.png" for name in files] or [f"{name}={values[0]}" for name, values in inputs.items()]
    drawn = ["-n 64 --seed 0"] if not inputs else told
    given = ", ".join([*([] if files else ["16"]), *(f"{name}={name}" for name in files), *([] if files else told)])
    return [
        f"Draw:   ganzoo generate {preset.name} {' '.join(drawn)} -o {preset.name}.png",
        f'Python: images = ganzoo.load("{preset.name}").generate({given}, seed=0)',
    ]
