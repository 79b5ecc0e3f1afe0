"""The records of a study and their CSV file.

There is a record for each case and method (a recolorer at one lightness strength, or a reference row), and one for each
picture and probed recolorer.
"""

import csv
import io
import os
from dataclasses import dataclass, field

from kpalette.errors import ArgumentError, reason
from kpalette.files import read_file, write_file
from kpalette.metrics.figures import FIGURES
from kpalette.recolorers.strength import check_lightness, lightness_text
from kpalette.study.probes import PROBES
from kpalette.types import TONES

_DIGITS = 6
_KEYS = ("name", "style", "palette", "model", "lightness", "tone")
_FIGURES = (*FIGURES, "clipped", *PROBES)
_ALWAYS = (*_KEYS[:5], "ssim", "palette_de", *PROBES, "seconds")
COLUMNS = (*_KEYS, *_FIGURES, "seconds")
"""Columns of the CSV file. `palette` is empty in records of probes, `lightness` in those of reference rows."""


@dataclass(frozen=True)
class StudyRecord:
    """The figures of one method on one case, or of the probes of one recolorer on one picture.

    Attributes:
        name: name of the picture.
        style: style of the picture.
        palette: number of the target palette; None for probes.
        model: name of the recolorer or of the reference row.
        lightness: lightness strength, 0..1 or "auto"; None for reference rows.
        tone: how lightness moved, "local" or "curve"; "" for reference rows and probes.
        figures: `metrics.FIGURES` and `clipped`, or `probes.PROBES`; reference rows have no `clipped`. They are rounded
            to six digits, as in the CSV file, so that both give the same tables.
        seconds: wall time of one recolouring; 0 for probes.

    Example:
        >>> StudyRecord("cat.png", "photo", 0, "soft", 0.5, {"ssim": 0.98765432}).method
        'soft (lightness 0.5)'
    """

    name: str
    style: str
    palette: int | None
    model: str
    lightness: float | str | None
    figures: dict[str, float]
    seconds: float = 0.0
    tone: str = ""

    def __post_init__(self) -> None:
        """Rounds the figures."""
        rounded = {name: float(f"{value:.{_DIGITS}g}") for name, value in self.figures.items()}
        object.__setattr__(self, "figures", rounded)

    @property
    def method(self) -> str:
        """Name of the method in tables: the model, and the lightness strength if that is not 0, and a curve."""
        return method_name(self.model, self.lightness, self.tone)


def method_name(model: str, lightness: float | str | None, tone: str) -> str:
    """The name of a method in tables: of a recolorer at a lightness strength.

    Example:
        >>> method_name("soft", 0.0, "local"), method_name("soft", 1.0, "local"), method_name("soft", 1.0, "curve")
        ('soft', 'soft (lightness 1)', 'soft (lightness 1, curve)')
    """
    if not lightness:
        return model
    return f"{model} (lightness {lightness_text(lightness)}{', ' + tone if tone not in ('', TONES[0]) else ''})"


@dataclass
class Study:
    """All records of a study, in the order of pictures, palettes and methods.

    Attributes:
        records: one for each case and method.
        probes: one for each picture and recolorer.

    Example:
        >>> study = Study([StudyRecord("cat.png", "photo", 0, "soft", 0.0, {"ssim": 0.98})])
        >>> study.to_csv("figures.csv")
        >>> Study.from_csv("figures.csv") == study
        True
    """

    records: list[StudyRecord] = field(default_factory=list)
    probes: list[StudyRecord] = field(default_factory=list)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of all methods, in order of first appearance."""
        return tuple(dict.fromkeys(record.method for record in self.records))

    def to_csv(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes all records to a CSV file. `from_csv` reads it.

        Args:
            path: the file to write.
            overwrite: whether a file that exists may be replaced.

        Raises:
            OutputError: if the file exists and may not be replaced, or writing fails.
        """
        write_file(path, self.csv().encode(), overwrite=overwrite)

    def csv(self) -> str:
        """All records as the text of a CSV file; numbers have six digits."""
        stream = io.StringIO()
        table = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        for record in (*self.records, *self.probes):
            keys = {key: getattr(record, key) for key in _KEYS}
            numbers = {**record.figures, "seconds": record.seconds}
            table.writerow({**keys, **{name: f"{value:.{_DIGITS}g}" for name, value in numbers.items()}})
        return stream.getvalue()

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> "Study":
        """Reads a CSV file that `to_csv` wrote.

        Args:
            path: the file.

        Returns:
            The study.

        Raises:
            ArgumentError: if the file cannot be read, lacks a column, or has a damaged line.
        """
        data = read_file(path, error=ArgumentError, what="a file of figures")
        table = csv.DictReader(io.StringIO(data.decode(errors="replace"), newline=""), strict=True)
        study = cls()
        try:
            # Older files lack the tone, since there was no choice, and the figures that came later.
            missing = [name for name in _ALWAYS if name not in (table.fieldnames or ())]
            for record in map(_record, () if missing else table):
                (study.probes if record.palette is None else study.records).append(record)
        except (csv.Error, ValueError, TypeError) as error:
            raise ArgumentError(f"{path}, line {table.line_num}: {reason(error)}") from None
        if missing:
            raise ArgumentError(f"{path} is not a file of figures of a study: it has no column {missing[0]}")
        return study


def _record(row: dict[str, str]) -> StudyRecord:
    return StudyRecord(
        row["name"],
        row["style"],
        int(row["palette"]) if row["palette"] else None,
        row["model"],
        check_lightness(row["lightness"]) if row["lightness"] else None,
        {name: float(row[name]) for name in _FIGURES if row.get(name)},
        float(row["seconds"]),
        row.get("tone") or "",
    )
