"""The command `export`: writes a network for other programs."""

from pathlib import Path

import click

from kpalette.errors import one_line


@click.command()
@click.argument("checkpoint", metavar="PRESET|FOLDER")
@click.option("-o", "--output", metavar="FILE.onnx|DIR", help="An ONNX file, or the folder of a SavedModel.")
@click.option("--graph", is_flag=True, help="Write graph.onnx into FOLDER, so that it runs without Keras.")
@click.option("--force", is_flag=True, help="Replace FILE or DIR if it exists.")
def export(checkpoint: str, output: str | None, graph: bool, force: bool) -> None:
    """Write a trained network as an ONNX file or a SavedModel.

    The result takes batches and pictures of any size. Before it is written, it is compared with Keras on random
    pictures. This needs TensorFlow: pip install 'kpalette[tensorflow,export]'.

    \b
    kpalette export palettenet -o palettenet.onnx
    kpalette export runs/mine/best -o mine.savedmodel/
    """  # noqa: D301 - click needs the backspace itself
    if (output is None) != graph or output == "":
        raise click.UsageError("give one of these: -o FILE.onnx, -o DIR for a SavedModel, or --graph")
    suffix = "" if output is None else Path(output).suffix.lower()
    if suffix not in ("", ".onnx", ".savedmodel"):
        raise click.UsageError(f"cannot export to {suffix}: give -o FILE.onnx, or -o DIR for a SavedModel")
    from kpalette.runtimes.export import export_onnx, export_saved_model
    from kpalette.runtimes.graph import write_graph
    from kpalette.weights.folder import read_checkpoint

    folder = read_checkpoint(checkpoint).folder
    if output is None:
        written, difference = str(folder / "graph.onnx"), write_graph(folder)
    else:
        written = output
        write = export_onnx if suffix == ".onnx" else export_saved_model
        difference = write(folder, output, overwrite=force)
    click.echo(f"wrote {one_line(written)}: within {difference:.1e} of Keras on random pictures of two sizes", err=True)
