"""Layers of `PaletteNet` rewritten in fewer and larger operators with the same results, for runtimes of graphs."""

from functools import partial
from typing import Any


def simplified(model: Any, *, channels_first: bool = False) -> Any:
    """Replaces a model's layers by fewer and larger operators.

    A normalisation and the FiLM after it become one product and one sum per pixel; means are computed as products where
    sums over middle axes are slow. Attention multiplies the pixels by queries and keys at once. A resize is a single
    operator, where `Double` slices and joins.

    Args:
        model: a `PaletteNet` under TensorFlow. It is changed in place, and can only be called afterwards.
        channels_first: whether the runtime convolves (B, C, H, W), as ONNX Runtime does; this avoids transpositions
            between convolutions.

    Returns:
        The same model.
    """
    import keras

    from kpalette.models.layers import Double, FiLM
    from kpalette.models.swatch_layers import SwatchAttention

    pixels = _Pixels(channels_first)
    film = {layer.name: layer for layer in model.layers if isinstance(layer, FiLM)}
    for layer in model.layers:
        if isinstance(layer, Double):
            layer.call = _double  # type: ignore[method-assign]
        elif isinstance(layer, SwatchAttention):
            layer.call = partial(_attention, pixels, layer)  # type: ignore[method-assign]
        elif isinstance(layer, keras.layers.GroupNormalization):  # with a group for each channel
            behind = film.get(layer.name.removesuffix("norm") + "film")
            if behind is None:
                layer.call = partial(_norm, pixels, layer)
            else:
                layer.call = _unchanged
                behind.call = partial(_norm_and_film, pixels, layer, behind)  # type: ignore[method-assign]
    return model


class _Pixels:
    """Pictures as matrices, (B, H W, C), or (B, C, H W) with channels first."""

    def __init__(self, channels_first: bool) -> None:
        self.channels_first = channels_first

    def matrix(self, x: Any) -> Any:
        """The matrix of a picture (B, H, W, C)."""
        import tensorflow as tf

        batch, height, width = (tf.shape(x)[axis] for axis in range(3))
        if self.channels_first:
            return tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (batch, x.shape[-1], height * width))
        return tf.reshape(x, (batch, height * width, x.shape[-1]))

    def picture(self, matrix: Any, like: Any) -> Any:
        """The picture (B, H, W, C) of a matrix; `like` is a picture of the same size."""
        import tensorflow as tf

        batch, height, width = (tf.shape(like)[axis] for axis in range(3))
        if self.channels_first:
            turned = tf.reshape(matrix, (batch, matrix.shape[1], height, width))
            return tf.transpose(turned, (0, 2, 3, 1))
        return tf.reshape(matrix, (batch, height, width, matrix.shape[-1]))

    def times(self, matrix: Any, factors: Any) -> Any:
        """The product of a matrix with factors (B, C, D)."""
        import tensorflow as tf

        if self.channels_first:
            return tf.matmul(factors, matrix, transpose_a=True)
        return tf.matmul(matrix, factors)

    def mean(self, matrix: Any) -> Any:
        """The mean of each channel, for broadcasting over pixels."""
        import tensorflow as tf

        if self.channels_first:
            return tf.reduce_mean(matrix, axis=-1, keepdims=True)
        count = tf.shape(matrix)[1]
        # A product with a row of ones: sums over middle axes are slow.
        return tf.matmul(tf.fill((1, 1, count), 1.0 / tf.cast(count, matrix.dtype)), matrix)

    def everywhere(self, values: Any) -> Any:
        """Values (B, C), for broadcasting over pixels."""
        return values[:, :, None] if self.channels_first else values[:, None, :]

    def softmax(self, logits: Any) -> Any:
        """The softmax over channels."""
        import tensorflow as tf

        return tf.nn.softmax(logits, axis=1 if self.channels_first else 2)


def _unchanged(x: Any) -> Any:
    return x


def _double(x: Any) -> Any:
    import tensorflow as tf

    return tf.image.resize(x, 2 * tf.shape(x)[1:3])


def _norm(pixels: _Pixels, layer: Any, x: Any) -> Any:
    scale = pixels.everywhere(layer.gamma[None]) if layer.scale else 1.0
    shift = pixels.everywhere(layer.beta[None]) if layer.center else 0.0
    return _normalized(pixels, x, layer.epsilon, scale, shift)


def _norm_and_film(pixels: _Pixels, norm: Any, film: Any, x: Any, code: Any) -> Any:
    import tensorflow as tf

    scale, shift = tf.split(film.dense(code), 2, axis=-1)
    return _normalized(pixels, x, norm.epsilon, pixels.everywhere(1 + scale), pixels.everywhere(shift))


def _normalized(pixels: _Pixels, x: Any, epsilon: float, scale: Any, shift: Any) -> Any:
    import tensorflow as tf

    matrix = pixels.matrix(x)
    centred = matrix - pixels.mean(matrix)  # before squaring, so that a single colour has a variance of exactly 0
    factor = scale * tf.math.rsqrt(pixels.mean(centred * centred) + epsilon)
    return pixels.picture(centred * factor + shift, x)


def _attention(pixels: _Pixels, layer: Any, x: Any, keys: Any, values: Any, present: Any, nearness: Any = None) -> Any:
    import tensorflow as tf

    matrix = pixels.matrix(x)
    key = layer.key(keys) / layer.key_size**0.5
    # (x Q + q) k = x (Q k) + q k: the products for each pixel are as many as swatches, not as channels.
    factors = tf.matmul(layer.query.kernel[None], key, transpose_b=True)
    offset = tf.linalg.matvec(key, layer.query.bias) + layer.hidden(present)
    logits = pixels.times(matrix, factors) + pixels.everywhere(offset)
    if nearness is not None:
        sharpness = layer.sharpness
        logits += layer.weight(
            pixels.times(matrix, sharpness.kernel[None]) + pixels.everywhere(sharpness.bias[None])
        ) * pixels.matrix(nearness)
    return pixels.picture(pixels.times(pixels.softmax(logits), values), x)
