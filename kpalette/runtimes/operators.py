"""Layers of `PaletteNet` rewritten in fewer and larger operators with the same results, for runtimes of graphs."""

from functools import partial
from typing import Any


def simplified(model: Any, *, channels_first: bool = False) -> Any:
    """Replaces a model's layers by fewer and larger operators.

    A normalisation and the FiLM after it become one product and one sum per pixel; means are computed as products where
    sums over middle axes are slow. Attention multiplies the pixels by queries and keys at once. A resize is a single
    operator, where `Double` slices and joins; with channels first, the normalisation behind it comes before it, on a
    quarter of the pixels.

    Args:
        model: a `PaletteNet` under TensorFlow. It is changed in place, and can only be called afterwards.
        channels_first: whether the runtime convolves (B, C, H, W), as ONNX Runtime does; this avoids transpositions
            between convolutions.

    Returns:
        The same model.
    """
    import keras

    from kpalette.models.layers import Double, FiLM
    from kpalette.models.smooth_layers import SmoothAlike
    from kpalette.models.swatch_layers import SwatchAttention, SwatchNearness

    pixels = _Pixels(channels_first)
    behind = {layer.name: layer for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, Double):
            layer.call = _unchanged if channels_first else _double  # type: ignore[method-assign]
        elif isinstance(layer, SwatchAttention):
            layer.call = partial(_attention, pixels, layer)  # type: ignore[method-assign]
        elif isinstance(layer, SmoothAlike) and channels_first:
            layer.call = partial(_smooth, layer)  # type: ignore[method-assign]
        elif layer.name == "head_conv" and channels_first:
            layer.call = partial(_thin_convolution, pixels, layer)
        elif isinstance(layer, SwatchNearness):
            layer.call = partial(_nearness, pixels, layer)  # type: ignore[method-assign]
        elif isinstance(layer, keras.layers.GroupNormalization):  # with a group for each channel
            film = behind.get(layer.name.removesuffix("norm") + "film")
            if not isinstance(film, FiLM):
                layer.call = partial(_norm, pixels, layer)
            else:
                layer.call = _unchanged
                film.call = partial(_norm_and_film, pixels, layer, film)  # type: ignore[method-assign]
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
            return tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (batch, _side(x, 3), height * width))
        return tf.reshape(x, (batch, height * width, _side(x, 3)))

    def picture(self, matrix: Any, like: Any) -> Any:
        """The picture (B, H, W, C) of a matrix; `like` is a picture of the same size."""
        import tensorflow as tf

        batch, height, width = (tf.shape(like)[axis] for axis in range(3))
        if self.channels_first:
            turned = tf.reshape(matrix, (batch, _side(matrix, 1), height, width))
            return tf.transpose(turned, (0, 2, 3, 1))
        return tf.reshape(matrix, (batch, height, width, _side(matrix, 2)))

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


def _side(x: Any, axis: int) -> Any:
    """The length of an axis: a number where it is known, as for channels, else a tensor, as for swatches."""
    import tensorflow as tf

    return tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]


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

    # A scale and a shift are the same before doubling and behind it: before it, they take a quarter of the work.
    first = pixels.channels_first
    scale, shift = (pixels.everywhere(part) for part in tf.split(film.dense(code), 2, axis=-1))
    y = _normalized(pixels, x, norm.epsilon, 1 + scale, shift, doubled=first)
    return _double(y) if first else y


def _blurred(x: Any) -> Any:
    """The y for which sum(x y) / n is the mean square of `_double(x)`, n the pixels of x.

    Along an axis, neighbours p, q become (3 p + q) / 4 and (p + 3 q) / 4; the squares of all sum up to products of each
    pixel with itself (10 / 8) and with its neighbours (3 / 8 each), where a border pixel is its own neighbour.
    """
    import tensorflow as tf

    line = tf.constant([0.1875, 0.625, 0.1875])
    kernel = tf.tile((line[:, None] * line)[:, :, None, None], (1, 1, x.shape[-1], 1))
    rows = tf.concat([x[:, :1], x, x[:, -1:]], axis=1)
    padded = tf.concat([rows[:, :, :1], rows, rows[:, :, -1:]], axis=2)
    return tf.nn.depthwise_conv2d(padded, kernel, (1, 1, 1, 1), "VALID")


