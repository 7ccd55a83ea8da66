"""Metrics of generated images, on features or as a protocol that names everything that moves a number.

On features (n, d), NumPy in and a float out:

    frechet_distance, GaussianMoments    how far apart the two Gaussians are (FID, between Inception features)
    kernel_distance                      the same question without bias from the sample count (KID)
    prdc                                 precision, recall, density, coverage
    sliced_wasserstein_distance          how far apart the projections on random lines are
    authenticity, nearest_neighbours     are they copies of training images?

On logits and labels:

    classifier_score, ClassifierScore    clear classes, all of them? (Inception Score, of Inception's logits)
    label_accuracy                       does a conditional generator draw what it was asked for?
    within_class_frechet_distance        the Frechet distance class by class
    ModeCounts, nearest_modes, stacked_modes    how many known modes are reached, and how evenly
    classification_accuracy_score        can a classifier learn the classes from generated images alone?

On codes that were found without labels:

    cluster_accuracy                     do groups agree with classes, after the best assignment?
    slant, stroke_width                  of ink, for rank_correlation with a code

On images or a generator:

    ms_ssim, ms_ssim_diversity           how alike are the images among themselves?
    patch_wasserstein_distance           patches of an image pyramid, level by level
    perceptual_path_length               how smoothly images change between two latents

On drawn images and the true ones that they stand for:

    paired_measures, psnr, ssim, l1      how near does each drawn image come to its truth?
    perceptual_distance                  how near in a network's features?
    sharpness_difference                 is it as sharp as its truth?
    palette, classes_of, ambiguous       the classes of label maps that are colour images
    pixel_accuracy, mean_iou             how many pixels have the right class, over all and class by class
    interval                             how sure a mean over images is

As a whole:

    extractor("mnist").features(images)  what the bundled classifiers see
    evaluate("dcgan-mnist")              a preset's numbers under the protocol, `ganzoo.metrics.protocol`
    evaluate(model, (images, labels), protocol="conditional")    of a model of classes, drawn for those labels
    evaluate(model, (maps, photos), protocol="paired")           of a model that translates, pair by pair
"""

from __future__ import annotations

from ganzoo.metrics.classifier import classification_accuracy_score, train_classifier
from ganzoo.metrics.codes import cluster_accuracy, rank_correlation, slant, stroke_width
from ganzoo.metrics.extractors import CustomExtractor, Extractor, extractor, extractor_names
from ganzoo.metrics.frechet import GaussianMoments, frechet_distance
from ganzoo.metrics.kernel import kernel_distance
from ganzoo.metrics.labels import ClassifierScore, classifier_score, label_accuracy, within_class_frechet_distance
from ganzoo.metrics.modes import ModeCounts, nearest_modes, stacked_modes
from ganzoo.metrics.neighbours import authenticity, nearest_neighbours, prdc
from ganzoo.metrics.paired import l1, paired_measures, psnr, sharpness_difference, ssim
from ganzoo.metrics.path_length import perceptual_path_length
from ganzoo.metrics.perceptual import perceptual_distance
from ganzoo.metrics.protocol import PROTOCOLS, Protocol, Reference, evaluate, score, scorer
from ganzoo.metrics.segmentation import ambiguous, classes_of, interval, mean_iou, palette, pixel_accuracy
from ganzoo.metrics.similarity import ms_ssim, ms_ssim_diversity
from ganzoo.metrics.wasserstein import patch_wasserstein_distance, sliced_wasserstein_distance

__all__ = [
    "PROTOCOLS",
    "ClassifierScore",
    "CustomExtractor",
    "Extractor",
    "GaussianMoments",
    "ModeCounts",
    "Protocol",
    "Reference",
    "ambiguous",
    "authenticity",
    "classes_of",
    "classification_accuracy_score",
    "classifier_score",
    "cluster_accuracy",
    "evaluate",
    "extractor",
    "extractor_names",
    "frechet_distance",
    "interval",
    "kernel_distance",
    "l1",
    "label_accuracy",
    "mean_iou",
    "ms_ssim",
    "ms_ssim_diversity",
    "nearest_modes",
    "nearest_neighbours",
    "paired_measures",
    "palette",
    "patch_wasserstein_distance",
    "perceptual_distance",
    "perceptual_path_length",
    "pixel_accuracy",
    "prdc",
    "psnr",
    "rank_correlation",
    "score",
    "scorer",
    "sharpness_difference",
    "slant",
    "sliced_wasserstein_distance",
    "ssim",
    "stacked_modes",
    "stroke_width",
    "train_classifier",
    "within_class_frechet_distance",
]
