"""The checkpoints that ship, and where they lie."""

from pathlib import Path

from kpalette.errors import ArgumentError
from kpalette.weights.config import CONFIG_FILE, CheckpointError

PRESETS = ("palettenet", "ablated")
"""The checkpoints that ship, once they are trained."""

_TRAIN = {
    "palettenet": "python -m kpalette.train --phase adversarial --from RUN",
    "ablated": "python -m kpalette.train --phase pretrain",
}
_PACKAGE = Path(__file__).parents[1]


def list_checkpoints() -> tuple[str, ...]:
    """Names of the presets whose weights are there."""
    return tuple(name for name in PRESETS if _preset_folder(name) is not None)


def find_preset(name: str) -> Path:
    """The folder of a preset: in the installed package, or in the clone that the package is imported from.

    Args:
        name: one of `PRESETS`.

    Returns:
        Its folder, which has a `config.json`.

    Raises:
        ArgumentError: if there is no such preset.
        CheckpointError: if its weights are not there; the message says how to make them.
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
    # Beside an installed package lie other people's folders.
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        places.append(_PACKAGE.parent / "checkpoints" / name)
    return next((place for place in places if (place / CONFIG_FILE).is_file()), None)
