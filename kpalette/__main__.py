"""`python -m kpalette`, and the console command `kpalette`."""

import os
import sys


def main() -> None:
    """Runs the command line; Ctrl-C while it is still being imported ends it like Ctrl-C at any other time."""
    # Products of matrices are small here: more threads cost more at the start than they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from kpalette.cli.app import main as run
    except KeyboardInterrupt:
        print("kpalette: stopped", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
