"""Pictures and an environment for processes: those of the training tests."""

from tests.training.conftest import environment, pictures

__all__ = ["environment", "pictures"]
