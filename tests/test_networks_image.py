"""The networks from images to images (CORRECTNESS V04): against references in NumPy and figures of the paper."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from layer_reference import convolution_of, transposed_convolution_of

from ganzoo.engine.backend import input_gradient
from ganzoo.layers import BatchNormalization, GroupNormalization, SpectralNormalization, SwitchedDropout
from ganzoo.networks.patchgan import patchgan_discriminator
from ganzoo.networks.unet import unet_generator

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (3, 64, 64, 2)).astype("float32")


@pytest.fixture(autouse=True)
def weights_by_numpy(monkeypatch):
    """JAX compiles a program for each shape it draws; these tests build many networks."""
    draw = lambda self, shape, dtype=None: np.random.normal(self.mean, self.stddev, shape).astype("float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", draw)


def values(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def well_scaled(network):
    """Other weights than N(0, .02), with which deep maps would vanish, and any centre; returns them by path."""
    rng, weights = np.random.default_rng(1), {}
    for v in network.trainable_variables:
        fan_in = np.prod(v.shape[:3]) if len(v.shape) == 4 else 4
        v.assign(rng.normal(float("gamma" in v.path), 1 / np.sqrt(fan_in), v.shape).astype("float32"))
        weights[v.path] = values(v).astype("float64")
    return weights


# ----------------------------------------------------------------------------------------------------------- the U-Net
def relu(x, slope=0.0):
    return np.where(x > 0, x, slope * x)


def block(weights, name, x, transposed, norm):
    """A convolution, and the normalisation of each channel of each image, in float64."""
    kernel = weights[f"{name}/kernel"]
    geometry = (transposed_convolution_of if transposed else convolution_of)(x.shape[1:3], (4, 4), (2, 2), "same")
    x = (geometry.transpose if transposed else geometry.forward)(x, kernel) + weights.get(f"{name}/bias", 0.0)
    if not norm:
        return x
    x = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    return x * weights[f"{name}_norm/gamma"] + weights[f"{name}_norm/beta"]


def unet_reference(weights, x, levels):
    """As the authors wire it: skips are taken before their activation, and pass through the decoder's."""
    maps = [block(weights, "down1", x.astype("float64"), False, False)]
    for i in range(2, levels + 1):
        maps.append(block(weights, f"down{i}", relu(maps[-1], 0.2), False, i < levels))
    x = relu(maps.pop())
    for i in range(1, levels):
        x = block(weights, f"up{i}", x, True, True)
        x = relu(np.concatenate([x, maps.pop()], axis=-1))
    return np.tanh(block(weights, "to_image", x, True, False))


@pytest.mark.parametrize("size,levels", [((64, 64), 6), ((64, 96), 5)])
def test_v04_the_unet_computes_what_the_reference_does(size, levels):
    network = unet_generator((*size, 2), 3, width=2, kept_on=False)
    weights = well_scaled(network)
    x = RNG.uniform(-1, 1, (3, *size, 2)).astype("float32")
    got = values(network(x, training=False))
    assert got.shape == (3, *size, 3) and not np.allclose(got[0], got[1], atol=0.1)
    np.testing.assert_allclose(got, unet_reference(weights, x, levels), atol=1e-4)


def test_v04_the_unet_of_the_paper_has_its_weights():
    # The number is a quadratic of the width, so that three narrow networks tell that of the paper's, of width 64.
    widths = [1, 2, 4]
    counts = [unet_generator((256, 256, 3), 3, width).count_params() for width in widths]
    parabola = np.linalg.solve(np.vander(widths, 3).astype(float), counts)
    biases = 64 + 512  # of the first and of the innermost layer, which the authors' code leaves out
    assert round(np.polyval(parabola, 64)) == 54_413_955 + biases


