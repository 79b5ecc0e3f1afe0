"""A change of colour, carried from a small picture to the full-size one: `kpalette.recolorers.upsample`, steps 3, 4."""

import numpy as np

from kpalette.kernels.jit import kernel

_F = np.float32


@kernel
def add_change(colors, nodes, top, height):
    """Adds the change of some rows, in place.

    Args:
        colors: float32 (3, rows, w), the colours of these rows, which are the guide, too.
        nodes: float32 (small height, small width, 6, 3), of `planes.field_nodes`.
        top: the first row.
        height: rows of the whole picture.
    """
    rows, width = colors.shape[1:]
    starts, fractions = _columns(width, nodes.shape[1])
    uppers, downs = _positions(top, rows, height, nodes.shape[0])
    row, steps = np.empty_like(nodes[0]), np.zeros_like(nodes[0])
    line, changed = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    for i in range(rows):
        for channel in range(3):
            line[channel] = colors[channel, i]
        _between(nodes, uppers[i], downs[i], row, steps)
        _change_row(line, row, steps, starts, fractions, changed)
        for channel in range(3):
            colors[channel, i] = changed[channel]


@kernel
def relight(image, nodes, scale, top, height, result):
    """Adds the change of rgb to rows of an image, uint8 (rows, w, 3); colours count as rgb times `scale`."""
    rows, width = image.shape[:2]
    starts, fractions = _columns(width, nodes.shape[1])
    uppers, downs = _positions(top, rows, height, nodes.shape[0])
    row, steps = np.empty_like(nodes[0]), np.zeros_like(nodes[0])
    line, changed = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    level, back = _F(scale / 255), _F(255 / scale)
    for i in range(rows):
        for channel in range(3):
            for j in range(width):
                line[channel, j] = level * _F(image[i, j, channel])
        _between(nodes, uppers[i], downs[i], row, steps)
        _change_row(line, row, steps, starts, fractions, changed)
        for channel in range(3):
            for j in range(width):
                value = min(max(changed[channel, j] * back, _F(0)), _F(255))
                result[i, j, channel] = np.uint8(np.int32(value + _F(0.5)))


@kernel
def _change_row(line, row, steps, starts, fractions, changed):
    """Adds the change to the colours of a row."""
    x, y, z = line
    for at in range(row.shape[0]):
        for k in range(3):
            b, db = row[at, 0, k], steps[at, 0, k]
            ax, ay, az = row[at, 1, k], row[at, 2, k], row[at, 3, k]
            dx, dy, dz = steps[at, 1, k], steps[at, 2, k], steps[at, 3, k]
            low, dlow, high, dhigh = row[at, 4, k], steps[at, 4, k], row[at, 5, k], steps[at, 5, k]
            source, target = line[k], changed[k]
            for j in range(starts[at], starts[at + 1]):
                part = fractions[j]
                change = b + part * db + (ax + part * dx) * x[j] + (ay + part * dy) * y[j] + (az + part * dz) * z[j]
                target[j] = source[j] + min(max(change, low + part * dlow), high + part * dhigh)


@kernel
def _columns(width, small_width):
    """At which pixel each column of the small picture begins, (small width + 1,), and the fractions of the pixels."""
    nodes, fractions = _positions(0, width, width, small_width)
    starts = np.full(small_width + 1, width, np.int32)
    for j in range(width - 1, -1, -1):
        starts[nodes[j]] = j
    for at in range(small_width - 1, -1, -1):
        starts[at] = min(starts[at], starts[at + 1])
    return starts, fractions


@kernel
def _positions(start, count, size, small_size):
    """Where the middles of `count` pixels from `start` lie among the small picture's: the node before, the fraction."""
    nodes, fractions = np.empty(count, np.int32), np.empty(count, np.float32)
    for i in range(count):
        at = min(max((start + i + 0.5) * (small_size / size) - 0.5, 0.0), small_size - 1.0)
        nodes[i] = int(at)
        fractions[i] = at - nodes[i]
    return nodes, fractions


@kernel
def _between(nodes, upper, fraction, row, steps):
    """Writes the nodes between two rows, and the step from each column to the next, (small width, 6, 3) each."""
    first, second = nodes[upper].ravel(), nodes[min(upper + 1, nodes.shape[0] - 1)].ravel()
    flat, flat_steps, stride = row.ravel(), steps.ravel(), row.shape[1] * row.shape[2]
    for k in range(flat.size):
        flat[k] = first[k] + fraction * (second[k] - first[k])
    for k in range(flat.size - stride):
        flat_steps[k] = flat[k + stride] - flat[k]
