"""`python -m kpalette`, and the console command `kpalette`."""

from kpalette.cli.app import main

if __name__ == "__main__":
    main()
