"""Look-up tables: trilinear interpolation in the table of a `kpalette.recolorers.lattice.Lattice`."""

import numpy as np

from kpalette.kernels.jit import kernel

_F = np.float32


@kernel
def look_up(image, table, result):
    """Maps an image, uint8 (h, w, 3), by a table of levels, float32 (n, n, n, 4), indexed by blue, green, red.

    Its last axis has a fourth place, so that the three levels fill a vector.
    """
    size = table.shape[0]
    nodes, parts = np.empty(256, np.int32), np.empty(256, np.float32)
    for value in range(256):
        at = value * (size - 1) / 255
        nodes[value] = min(int(at), size - 2)
        parts[value] = at - nodes[value]
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            red, green, blue = image[i, j, 0], image[i, j, 1], image[i, j, 2]
            low, high = table[nodes[blue]], table[nodes[blue] + 1]
            for channel in range(3):
                near = _on_face(low, nodes[green], nodes[red], channel, parts[green], parts[red])
                far = _on_face(high, nodes[green], nodes[red], channel, parts[green], parts[red])
                level = near + parts[blue] * (far - near)
                result[i, j, channel] = np.uint8(np.int32(level + _F(0.5)))


@kernel
def _on_face(face, m, n, channel, green, red):
    """Interpolates where blue is that of a node."""
    first = face[m, n, channel] + red * (face[m, n + 1, channel] - face[m, n, channel])
    second = face[m + 1, n, channel] + red * (face[m + 1, n + 1, channel] - face[m + 1, n, channel])
    return first + green * (second - first)
