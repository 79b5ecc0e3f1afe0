#!/usr/bin/env bash
# safetensors 0.8.0 saves a transposed NumPy array with its numbers in another order.
#
# Guess:    save and load give back the array that went in, whatever its order in memory.
# Seen:     the array comes back with the right shape and dtype, and its numbers in another order: those of the memory,
#           read as if it were in C order. No error, no warning. The same for an array in Fortran order.
# Version:  safetensors 0.8.0; 0.7.0 is right. NumPy 2.4.6. (The docstring asks for arrays "contiguous and dense":
#           a transposed array is both. Known to its makers: issue 825, open on 2026-11-30.)
# Met by:   whoever turns a network's weights, kernels of another framework for instance, and saves them by themselves.
# kpalette: its checkpoints hold arrays in C order (`to_stored` in kpalette/weights/tensors.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv

for version in safetensors==0.7.0 safetensors==0.8.0; do
  venv/bin/python -m pip --disable-pip-version-check install --quiet "$version" numpy==2.4.6
  venv/bin/python -I - "${version#*==}" <<'EOF'
import sys

import numpy
import safetensors
import safetensors.numpy

assert safetensors.__version__ == sys.argv[1], safetensors.__version__
print(f"safetensors {safetensors.__version__}, numpy {numpy.__version__}")
weights = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
right = {}
for name, array in {"C order": weights, "transposed": weights.T, "Fortran": numpy.asfortranarray(weights)}.items():
    back = safetensors.numpy.load(safetensors.numpy.save({"w": array}))["w"]
    right[name] = numpy.array_equal(back, array)
    print(f"  {name}: saved {array.tolist()}, loaded {back.tolist()}: {'same' if right[name] else 'CHANGED'}")
    assert back.shape == array.shape
    assert back.dtype == array.dtype
turned = sys.argv[1] != "0.8.0"
sys.exit(right != {"C order": True, "transposed": turned, "Fortran": turned})
EOF
done
echo "as described"
