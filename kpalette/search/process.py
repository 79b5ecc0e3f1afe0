"""A run of a search, `python -m kpalette.search.process CONFIG` with CONFIG as JSON; exits when its parent dies."""

import json
import os
import sys
import threading
from dataclasses import replace

from kpalette.errors import ImageError, KPaletteError, OutputError, one_line
from kpalette.models.backend import BackendError
from kpalette.training.config import CONFIG, TrainConfig
from kpalette.training.run import read_config, train

NOT_THE_RUNS = 3
"""Exit code for errors that every other run would meet too: missing pictures or packages, a full disk."""


def main() -> None:
    """Trains; exits 0, 1 (one line on standard error) or `NOT_THE_RUNS`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        config = TrainConfig(**json.loads(sys.argv[1]))
        if (config.folder / CONFIG).is_file():
            config = replace(read_config(config.folder), run=config.run, resume=True)
        train(config)
    except KPaletteError as error:
        print(f"kpalette: error: {one_line(error)}", file=sys.stderr)
        sys.exit(NOT_THE_RUNS if isinstance(error, OutputError | ImageError | BackendError) else 1)


def _end_with_parent() -> None:
    """Exits when the parent dies: standard input is a pipe from the parent, which closes then."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
