"""Spectrally normalised layers, which divide their kernel by its largest singular value (Miyato et al. 2018).

Keras' own wrapper assigns the divided kernel to the variable. The JAX backend drops that from a training step, so
gradients differ between backends. Here `call` divides and the kernel stays unchanged; outputs equal those of
tensorflow-addons' `SpectralNormalization`.
"""

from typing import Any

import numpy as np

from kpalette.models.backend import keras, ops
from kpalette.models.initializers import PACKAGE, glorot_uniform

_FIRST_ITERATIONS = 4  # enough for an untrained kernel to be divided by nearly the right number
_TINY = 1e-6  # smallest length that a vector is divided by


class _Spectral(keras.layers.Layer):
    """Base of spectrally normalised layers: divides the kernel, (..., outputs), by its largest singular value."""

    power_iterations = 1

    def build(self, input_shape: Any) -> None:
        """Creates kernel, bias and the two singular vectors."""
        super().build(input_shape)
        matrix = ops.convert_to_numpy(self.kernel).astype(np.float32).reshape(-1, self.kernel.shape[-1])
        # In NumPy: a backend that compiles would take a second for each shape.
        u = ops.convert_to_numpy(glorot_uniform()((1, matrix.shape[1])))
        for _ in range(_FIRST_ITERATIONS):
            v = u @ matrix.T
            v /= max(float(np.linalg.norm(v)), _TINY)
            u = v @ matrix
            u /= max(float(np.linalg.norm(u)), _TINY)
        self.u, self.v = (self._singular_vector(name, value) for name, value in (("u", u), ("v", v)))

    def _singular_vector(self, name: str, value: Any) -> Any:
        variable = self.add_weight(shape=value.shape, initializer="zeros", trainable=False, dtype="float32", name=name)
        variable.assign(value)
        return variable

    def save_own_variables(self, store: Any) -> None:
        """Stores all variables; Keras' own convolutions and dense layers would leave out `u` and `v`."""
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Loads all variables; see `save_own_variables`."""
        keras.layers.Layer.load_own_variables(self, store)

    def _divided_kernel(self, training: bool) -> Any:
        kernel = ops.cast(self.kernel, "float32")
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        u, v = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.v)
        if training:
            u, v = _power_iteration(ops.stop_gradient(matrix), u, steps=self.power_iterations)
            self.u.assign(u)
            self.v.assign(v)
        sigma = ops.sum(ops.matmul(v, matrix) * u)
        return ops.cast(kernel / sigma, self.compute_dtype)

    def _finished(self, outputs: Any) -> Any:
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


def _power_iteration(matrix: Any, u: Any, *, steps: int) -> tuple[Any, Any]:
    """Moves u (1, outputs) and v (1, inputs) nearer to the matrix's first pair of singular vectors."""
    for _ in range(steps):
        v = _unit(ops.matmul(u, ops.transpose(matrix)))
        u = _unit(ops.matmul(v, matrix))
    return u, v


def _unit(vector: Any) -> Any:
    return vector / ops.sqrt(ops.maximum(ops.sum(vector**2), _TINY**2))


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """Convolution whose kernel is divided by its largest singular value.

    Example:
        >>> tuple(SpectralConv2D(6, 3, padding="same")(np.zeros((1, 8, 8, 2), np.float32)).shape)
        (1, 8, 8, 6)
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """(B, H, W, C) to (B, H', W', filters); with `training`, one power iteration moves the singular vectors."""
        return self._finished(self.convolution_op(inputs, self._divided_kernel(training)))


@keras.saving.register_keras_serializable(PACKAGE)
class SpectralDense(_Spectral, keras.layers.Dense):
    """Dense layer whose kernel is divided by its largest singular value.

    Example:
        >>> tuple(SpectralDense(6)(np.zeros((1, 4), np.float32)).shape)
        (1, 6)
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """(..., C) to (..., units); with `training`, one power iteration moves the singular vectors."""
        return self._finished(ops.matmul(inputs, self._divided_kernel(training)))
