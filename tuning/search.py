"""Search for the best options of `python -m kpalette.train`, with KerasTuner, on one machine or many.

    python tuning/search.py                                 # the study's twelve runs, pictures that come along
    python tuning/search.py --data train.tar --budget 400 --seeds 3 --output runs/search

A search that was stopped or killed goes on by the same command, or by --output alone.
"""

import importlib.util
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

# KerasTuner imports Keras, of which this process needs nothing: on NumPy that takes half of the time and memory. Runs
# are trained in processes of their own, on the backend that was chosen.
_BACKEND = os.environ.get("KERAS_BACKEND")
if importlib.util.find_spec("jax") is not None:
    os.environ["KERAS_BACKEND"] = "numpy"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorBoard imports TensorFlow, which would greet

# In a clone nothing need be installed but the requirements: runs in processes of their own find kpalette as well.
if importlib.util.find_spec("kpalette") is None:
    _ROOT = str(Path(__file__).resolve().parents[1])
    sys.path.insert(0, _ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))

import click  # noqa: E402

from kpalette.cli.app import run  # noqa: E402
from kpalette.errors import ArgumentError, KPaletteError  # noqa: E402
from kpalette.search.plan import TUNERS  # noqa: E402
from kpalette.search.space import read_space  # noqa: E402
from kpalette.training.config import PHASES  # noqa: E402

_FIELDS = ("data", "palettes", "start_from", "budget", "seeds", "phase", "tuner", "trials")
_SIZES = ("filters", "crop")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data", metavar="PICTURES", help="A folder, a tar or ArtBench-10.  [default: pictures that come along]")
@click.option(
    "--images", type=click.IntRange(2), metavar="N", help="So many of the pictures, spread evenly.  [default: all]"
)
@click.option("--palettes", metavar="FILE", help="Designed palettes, as of kpalette.train.")
@click.option(
    "--budget",
    type=click.IntRange(1),
    metavar="N",
    help="Optimizer updates of each run; hyperband: at most.  [default: 20]",
)
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="Runs of each configuration.  [default: 1]")
@click.option("--space", metavar="FILE", help="What is varied, as JSON.  [default: the study's twelve]")
@click.option("--phase", type=click.Choice(PHASES), help="Of the runs.  [default: pretrain]")
@click.option("--from", "start_from", metavar="RUN", help="What phase adversarial starts from.")
@click.option("--tuner", type=click.Choice(TUNERS), help="Who chooses.  [default: grid]")
@click.option(
    "--trials", type=click.IntRange(1), metavar="N", help="Configurations of random and bayesian.  [default: 12]"
)
@click.option("--filters", type=click.IntRange(1), metavar="N", help="Of all networks.  [default: 8]")
@click.option("--crop", type=click.IntRange(16), metavar="N", help="Side of the squares that are seen.  [default: 48]")
@click.option("--timeout", type=click.FloatRange(1), metavar="SECONDS", help="A run that takes longer has failed.")
@click.option("-o", "--output", default="runs/search", show_default=True, metavar="FOLDER", help="Of the search.")
@click.option("--into", metavar="FILE.md", help="Put the results into the block `results` of this document.")
@click.option("--role", type=click.Choice(("chief", "worker")), help="Of this machine, where there are many.")
@click.option("--chief", metavar="HOST:PORT", help="Where the chief listens.  [default: 127.0.0.1:17070]")
@click.option(
    "--lease",
    type=click.FloatRange(5),
    metavar="SECONDS",
    help="Chief: a worker silent for longer loses its run.  [default: 60]",
)
def command(
    output: str, role: str | None, chief: str | None, lease: float | None, into: str | None, **options: Any
) -> None:
    """Search for the best learning rate, batch size and shuffle of kpalette.train, or whatever --space says.

    Every run has the same number of optimizer updates, and is judged by ab mean squared error over the whole selection
    split. What was stopped goes on by the same command.
    """
    if "" in (output, into, *options.values()):
        raise click.UsageError("an empty name: is a variable unset?")
    if role is None and (chief or lease):
        raise click.UsageError("--chief and --lease are for --role chief and --role worker")
    if role == "worker" and (into or lease):
        raise click.UsageError("--into and --lease are for the chief")
    if role == "chief" and options["timeout"]:
        raise click.UsageError("--timeout is for the workers: the chief trains nothing")
    given = _given(options)
    document = None if into is None else _document(into)
    try:
        from kpalette.search import session
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("keras", "keras_tuner", "tensorflow", "jax", "torch"):
            raise
        raise KPaletteError(f"the search needs {error.name}: pip install '.[tensorflow,tuning]'") from None
    trainer = partial(session.run_trial, timeout=options["timeout"], environment=_environment())
    folder, say = Path(output), partial(click.echo, err=True)
    address = chief or session.DEFAULT_CHIEF
    if role == "worker":
        return session.work(folder, given, address=address, run=trainer, say=say)
    if role == "chief":
        report = session.chief(folder, given, address=address, lease=lease or session.LEASE, say=say)
    else:
        report = session.search(folder, given, run=trainer, say=say)
    if into is not None and document is not None:
        _fill(into, document, report.block())
    click.echo(report.table(), nl=False)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a plan that were given."""
    given = {name: options[name] for name in _FIELDS if options[name] is not None}
    if options["images"] is not None:
        given["pictures"] = options["images"]
    settings = {name: options[name] for name in _SIZES if options[name] is not None}
    if options["space"] is not None:
        given["space"], shared = read_space(Path(options["space"]))
        for name in settings.keys() & shared.keys():
            raise ArgumentError(f"{name} is given both by --{name} and in {options['space']}")
        settings |= shared
    return given | ({"settings": settings} if settings else {})


def _environment() -> dict[str, str]:
    """Of the training processes."""
    own = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return own if _BACKEND is None else {**own, "KERAS_BACKEND": _BACKEND}


def _document(path: str) -> str:
    from kpalette.cli.evaluate import read_document
    from kpalette.report.markdown import replace_block

    text = read_document(path)
    replace_block(text, "results", "")
    return text


def _fill(path: str, text: str, block: str) -> None:
    from kpalette.files import write_file
    from kpalette.report.markdown import replace_block

    write_file(path, replace_block(text, "results", block).encode(), overwrite=True)
    click.echo(f"wrote {path}", err=True)


if __name__ == "__main__":
    sys.argv[0] = "tuning/search.py"
    run(command, name="python tuning/search.py")
