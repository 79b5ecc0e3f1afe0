"""Preset checkpoints by name: which ones ship with kpalette, and where they are."""

from pathlib import Path

from kpalette.errors import ArgumentError
from kpalette.weights.config import CONFIG_FILE, CheckpointError

PRESETS = ("palettenet", "ablated")
"""The names of the preset checkpoints."""

_TRAIN = {
    "palettenet": "python -m kpalette.train --phase adversarial --from RUN",
    "ablated": "python -m kpalette.train --phase pretrain",
}
_PACKAGE = Path(__file__).parents[1]


def list_checkpoints() -> tuple[str, ...]:
    """The names of the presets whose weights are installed."""
    return tuple(name for name in PRESETS if _preset_folder(name) is not None)


def find_preset(name: str) -> Path:
    """Finds the folder of a preset: in the installed package, or in the clone that the package is imported from.

    Args:
        name: one of `PRESETS`.

    Returns:
        The folder, which has a `config.json`.

    Raises:
        ArgumentError: if there is no such preset.
        CheckpointError: if its weights are missing; the message says how to train them.
    """
    if name not in PRESETS:
        raise ArgumentError(f"no checkpoint {name!r}: give one of {', '.join(PRESETS)}, or a checkpoint folder")
    folder = _preset_folder(name)
    if folder is None:
        raise CheckpointError(
            f"the weights of {name!r} are not there: train them with `{_TRAIN[name]}`, or give a checkpoint folder"
        )
    return folder


def _preset_folder(name: str) -> Path | None:
    places = [_PACKAGE / "checkpoints" / name]
    # A folder beside the package counts only in a clone: beside an installed package are folders of other programs.
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        places.append(_PACKAGE.parent / "checkpoints" / name)
    return next((place for place in places if (place / CONFIG_FILE).is_file()), None)
