"""Search for the best options of `python -m kpalette.train`, with KerasTuner, on one machine or many.

    python tuning/search.py                                 # the study's twelve runs, on the embedded pictures
    python tuning/search.py --data train.tar --budget 400 --seeds 3 --output runs/search

A search that was stopped or killed goes on by the same command, or by --output alone.
"""

import contextlib
import importlib.util
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

# KerasTuner imports Keras, but this process computes nothing with it: on NumPy the import takes half the time and
# memory. Runs are trained in processes of their own, on the chosen backend.
_BACKEND = os.environ.get("KERAS_BACKEND")
if importlib.util.find_spec("jax") is not None:
    os.environ["KERAS_BACKEND"] = "numpy"

# In a clone nothing need be installed but the requirements: runs in processes of their own find kpalette as well.
if importlib.util.find_spec("kpalette") is None:
    _ROOT = str(Path(__file__).resolve().parents[1])
    sys.path.insert(0, _ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))

import click  # noqa: E402

from kpalette.cli.app import run  # noqa: E402
from kpalette.cli.streams import silent_stderr  # noqa: E402
from kpalette.errors import ArgumentError, KPaletteError  # noqa: E402
from kpalette.search.plan import TUNERS  # noqa: E402
from kpalette.search.space import read_space  # noqa: E402
from kpalette.training.config import PHASES  # noqa: E402

_FIELDS = ("data", "palettes", "start_from", "budget", "seeds", "phase", "tuner", "trials")
_SIZES = ("filters", "crop")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data", metavar="PICTURES", help="A folder, a tar or ArtBench-10.  [default: the embedded pictures]")
@click.option(
    "--images", type=click.IntRange(2), metavar="N", help="Number of pictures to use, spread evenly.  [default: all]"
)
@click.option("--palettes", metavar="FILE", help="JSON file of designed palettes, as for kpalette.train.")
@click.option(
    "--budget",
    type=click.IntRange(1),
    metavar="N",
    help="Optimizer updates of each run; with hyperband, the largest number.  [default: 20]",
)
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="Runs of each configuration.  [default: 1]")
@click.option("--space", metavar="FILE", help="JSON file of the options to vary.  [default: the study's twelve]")
@click.option("--phase", type=click.Choice(PHASES), help="Phase of the runs.  [default: pretrain]")
@click.option(
    "--from",
    "start_from",
    metavar="RUN",
    help="Run or checkpoint that phase adversarial starts from.  [default: the phase 1 that ships]",
)
@click.option("--tuner", type=click.Choice(TUNERS), help="How configurations are chosen.  [default: grid]")
@click.option(
    "--trials", type=click.IntRange(1), metavar="N", help="Configurations that random and bayesian try.  [default: 12]"
)
@click.option(
    "--filters", type=click.IntRange(1), metavar="N", help="Channels of the first level of all networks.  [default: 8]"
)
@click.option("--crop", type=click.IntRange(16), metavar="N", help="Side of the training squares.  [default: 48]")
@click.option("--timeout", type=click.FloatRange(1), metavar="SECONDS", help="Time after which a run counts as failed.")
@click.option(
    "-o", "--output", default="runs/search", show_default=True, metavar="FOLDER", help="Folder of the search."
)
@click.option("--into", metavar="FILE.md", help="Write the results into the block `results` of this document.")
@click.option("--role", type=click.Choice(("chief", "worker")), help="Role of this machine, in a search on many.")
@click.option("--chief", metavar="HOST:PORT", help="Address of the chief.  [default: 127.0.0.1:17070]")
@click.option(
    "--lease",
    type=click.FloatRange(5),
    metavar="SECONDS",
    help="Silence after which the chief gives a worker's run to another.  [default: 60]",
)
def command(
    output: str, role: str | None, chief: str | None, lease: float | None, into: str | None, **options: Any
) -> None:
    """Search for the best learning rate, batch size and shuffle of kpalette.train, or for the options in --space.

    All runs have the same number of optimizer updates. They are compared by the mean squared error of ab over the whole
    selection split. A search that was stopped continues by the same command.
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
        if (error.name or "").split(".")[0] not in ("keras", "keras_tuner", "six", "tensorflow", "jax", "torch"):
            raise
        raise KPaletteError(f"the search needs {error.name}: pip install '.[tensorflow,tuning]'") from None
    if role != "worker":
        _import_tensorflow()
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


def _import_tensorflow() -> None:
    """Imports TensorFlow where it is installed: TensorBoard would do so later, with greetings among our lines."""
    with silent_stderr(), contextlib.suppress(ImportError):
        importlib.import_module("tensorflow")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The given fields of a `SearchPlan`."""
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
    """Environment variables of the training processes."""
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