def test_v04_the_layers_of_the_unet():
    network = unet_generator((64, 64, 2), 3, width=2)
    assert [x.name for x in network.inputs] == ["source"]
    assert (network.input_shape, network.output_shape) == ((None, 64, 64, 2), (None, 64, 64, 3))
    channels = {layer.name: layer.filters for layer in network.layers if hasattr(layer, "filters")}
    down = {f"down{i}": n for i, n in enumerate([2, 4, 8, 16, 16, 16], 1)}
    assert channels == {**down, "up1": 16, "up2": 16, "up3": 8, "up4": 4, "up5": 2, "to_image": 3}
    assert network.get_layer("down6").output.shape == (None, 1, 1, 16)
    normalised = [layer.name for layer in network.layers if isinstance(layer, GroupNormalization)]
    assert normalised == [*(f"down{i}_norm" for i in range(2, 6)), *(f"up{i}_norm" for i in range(1, 6))]
    dropped = {layer.name: layer.rate for layer in network.layers if isinstance(layer, SwitchedDropout)}
    assert dropped == {"up1_dropout": 0.5, "up2_dropout": 0.5, "up3_dropout": 0.5}
    assert all(layer.kept_on for layer in network.layers if isinstance(layer, SwitchedDropout))
    narrow = unet_generator((64, 64, 2), 3, width=2, max_width=4, dropout=0)
    assert narrow.get_layer("down6").filters == narrow.get_layer("up1").filters == 4
    assert not any(isinstance(layer, SwitchedDropout) for layer in narrow.layers)


def test_v04_weights_begin_as_in_the_paper():
    keras.utils.set_random_seed(0)
    network = unet_generator((64, 64, 2), 3, width=8)
    kernel, gamma = values(network.get_layer("down5").kernel), values(network.get_layer("down5_norm").gamma)
    assert abs(kernel.std() / 0.02 - 1) < 0.02 and abs(kernel.mean()) < 1e-3
    assert abs(gamma.mean() - 1) < 0.02 and 0.01 < gamma.std() < 0.03


@pytest.mark.parametrize("build", ["unet", "patchgan"])
def test_v04_instance_normalisation_is_batch_normalisation_of_one_image(build):
    def network_of(normalization):
        if build == "unet":
            return unet_generator((64, 64, 2), 3, width=2, normalization=normalization, dropout=0)
        return patchgan_discriminator({"source": (64, 64, 2)}, width=2, normalization=normalization)

    ours, papers = network_of("instance"), network_of("batch")
    weights = well_scaled(ours)
    assert any(isinstance(layer, BatchNormalization) for layer in papers.layers)
    for v in papers.trainable_variables:
        v.assign(weights[v.path])
    inputs = (lambda x: x) if build == "unet" else (lambda x: {"source": x})
    whole = values(ours(inputs(IMAGES), training=False))  # in inference, with other images in the batch
    for i in range(len(IMAGES)):
        alone = values(papers(inputs(IMAGES[i : i + 1]), training=True))  # on the statistics of the batch
        np.testing.assert_allclose(whole[i : i + 1], alone, atol=1e-4)
    np.testing.assert_allclose(values(ours(inputs(IMAGES), training=True)), whole, atol=1e-5)


def test_k50_noise_is_kept_on_at_test_time_and_can_be_switched_off():
    network = unet_generator((64, 64, 2), 3, width=2)
    well_scaled(network)
    first, second = (values(network(IMAGES, training=False)) for _ in range(2))
    assert np.abs(first - second).mean() > 0.01
    layers = [layer for layer in network.layers if isinstance(layer, SwitchedDropout)]
    for seed, layer in enumerate(layers):
        layer.seed_generator.state.assign([seed, 0])
    again = values(network(IMAGES, training=False))
    for seed, layer in enumerate(layers):
        layer.seed_generator.state.assign([seed, 0])
    np.testing.assert_allclose(values(network(IMAGES, training=False)), again, atol=1e-6)
    for layer in layers:
        layer.kept_on = False
    quiet = values(network(IMAGES, training=False))
    np.testing.assert_allclose(values(network(IMAGES, training=False)), quiet, atol=1e-6)
    assert np.abs(values(network(IMAGES, training=True)) - quiet).mean() > 0.01


