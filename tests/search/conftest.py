"""Pictures and environments for processes: those of the training tests, but with what a search needs."""

import pytest

from tests.processes import own_environment
from tests.training.conftest import pictures

__all__ = ["environment", "only_tensorflow", "pictures", "quick"]


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    return own_environment(tmp_path_factory.mktemp("environment"), "pandas", "sklearn")


@pytest.fixture(scope="session")
def only_tensorflow(tmp_path_factory) -> dict[str, str]:
    """For trainings."""
    found = own_environment(tmp_path_factory.mktemp("environment"), "jax", "pandas", "sklearn")
    return {**found, "TESTS_RUN_EAGERLY": "1"}


@pytest.fixture(scope="session")
def quick(tmp_path_factory) -> dict[str, str]:
    """For processes that train nothing: Keras on NumPy starts faster, and so does TensorBoard without TensorFlow."""
    folder = tmp_path_factory.mktemp("environment")
    return {**own_environment(folder, "pandas", "sklearn", "tensorflow"), "KERAS_BACKEND": "numpy"}
