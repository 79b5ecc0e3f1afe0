"""A recolorer for kpalette: every pixel gets the nearest colour of the palette."""

import numpy as np

from kpalette import Picture, Plan, Recolored, RecolorerEntry, rgb_to_lab


class PosterizeRecolorer:
    """Replaces each pixel by the nearest target colour in CIELAB."""

    name = "posterize"
    extraction = "kmeans"

    def apply(self, picture: Picture, plan: Plan) -> Recolored:
        """Recolours the rgb of a picture."""
        colors = np.rint(plan.target.rgb * 255).astype(np.uint8)
        image = np.empty_like(picture.rgb)
        for row, pixels in enumerate(picture.rgb):
            image[row] = colors[plan.target.nearest(rgb_to_lab(pixels / 255))]
        return Recolored(image, lambda: 0.0)


ENTRY = RecolorerEntry(
    name="posterize",
    title="Posterize",
    about="Every pixel gets the nearest of your colours, as in a silkscreen print.",
    method="posterizing: the nearest target colour in CIELAB",
    factory=PosterizeRecolorer,
)
