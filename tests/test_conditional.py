"""Projection cGAN and BigGAN: their layers, losses and networks by closed forms."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import losses
from ganzoo.layers import ClassProjection, GlobalSumPooling2D, Modulation, OffDiagonal, SpectralNormalization, Split


def array(tensor):
    return ops.convert_to_numpy(tensor)


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_hinge_losses():
    real, fake = random(8, 1), random(8, 1, seed=1)
    expected = np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
    assert float(array(losses.hinge_discriminator_loss(real, fake))) == pytest.approx(expected, rel=1e-6)
    assert float(array(losses.hinge_generator_loss(fake))) == pytest.approx(-fake.mean(), rel=1e-6)
    assert float(array(losses.hinge_discriminator_loss(np.zeros(3), np.zeros(3)))) == 2
    assert float(array(losses.hinge_discriminator_loss(np.full(3, 9.0), np.full(3, -9.0)))) == 0


def test_modulation_pooling_and_split():
    x, gain, shift = random(2, 3, 4, 5), random(2, 5, seed=1), random(2, 5, seed=2)
    expected = x * (1 + gain[:, None, None]) + shift[:, None, None]
    np.testing.assert_allclose(array(Modulation()([x, gain, shift])), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(array(GlobalSumPooling2D()(x)), x.sum((1, 2)), rtol=1e-5, atol=1e-6)
    latents = random(2, 11)
    parts = [array(part) for part in Split(3)(latents)]
    np.testing.assert_array_equal(np.concatenate(parts, 1), latents)
    assert [part.shape[1] for part in parts] == [4, 3, 4]
    half = GlobalSumPooling2D(dtype="mixed_bfloat16")(np.full((1, 64, 64, 1), 0.125, "float32"))
    assert float(array(ops.cast(half, "float32"))[0, 0]) == 512, "summed in float32"


def test_n09_projection_is_an_inner_product_whose_table_is_normalised_too():
    features, labels = random(6, 4), np.array([0, 2, 1, 2, 0, 1])
    layer = ClassProjection(3, name="class")
    found = array(layer([features, labels]))
    np.testing.assert_allclose(found[:, 0], (features * array(layer.kernel)[labels]).sum(1), rtol=1e-5, atol=1e-6)
    normalised = SpectralNormalization(ClassProjection(3, name="class"), power_iterations=50)
    found = array(normalised([features, labels]))
    table = array(normalised.layer.kernel)
    table = table / np.linalg.svd(table, compute_uv=False)[0]
    np.testing.assert_allclose(found[:, 0], (features * table[labels]).sum(1), rtol=1e-3, atol=1e-5)


def test_n08_the_penalty_is_off_the_diagonal_alone():
    kernel = random(3, 3, 4, 6)
    matrix = kernel.reshape(-1, 6)
    products = matrix.T @ matrix
    expected = 0.5 * (products[~np.eye(6, dtype=bool)] ** 2).sum()
    assert float(array(OffDiagonal(0.5)(kernel))) == pytest.approx(expected, rel=1e-4)
    orthogonal = np.linalg.qr(random(8, 4))[0] * np.array([1, 2, 3, 4])
    assert float(array(OffDiagonal(1.0)(orthogonal.astype("float32")))) < 1e-9, "of whatever length"
    with pytest.raises(ValueError, match="`factor`"):
        OffDiagonal(-1)


def biggan(**kwargs):
    return ganzoo.BigGAN((16, 16, 1), 3, 12, 4, seed=0, **kwargs)


def batch(num=6):
    images = np.random.default_rng(0).uniform(-1, 1, (num, 16, 16, 1)).astype("float32")
    return {"images": ops.convert_to_tensor(images), "labels": ops.convert_to_tensor(np.arange(num, dtype="int32") % 3)}


@pytest.mark.parametrize("model", ["biggan", "projection"])
def test_n09_the_logit_is_psi_and_the_projection_of_summed_features(model):
    made = biggan() if model == "biggan" else ganzoo.ProjectionGAN((16, 16, 1), 3, 4, 4, seed=0)
    network = made.discriminator
    real = batch()
    inside = keras.Model(network.inputs, network.get_layer("sum").output)
    features, labels = array(inside(real, training=False)), array(real["labels"])
    psi, vectors = network.get_layer("to_logit_sn"), network.get_layer("class_vector_sn")
    weights, table = (array(layer.normalized_kernel()[0]) for layer in (psi, vectors))
    expected = features @ weights + array(psi.layer.bias) + (features * table[labels]).sum(1, keepdims=True)
    np.testing.assert_allclose(array(made.discriminate(real, False)), expected, rtol=1e-3, atol=1e-4)
    before = network.get_layer("last_relu" if model == "biggan" else "down2_relu").output
    pixels = array(keras.Model(network.inputs, before)(real, training=False))
    np.testing.assert_allclose(features, pixels.sum((1, 2)), rtol=1e-4, atol=1e-4, err_msg="a sum, not a mean")


def test_n08_every_block_is_told_the_class_and_latents_of_its_own():
    network = biggan(orthogonal=0.25).generator
    for block in ("block1", "block2"):
        for layer in ("1_gain", "1_shift", "2_gain", "2_shift"):
            dense = network.get_layer(f"{block}_{layer}_sn").layer
            assert not dense.use_bias and dense.kernel.shape[0] == 4 + 128, "its latents and the shared vector"
    assert len([layer for layer in network.layers if isinstance(layer, keras.layers.Embedding)]) == 1
    for layer in network.layers:
        if isinstance(layer, SpectralNormalization):
            assert layer.layer.kernel_regularizer.factor == 0.25
    kernel = array(network.get_layer("block1_conv1_sn").layer.kernel).reshape(-1, 8)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(8), atol=1e-5, err_msg="orthogonal at first")


def test_the_orthogonal_penalty_is_part_of_the_generators_loss():
    with_penalty, without = biggan(orthogonal=10.0), biggan(orthogonal=0.0)
    without.generator.set_weights(with_penalty.generator.get_weights())
    without.discriminator.set_weights(with_penalty.discriminator.get_weights())
    expected = sum(
        float(array(OffDiagonal(10.0)(layer.layer.kernel)))
        for layer in with_penalty.generator.layers
        if isinstance(layer, SpectralNormalization)
    )
    assert expected > 1e-3
    data = {name: array(x) for name, x in batch(8).items()}
    a, b = (model.evaluate(data, batch_size=8, verbose=0)["generator_loss"] for model in (with_penalty, without))
    assert a - b == pytest.approx(expected, rel=0.05)


def test_truncated_latents_follow_their_distribution():
    from scipy.stats import kstest, truncnorm

    latents = biggan().seeded_latents(2000, seed=0, truncation=0.5).ravel()
    assert abs(latents).max() <= 0.5
    assert kstest(latents, truncnorm(-0.5, 0.5).cdf).pvalue > 0.01
    assert kstest(biggan().seeded_latents(2000, seed=0, truncation=4.0).ravel(), truncnorm(-4, 4).cdf).pvalue > 0.01


def test_standing_statistics_are_the_mean_over_batches():
    model = biggan()
    layer = model.generator_ema.get_layer("block1_1_bn")
    kept = {v.path: array(v) for v in model.generator_ema.weights if "moving_" not in v.path}
    model.standing_statistics(truncation=0.5, num=64, batch_size=16, seed=3)
    before = keras.Model(model.generator_ema.inputs, layer.input)
    means = []
    for index in range(4):
        latents = ops.convert_to_tensor(model.seeded_latents(16, seed=3 + index, truncation=0.5))
        labels = ops.convert_to_tensor(np.arange(16, dtype="int32") % 3)
        means.append(array(before({"latents": latents, "labels": labels}, training=False)).mean((0, 1, 2)))
    np.testing.assert_allclose(array(layer.moving_mean), np.mean(means, 0), rtol=1e-3, atol=1e-5)
    assert layer.momentum == 0.9 and not model.generator_ema.trainable_variables
    for variable in model.generator_ema.weights:
        if variable.path in kept:
            np.testing.assert_array_equal(array(variable), kept[variable.path])
    assert model.generate(2, labels=1, truncation=0.5).shape == (2, 16, 16, 1)


def test_class_normalization_begins_alike_for_all_classes_and_learns_each():
    model = ganzoo.ProjectionGAN((16, 16, 1), 3, 4, 4, seed=0)

    def drawn(label):
        return model.predict({"latents": random(2, 4), "labels": np.full(2, label, "int32")}, verbose=0)

    assert np.array_equal(drawn(0), drawn(1))
    gain = model.generator_ema.get_layer("project_bn_gain").embeddings
    gain.assign(gain + np.array([0.0, 1.0, 2.0], "float32")[:, None])
    assert not np.array_equal(drawn(0), drawn(1))
