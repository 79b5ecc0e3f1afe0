import numpy as np
import pytest

from tests.conftest import load

tf = load("tensorflow")
keras = load("keras")

from kpalette.models.generator import PaletteNet  # noqa: E402
from kpalette.models.layers import instance_norm  # noqa: E402
from kpalette.runtimes.export import copy_of  # noqa: E402
from kpalette.runtimes.operators import simplified  # noqa: E402


def operators(model) -> set[str]:
    spec = tf.TensorSpec(model.input.shape, tf.float32)
    traced = tf.function(model).get_concrete_function(spec)
    return {op.type for op in traced.graph.get_operations()}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports are made under TensorFlow")
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 17, 9, 5)])
@pytest.mark.parametrize("channels_first", [False, True])
def test_normalisation_is_the_same_in_fewer_operators(channels_first, affine, shape):
    layer = instance_norm(name="norm", affine=affine)
    inputs = keras.Input(shape[1:])
    model = keras.Model(inputs, layer(inputs))
    generator = np.random.default_rng(0)
    for variable in layer.weights:
        variable.assign(generator.normal(size=variable.shape))
    x = generator.normal(5, 3, shape).astype(np.float32)
    wanted = np.asarray(model(x))
    before = operators(model)
    np.testing.assert_allclose(np.asarray(simplified(model, channels_first=channels_first)(x)), wanted, atol=1e-5)
    after = operators(model)
    assert "IdentityN" in before  # of the gradient in closed form
    assert "IdentityN" not in after
    assert ("Mean" in after) == ("Transpose" in after) == channels_first


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports are made under TensorFlow")
@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize(("contrast", "swatches"), [(1.0, 8), (1e-3, 8), (0.0, 8), (1.0, 3), (1.0, 26)])
def test_a_network_stays_the_same(contrast, swatches, channels_first):
    model = PaletteNet(filters=2)
    generator = np.random.default_rng(1)
    for variable in model.weights:  # the head's first kernels and sharpness are nothing
        variable.assign(generator.normal(scale=0.1, size=variable.shape))
    other = simplified(copy_of(model), channels_first=channels_first)
    generator = np.random.default_rng(0)
    inputs = {
        "lab": [0.9, -0.2, 0.4] + contrast * generator.uniform(-0.5, 0.5, (2, 21, 40, 3)),
        "source_palette": generator.uniform(-0.5, 0.5, (2, swatches, 3)),
        "target_palette": generator.uniform(-0.5, 0.5, (2, swatches, 3)),
        "mask": np.arange(swatches) < np.array([[3], [swatches]]),
    }
    inputs = {name: value.astype(np.float32) for name, value in inputs.items()}
    np.testing.assert_allclose(np.asarray(other(inputs)), np.asarray(model(inputs)), atol=1e-5)