def test_a_copy_made_from_the_config_computes_the_same():
    network = unet_generator((64, 64, 2), 3, width=2, kept_on=False)
    well_scaled(network)
    copy = keras.Model.from_config(network.get_config())
    copy.set_weights(network.get_weights())
    np.testing.assert_allclose(values(copy(IMAGES)), values(network(IMAGES)), atol=1e-6)
    assert copy.get_layer("up1_dropout").kept_on is False


def test_outputs_are_float32_in_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = unet_generator((64, 64, 2), 3, width=2)
        discriminator = patchgan_discriminator({"source": (64, 64, 2), "target": (64, 64, 3)}, width=2)
    finally:
        keras.config.set_dtype_policy(before)
    well_scaled(generator)
    fake = generator(IMAGES, training=True)
    logits = discriminator({"source": ops.convert_to_tensor(IMAGES), "target": fake}, training=True)
    assert [keras.backend.standardize_dtype(x.dtype) for x in (fake, logits)] == ["float32", "float32"]
    assert 0.1 < np.abs(values(fake)).max() <= 1
    assert keras.backend.standardize_dtype(generator.get_layer("up1_dropout").output.dtype) == "bfloat16"


@pytest.mark.parametrize("shape", [(63, 64, 3), (32, 32, 3), (100, 100, 3), (64, 80, 3), (64,)])
def test_sizes_that_do_not_halve_are_refused(shape):
    with pytest.raises(ValueError, match=r"multiples of 32 and at least 64 .*resize, crop or pad.*Received"):
        unet_generator(shape, 3)


def test_unknown_settings_are_refused():
    shapes = {"source": (64, 64, 3)}
    with pytest.raises(ValueError, match=r"'instance', 'batch', None. Received: normalization='layer'"):
        unet_generator((64, 64, 3), 3, normalization="layer")
    with pytest.raises(ValueError, match=r"'spectral', None. Received: normalization='layer'"):
        patchgan_discriminator(shapes, normalization="layer")
    for wrong in (dict(width=0), dict(max_width=0), dict(target_channels=0)):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be a positive integer"):
            unet_generator((64, 64, 3), **{"target_channels": 3, **wrong})
    with pytest.raises(ValueError, match="`num_layers` must be a positive integer"):
        patchgan_discriminator(shapes, num_layers=0)
    with pytest.raises(ValueError, match="rate"):
        unet_generator((64, 64, 3), 3, dropout=1.0)


# ------------------------------------------------------------------------------------------------ the PatchGAN
@pytest.mark.parametrize("num_layers,patch", [(1, 16), (2, 34), (3, 70)])
def test_v04_the_patch_of_a_logit(num_layers, patch):
    network = patchgan_discriminator({"source": (96, 96, 1)}, 1, num_layers, normalization=None)
    well_scaled(network)
    middle = network.output_shape[1] // 2
    x = RNG.uniform(-1, 1, (1, 96, 96, 1)).astype("float32")
    fn = lambda x: network({"source": x}, training=True)[:, middle, middle]  # noqa: E731
    seen = values(input_gradient(fn, ops.convert_to_tensor(x)))[0, :, :, 0] != 0
    for along in (seen.any(0), seen.any(1)):
        places = np.flatnonzero(along)
        assert len(places) == places[-1] - places[0] + 1 == patch
        # A stride of 2 begins one pixel before its output's first, the two strides of 1 begin one before each.
        assert places[0] == 2**num_layers * (middle - 2) - (2**num_layers - 1)


