"""A search whose runs take no training: `python -m tests.search.stub ROLE FOLDER ADDRESS PICTURES GATE`.

What a run would be worth is told by its options. Every run that begins leaves a line in FOLDER/begun.txt; from
line GATE on, runs end only once there is a file FOLDER/go.
"""

import sys
import time
from functools import partial
from pathlib import Path

import click

from kpalette.errors import KPaletteError
from kpalette.search import session
from kpalette.search.records import FIGURES
from kpalette.search.trial import RunResult
from kpalette.training.config import TrainConfig


def outcome(config: TrainConfig, *, gate: int = 1000) -> RunResult:
    """Figures of a run, or a failure for a learning rate above 1."""
    folder = config.folder.parents[1]
    with (folder / "begun.txt").open("a") as stream:
        stream.write(f"{config.folder.name}\n")
    while len((folder / "begun.txt").read_text().split()) >= gate and not (folder / "go").exists():
        time.sleep(0.05)
    if config.learning_rate > 1:
        return RunResult(reason="diverged: `loss` became nan at epoch 1, step 2", seconds=1.0)
    mse = config.learning_rate + config.batch_size / 1000 + config.shuffle / 1e4 + config.seed / 1e6
    return RunResult({name: mse * (n + 1) for n, name in enumerate(FIGURES)}, seconds=1.0)


def main() -> None:
    role, folder, address, pictures, gate = sys.argv[1:]
    given = {"data": pictures}
    say = partial(click.echo, err=True)
    run = partial(outcome, gate=int(gate))
    try:
        if role == "chief":
            session.chief(Path(folder), given, address=address, lease=6.0, say=say)
        elif role == "worker":
            session.work(Path(folder), given, address=address, run=run, say=say)
        else:
            session.search(Path(folder), given, run=run, say=say)
    except KPaletteError as error:
        sys.exit(f"kpalette: error: {error}")


if __name__ == "__main__":
    main()
