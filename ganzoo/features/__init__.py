"""What a discriminator has learned: its features, how well they tell classes, its filters, what excites them."""

from ganzoo.features.linear import Fit, compare, linear_accuracy
from ganzoo.features.pictures import Excitations, excitations, filters
from ganzoo.features.reading import features, twin

__all__ = ["Excitations", "Fit", "compare", "excitations", "features", "filters", "linear_accuracy", "twin"]
