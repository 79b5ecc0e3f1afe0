"""Metadata lives in pyproject.toml; this file maps checkpoints/<preset> into a wheel, as kpalette/checkpoints/<preset>.

Were it declared as a package, a clone without that folder could not be built.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SOURCE = Path("checkpoints")
TARGET = Path("kpalette", "checkpoints")
LEFT_OUT = {"no_discriminator"}
"""What docs/study.md needs and users do not."""


class BuildWithCheckpoints(build_py):
    """Copies the checkpoints that are there; an editable install reads them where they lie."""

    def run(self) -> None:
        """Builds modules, then checkpoints."""
        super().run()
        # What an earlier build left in build/ may be of other presets.
        shutil.rmtree(Path(self.build_lib, TARGET), ignore_errors=True)
        for source, target in self.checkpoints():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """All that is built."""
        return [*super().get_outputs(include_bytecode), *(str(target) for _, target in self.checkpoints())]

    def checkpoints(self) -> list[tuple[Path, Path]]:
        """Files of the folders that are checkpoints, and where they go."""
        if self.editable_mode:
            return []
        folders = sorted(path.parent for path in SOURCE.glob("[!.]*/config.json") if path.parent.name not in LEFT_OUT)
        files = [path for folder in folders for path in sorted(folder.glob("[!.]*")) if path.is_file()]
        return [(path, Path(self.build_lib, TARGET, path.relative_to(SOURCE))) for path in files]


setup(cmdclass={"build_py": BuildWithCheckpoints})
