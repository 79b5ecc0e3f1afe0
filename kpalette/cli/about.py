"""The commands `demo` and `info`: a first result, and facts about this installation."""

import importlib.metadata
import json
import platform
from pathlib import Path

import click

from kpalette import __version__
from kpalette.images.decoders import FORMATS
from kpalette.images.files import check_output, max_pixels, write_image
from kpalette.images.picture import as_picture
from kpalette.images.samples import SAMPLES, sample_image
from kpalette.palettes.presets import find_palette
from kpalette.recolorers.registry import DEFAULT_MODEL, registry

DEMO_PALETTE = "orange, saddlebrown, purple, green"
_PACKAGES = (
    "numpy", "opencv-python-headless", "pillow", "scikit-image", "scipy", "keras", "tensorflow", "tensorflow-cpu",
    "jax", "onnxruntime", "streamlit", "keras-tuner",
)  # fmt: skip


@click.command()
@click.option(
    "-p",
    "--palette",
    metavar="COLOURS|PRESET|FILE",
    default=DEMO_PALETTE,
    show_default=True,
    help="Colours, a preset or a palette file.",
)
@click.option(
    "--sample", type=click.Choice(SAMPLES), default="astronaut", show_default=True, help="Which sample picture."
)
@click.option(
    "-o", "--output", metavar="FILE", default="kpalette-demo.png", show_default=True, help="The file of the sheet."
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def demo(palette: str, sample: str, output: str, force: bool) -> None:
    """Recolour a sample picture with every recolorer, and write a labelled sheet.

    The figures of the results are printed.
    """
    from kpalette.cli.tables import label, print_figures
    from kpalette.report.sheet import make_sheet
    from kpalette.study.compare import compare

    target = find_palette(palette)
    check_output(Path(output), overwrite=force)
    rows = list(compare(as_picture(sample_image(sample)), target))
    sheet = make_sheet(
        [row.image for row in rows], [label(row) for row in rows], palette=target, title=f"kpalette: {sample}"
    )
    write_image(Path(output), sheet, overwrite=force)
    print_figures(rows)
    click.echo(f"sheet: {Path(output).resolve()}", err=True)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info(as_json: bool) -> None:
    """Print versions, recolorers, formats and limits: what a bug report needs."""
    facts = {
        "kpalette": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "default_model": DEFAULT_MODEL,
        "recolorers": {name: entry.method for name, entry in registry().items()},
        "formats": list(FORMATS),
        "max_pixels": max_pixels(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            click.echo(f"{key}:")
            for name, text in value.items():
                click.echo(f"  {name:<24}{text or 'not installed'}")
        else:
            click.echo(f"{key + ':':<16}{', '.join(value) if isinstance(value, list) else value}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
