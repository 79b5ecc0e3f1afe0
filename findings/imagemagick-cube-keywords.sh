#!/usr/bin/env bash
# ImageMagick 7.1.2 takes keyword lines after LUT_3D_SIZE in a .cube file for colours.
#
# Guess:    an identity table changes nothing, wherever the keywords DOMAIN_MIN and DOMAIN_MAX stand in the head. The
#           usual example of the format, by IRIDAS, has them after LUT_3D_SIZE.
# Seen:     each line after LUT_3D_SIZE is read as a colour, keywords too. The colours move down by a place for each,
#           and the last ones are dropped: with DOMAIN_MIN and DOMAIN_MAX there, the identity changes colours by up to
#           255 levels. With both before LUT_3D_SIZE, or left out, all is right. No error, no warning.
# Version:  ImageMagick 7.1.2-30, as npm's @imagemagick/magick-wasm 0.0.43 (WebAssembly, 8 bits).
# Met by:   whoever applies a table of `kpalette lut` by ImageMagick 7 (magick photo.jpg cube:look.cube -hald-clut ...).
# kpalette: its tables have no DOMAIN lines, and LUT_3D_SIZE ends the head (kpalette/recolorers/lut_files.py).
set -euo pipefail

command -v npm >/dev/null || { echo "needs Node.js 20 or newer with npm" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm --silent --no-audit --no-fund --ignore-scripts install @imagemagick/magick-wasm@0.0.43

cat >run.js <<'EOF'
import fs from "node:fs";
import { createRequire } from "node:module";
import { ImageMagick, initializeImageMagick, Magick, MagickImage } from "@imagemagick/magick-wasm";

const wasm = createRequire(import.meta.url).resolve("@imagemagick/magick-wasm/magick.wasm");
await initializeImageMagick(fs.readFileSync(wasm));
console.log(Magick.imageMagickVersion);

const nodes = 17;
const steps = [...Array(nodes).keys()].map((step) => (step / (nodes - 1)).toFixed(6));
const rows = steps.flatMap((b) => steps.flatMap((g) => steps.map((r) => `${r} ${g} ${b}\n`))).join("");
const size = `LUT_3D_SIZE ${nodes}\n`;
const domain = "DOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n";

// ImageMagick turns the table into a Hald picture of 64 nodes a side: here every pixel should be its own colour.
function furthest(head) {
  ImageMagick._api.FS.writeFile("/identity.cube", head + rows); // it reads .cube from files alone
  return MagickImage.create("CUBE:/identity.cube").getPixels((pixels) => {
    const hald = pixels.toByteArray(0, 0, 512, 512, "RGB");
    let worst = 0, sum = 0;
    for (let i = 0; i < 64 ** 3; i++) {
      [i % 64, (i >> 6) % 64, i >> 12].forEach((step, channel) => {
        const off = Math.abs(hald[3 * i + channel] - (step * 255) / 63);
        worst = Math.max(worst, off);
        sum += off;
      });
    }
    return { worst: Math.round(worst), mean: +(sum / (3 * 64 ** 3)).toFixed(2) };
  });
}

const seen = { "no keywords": furthest(size), "keywords before": furthest(domain + size), "keywords after": furthest(size + domain) };
for (const [name, { worst, mean }] of Object.entries(seen)) {
  console.log(`  ${name}: off by ${mean} levels in the mean, ${worst} at worst`);
}
const good = seen["no keywords"].worst <= 1 && seen["keywords before"].worst <= 1;
process.exit(good && seen["keywords after"].worst > 100 ? 0 : 1);
EOF
node run.js
echo "as described"
