"""Fine-tunes a PaletteNet on a folder of pictures with Keras' own fit.

    python examples/finetune.py CHECKPOINT FOLDER RESULT [--steps 500] [--crop 128] [--batch 8]

CHECKPOINT is a preset, a checkpoint folder, or "new" for an untrained network. RESULT is a checkpoint: for
`examples/recolor.py`, for `kpalette export`, and for `--from` of `python -m kpalette.train`.
"""

import argparse

import keras

import kpalette

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("checkpoint")
parser.add_argument("folder")
parser.add_argument("result")
parser.add_argument("--steps", type=int, default=500)
parser.add_argument("--crop", type=int, default=128)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--filters", type=int, default=32, help="of a new network")
options = parser.parse_args()

if options.checkpoint == "new":
    model = kpalette.PaletteNet(filters=options.filters)
else:
    model = kpalette.PaletteNet.from_preset(options.checkpoint)

# Endless batches (inputs, ab, weight) in network range: half hue pairs, half unrelated palettes by soft cluster turn.
pairs = kpalette.hue_pairs(options.folder, batch_size=options.batch, crop=options.crop, seed=1)
model.compile(optimizer=keras.optimizers.Adam(1e-4, global_clipnorm=1.0), loss="mse")
model.fit(pairs, steps_per_epoch=max(1, options.steps // 10), epochs=min(10, options.steps))
kpalette.save_checkpoint(model, options.result, half=False)
