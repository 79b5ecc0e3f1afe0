import numpy as np
import pytest

from kpalette.color.arrays import as_float, namespace
from kpalette.errors import ArgumentError
from tests.conftest import load


def test_plain_values_and_arrays_are_numpy():
    assert namespace(1.0) is np
    assert namespace([1, 2]) is np
    assert namespace(np.float32(1), np.zeros(3)) is np


def test_the_first_tensor_decides():
    jax = load("jax")
    assert namespace(0.5, np.zeros(3), jax.numpy.zeros(3)) is jax.numpy


def test_keras_tensors_get_keras_ops():
    keras = load("keras")
    assert namespace(keras.Input((3,))) is keras.ops


def test_tensorflow_names_agree_with_numpy():
    tf = load("tensorflow")
    x = np.array([[0.25, 1.0], [4.0, 9.0]], np.float32)
    xp = namespace(tf.constant(x))
    for name in ("sqrt", "exp", "cos", "sin", "abs", "floor", "ones_like", "zeros_like"):
        np.testing.assert_allclose(getattr(xp, name)(tf.constant(x)), getattr(np, name)(x), rtol=1e-6)
    np.testing.assert_allclose(xp.clip(tf.constant(x), 0.5, 2.0), np.clip(x, 0.5, 2.0))
    np.testing.assert_allclose(xp.sum(tf.constant(x), axis=-1), x.sum(-1))
    np.testing.assert_allclose(xp.stack([tf.constant(x)] * 2, axis=-1), np.stack([x] * 2, -1))


def test_the_first_of_several_libraries_decides():
    tf, jax = load("tensorflow"), load("jax")
    assert namespace(jax.numpy.zeros(3), tf.zeros(3)) is jax.numpy
    assert namespace(tf.zeros(3), jax.numpy.zeros(3)) is namespace(tf.zeros(3))


def test_unknown_libraries_are_refused_by_name():
    class Foreign:
        __module__ = "torch.somewhere"

    with pytest.raises(ArgumentError, match="package 'torch'"):
        namespace(Foreign())


@pytest.mark.parametrize(
    ("given", "expected"), [("float16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_colour_maths_is_never_narrower_than_float32(given, expected):
    assert as_float(np.zeros(3, given)).dtype == expected


def test_half_precision_tensors_are_widened():
    tf, jax, keras = load("tensorflow"), load("jax"), load("keras")
    assert as_float(tf.zeros(3, "bfloat16")).dtype == "float32"
    assert as_float(jax.numpy.zeros(3, "bfloat16")).dtype == "float32"
    assert as_float(keras.Input((3,), dtype="float16")).dtype == "float32"