def _normalized(pixels: _Pixels, x: Any, epsilon: float, scale: Any, shift: Any, *, doubled: bool = False) -> Any:
    """Normalises by the mean and variance of x, or by those of `_double(x)`, whose mean is the same."""
    import tensorflow as tf

    matrix = pixels.matrix(x)
    centred = matrix - pixels.mean(matrix)  # before squaring, so that a single colour has a variance of exactly 0
    other = pixels.matrix(_blurred(pixels.picture(centred, x))) if doubled else centred
    factor = scale * tf.math.rsqrt(pixels.mean(centred * other) + epsilon)
    return pixels.picture(centred * factor + shift, x)


def _nearness(pixels: _Pixels, layer: Any, lab: Any, swatches: Any) -> Any:
    import tensorflow as tf

    centre = swatches * layer.scale
    logits = pixels.times(pixels.matrix(lab), tf.transpose(centre * layer.scale, (0, 2, 1)))
    return pixels.picture(logits - pixels.everywhere(tf.reduce_sum(centre * centre, axis=-1) / 2), lab)


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
    if not pixels.channels_first:
        return pixels.picture(pixels.times(tf.nn.softmax(logits, axis=2), values), x)
    # A softmax along a middle axis is slow. The sum is one value more, and the division comes after the mixing.
    raw = tf.exp(logits - tf.reduce_max(logits, axis=1, keepdims=True))
    mixed = pixels.times(raw, tf.concat([values, tf.ones_like(values[..., :1])], axis=-1))
    return pixels.picture(mixed[:, :-1] / mixed[:, -1:], x)


def _thin_convolution(pixels: _Pixels, layer: Any, x: Any) -> Any:
    """A convolution of 3x3 to few channels: a product for each place of the kernel, and the sum of shifted products.

    ONNX Runtime would copy nine neighbours of every channel first.
    """
    import tensorflow as tf

    height, width, channels, found = layer.kernel.shape
    factors = tf.reshape(tf.transpose(layer.kernel, (2, 0, 1, 3)), (1, channels, height * width * found))
    products = pixels.picture(pixels.times(pixels.matrix(x), factors), x)
    padded = tf.pad(tf.transpose(products, (0, 3, 1, 2)), ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = tf.shape(x)[1], tf.shape(x)[2]
    total = layer.bias[:, None, None]
    for place in range(height * width):
        i, j = divmod(place, width)
        own = padded[:, place * found : (place + 1) * found, i : i + rows, j : j + columns]
        total = total + own
    return tf.transpose(total, (0, 2, 3, 1))


def _smooth(layer: Any, x: Any, lab: Any) -> Any:
    """`SmoothAlike` of lines of pixels, row behind row: all neighbours are parts of one padded line."""
    import tensorflow as tf

    from kpalette.models.smooth_layers import likeness_of

    width, count = tf.shape(x)[2], tf.shape(x)[1] * tf.shape(x)[2]
    line = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (tf.shape(x)[0], x.shape[3], count))
    weights = {step: _line_weights(likeness_of(layer, lab, step), step) for step in set(layer.steps)}
    for step in layer.steps:
        margin = step * width
        padded = tf.pad(line, ((0, 0), (0, 0), (margin, margin)))
        line = line * weights[step][0]
        for weight, at in zip(weights[step][1:], (0, 2 * margin, margin - step, margin + step), strict=True):
            line += padded[:, :, at : at + count] * weight
    turned = tf.reshape(line, (tf.shape(x)[0], x.shape[3], tf.shape(x)[1], width))
    return tf.transpose(turned, (0, 2, 3, 1))


def _line_weights(likeness: list[Any], step: int) -> list[Any]:
    """The shares of a pixel itself and of those above, below, before and behind it, (B, 1, H W); sum 1."""
    import tensorflow as tf

    below, behind = likeness
    sides = [
        tf.pad(below, ((0, 0), (0, 0), (step, 0), (0, 0))),
        tf.pad(below, ((0, 0), (0, 0), (0, step), (0, 0))),
        tf.pad(behind, ((0, 0), (0, 0), (0, 0), (step, 0))),
        tf.pad(behind, ((0, 0), (0, 0), (0, 0), (0, step))),
    ]
    own = 1.0 / (1.0 + sides[0] + sides[1] + sides[2] + sides[3])
    count = tf.shape(own)[2] * tf.shape(own)[3]
    return [tf.reshape(share, (-1, 1, count)) for share in (own, *(side * own for side in sides))]
