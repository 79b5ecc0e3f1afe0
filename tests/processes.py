"""Environments for processes that tests start: whatever backend the suite runs on, and a cache of their own.

Keras imports what it finds of pandas and its like, which takes as long as all the rest: it is kept from finding them.
TensorFlow's optimizer of graphs takes a third of the time of what it would optimize: it is switched off. Tracing takes
longer than the few steps of a test: processes whose variable TESTS_RUN_EAGERLY is set make them without.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNOPTIMIZED = """
import importlib.machinery, os

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (load(module), switch_off(module))
        return spec

def switch_off(module):
    module.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    module.config.run_functions_eagerly("TESTS_RUN_EAGERLY" in os.environ)

sys.meta_path.insert(0, Finder())
"""


def leave_out(folder: Path, *packages: str) -> None:
    """Makes a folder on whose search path Python takes packages for such as are not installed."""
    folder.mkdir(parents=True)
    lines = ["import sys", *(f"sys.modules[{package!r}] = None" for package in packages)]
    lines.append(UNOPTIMIZED)
    (folder / "sitecustomize.py").write_text("\n".join(lines))


def own_environment(folder: Path, *left_out: str) -> dict[str, str]:
    """An environment in which packages are left out; Keras' backend is TensorFlow.

    Args:
        folder: holds what the environment needs.
        *left_out: names of packages.

    Returns:
        The variables.
    """
    leave_out(folder / "lean", *left_out)
    return {
        **os.environ, "PYTHONPATH": f"{folder / 'lean'}{os.pathsep}{ROOT}", "XDG_CACHE_HOME": str(folder / "cache"),
        "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "tensorflow",
    }  # fmt: skip


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """TensorFlow and no other backend."""
    return own_environment(tmp_path_factory.mktemp("environment"), "jax", "matplotlib", "pandas", "sklearn")


@pytest.fixture(scope="session")
def untraced(environment) -> dict[str, str]:
    """TensorFlow, whose functions are not traced."""
    return {**environment, "TESTS_RUN_EAGERLY": "1"}


@pytest.fixture(scope="session")
def on_jax(tmp_path_factory) -> dict[str, str]:
    """JAX and no other backend, which KERAS_BACKEND does not name.

    Without its emitters of fused loops and without optimizing, XLA compiles a training step in a third of the time.
    """
    found = own_environment(tmp_path_factory.mktemp("environment"), "matplotlib", "pandas", "sklearn", "tensorflow")
    del found["KERAS_BACKEND"]
    flags = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    # XLA ends a process whose flags it does not know, and other releases have others.
    probe = [sys.executable, "-c", "import jax; jax.devices()"]
    known = subprocess.run(probe, env=found | {"XLA_FLAGS": flags}, capture_output=True, check=False).returncode == 0
    return found | ({"XLA_FLAGS": flags} if known else {})
