#!/usr/bin/env bash
# Keras 3.15.1: the SSIM of two nearly equal uint8 pictures is 0, and their PSNR is too high.
#
# Guess:    keras.ops.psnr and keras.ops.image.ssim give the same figures for a pair of uint8 pictures with max_val=255
#           as for the same numbers as float32, as tf.image's functions of these names do.
# Seen:     ssim gives an array of uint8, so all below 1 becomes 0: the pair reads as unrelated, an equal pair as 1.
#           psnr squares the differences as uint8, where they wrap round: 2.5 dB too high here. No error, no warning.
# Version:  Keras 3.15.1 on JAX 0.10.2 and on its NumPy backend 2.4.6 (and on TensorFlow 2.21.0, not installed here).
# Met by:   whoever checks a recoloured picture by Keras' own figures: pictures are uint8 as Pillow and OpenCV give them.
# kpalette: computes SSIM by scikit-image, which takes uint8 right (kpalette/metrics/figures.py); losses are float32.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6 scipy==1.17.1

for backend in jax numpy; do
  KERAS_BACKEND=$backend KERAS_HOME=$folder venv/bin/python - <<'EOF'
import sys

import keras
import numpy

print(f"keras {keras.__version__}, backend {keras.backend.backend()}, numpy {numpy.__version__}")
random = numpy.random.default_rng(0)
first = random.integers(60, 190, (1, 64, 64, 3))
second = (first + random.integers(-20, 21, first.shape)).astype("uint8")
first = first.astype("uint8")
figures = {}
for dtype in ("uint8", "float32"):
    pair = first.astype(dtype), second.astype(dtype)
    psnr = float(keras.ops.psnr(*pair, max_val=255))
    ssim = numpy.asarray(keras.ops.image.ssim(*pair, max_val=255))
    same = numpy.asarray(keras.ops.image.ssim(pair[0], pair[0], max_val=255))
    figures[dtype] = psnr, float(ssim[0])
    print(f"  {dtype}: psnr {psnr:.2f} dB, ssim {ssim[0]:.4f} as {ssim.dtype}; of an equal pair {same[0]:.4f}")
error = numpy.mean((first.astype(float) - second) ** 2)
print(f"  by hand: psnr {10 * numpy.log10(255**2 / error):.2f} dB")
assert abs(figures["float32"][0] - 10 * numpy.log10(255**2 / error)) < 0.01
assert figures["float32"][1] > 0.9
sys.exit(not (figures["uint8"][1] == 0 and 2 < figures["uint8"][0] - figures["float32"][0] < 3))
EOF
done
echo "as described"