def test_v04_the_patchgan_of_the_paper_has_its_weights():
    network = patchgan_discriminator({"source": (256, 256, 3), "target": (256, 256, 3)})
    assert network.count_params() == 2_768_705  # the authors' code: 2.769 M
    assert network.output_shape == (None, 30, 30, 1)
    sizes = {name: network.get_layer(name).output.shape[1:] for name in ("conv1", "conv2", "conv3", "conv4")}
    assert sizes == {"conv1": (128, 128, 64), "conv2": (64, 64, 128), "conv3": (32, 32, 256), "conv4": (31, 31, 512)}
    normalised = [layer.name for layer in network.layers if isinstance(layer, GroupNormalization)]
    assert normalised == ["conv2_norm", "conv3_norm", "conv4_norm"]
    assert patchgan_discriminator({"x": (256, 256, 3)}, 1, 5).get_layer("conv6").filters == 8


def test_a_patchgan_of_any_size_judges_each_patch_as_one_of_its_own_size():
    small, large = RNG.uniform(-1, 1, (2, 32, 32, 1)).astype("float32"), (40, 64)
    one = patchgan_discriminator({"target": (32, 32, 1)}, 2, 2, "spectral")
    well_scaled(one)
    other = patchgan_discriminator({"target": (32, 32, 1)}, 2, 2, "spectral", any_size=True)
    other.set_weights(one.get_weights())
    assert other.inputs[0].shape == (None, None, None, 1)
    np.testing.assert_allclose(values(other({"target": small})), values(one({"target": small})), atol=1e-5)
    whole = patchgan_discriminator({"target": (*large, 1)}, 2, 2, "spectral")
    whole.set_weights(one.get_weights())
    image = {"target": RNG.uniform(-1, 1, (1, *large, 1)).astype("float32")}
    np.testing.assert_allclose(values(other(image)), values(whole(image)), atol=1e-5)
    with pytest.raises(ValueError, match="leave no patch"):
        patchgan_discriminator({"target": (8, 32, 1)}, 2, 2, any_size=True)


def test_v04_the_discriminator_sees_all_inputs_by_name():
    network = patchgan_discriminator({"target": (64, 64, 3), "source": (64, 64, 2)}, width=2)
    well_scaled(network)
    source, target = IMAGES, RNG.uniform(-1, 1, (3, 64, 64, 3)).astype("float32")
    logits = values(network({"source": source, "target": target}))
    assert logits.shape == (3, 6, 6, 1)
    np.testing.assert_array_equal(values(network({"target": target, "source": source})), logits)
    for changed in ({"source": -source, "target": target}, {"source": source, "target": -target}):
        assert np.abs(values(network(changed)) - logits).max() > 0.01
    # The channels are in the order of the shapes: the first layer's kernel begins with the target's.
    kernel = network.get_layer("conv1").kernel
    kernel.assign(values(kernel) * np.array([1, 1, 1, 0, 0]).reshape(1, 1, 5, 1))
    apart = [values(network({"source": each, "target": target})) for each in (source, -source)]
    np.testing.assert_array_equal(*apart)


def test_spectral_normalisation_is_on_every_kernel_and_alone():
    network = patchgan_discriminator({"source": (64, 64, 2)}, width=2, normalization="spectral")
    wrapped = [layer.name for layer in network.layers if isinstance(layer, SpectralNormalization)]
    assert wrapped == ["conv1_sn", "conv2_sn", "conv3_sn", "conv4_sn", "to_logits_sn"]
    assert not any("norm" in layer.name for layer in network.layers)
    assert all(network.get_layer(name).layer.use_bias for name in wrapped)
    assert values(network({"source": IMAGES}, training=True)).shape == (3, 6, 6, 1)


def test_images_that_leave_no_patch_or_of_two_sizes_are_refused():
    assert patchgan_discriminator({"source": (17, 33, 1)}, width=1).output_shape == (None, 1, 3, 1)
    with pytest.raises(ValueError, match=r"fewer than 17 pixels.*fewer layers or larger images. Received"):
        patchgan_discriminator({"source": (16, 64, 1)})
    for shapes in ({}, {"source": (64, 64, 1), "target": (64, 32, 1)}, {"source": (64,)}):
        with pytest.raises(ValueError, match=r"at least one input.*Received: shapes="):
            patchgan_discriminator(shapes)
