"""Adversarial losses, in pairs of discriminator and generator, and what is added to them: pure functions.

Losses take logits of any shape (scores before any sigmoid: one per image, or a map of them) in any float dtype, and
return a float32 scalar, the mean over all logits.
"""

from ganzoo.losses.absolute import absolute_error
from ganzoo.losses.classes import attribute_loss, class_loss, code_loss
from ganzoo.losses.divergence import normal_divergence
from ganzoo.losses.entropy import (
    minimax_generator_loss,
    non_saturating_discriminator_loss,
    non_saturating_generator_loss,
)
from ganzoo.losses.features import feature_matching_loss
from ganzoo.losses.hinge import hinge_discriminator_loss, hinge_generator_loss
from ganzoo.losses.least_squares import least_squares_discriminator_loss, least_squares_generator_loss
from ganzoo.losses.penalties import gradient_penalty, norm_penalty, path_length_penalty, zero_centred_penalty
from ganzoo.losses.perceptual import perceptual_loss
from ganzoo.losses.relativistic import relativistic_average_loss, relativistic_pairing_loss
from ganzoo.losses.wasserstein import wasserstein_discriminator_loss, wasserstein_generator_loss

__all__ = [
    "absolute_error",
    "attribute_loss",
    "class_loss",
    "code_loss",
    "feature_matching_loss",
    "gradient_penalty",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "minimax_generator_loss",
    "non_saturating_discriminator_loss",
    "non_saturating_generator_loss",
    "norm_penalty",
    "normal_divergence",
    "path_length_penalty",
    "perceptual_loss",
    "relativistic_average_loss",
    "relativistic_pairing_loss",
    "wasserstein_discriminator_loss",
    "wasserstein_generator_loss",
    "zero_centred_penalty",
]
