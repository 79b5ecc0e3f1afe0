import numpy as np
import pytest

from tests.conftest import load

keras = load("keras")
from kpalette.models.initializers import VarianceScaling, glorot_uniform, he_normal  # noqa: E402


@pytest.mark.parametrize(("ours", "theirs"), [
    (he_normal, keras.initializers.HeNormal), (glorot_uniform, keras.initializers.GlorotUniform),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(3, 3, 64, 128), (200, 300)])
def test_spread_is_that_of_keras(ours, theirs, shape):
    a, b = (np.asarray(make()(shape)) for make in (ours, theirs))
    assert a.dtype == np.float32
    assert a.std() == pytest.approx(b.std(), rel=0.02)
    assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.02)
    assert abs(a.mean()) < 0.02 * a.std()


def test_the_seed_decides():
    keras.utils.set_random_seed(3)
    first, second = he_normal(), he_normal()
    keras.utils.set_random_seed(3)
    again = he_normal()
    a, b, c = (np.asarray(each((8, 8))) for each in (first, second, again))
    np.testing.assert_array_equal(a, c)
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(a, np.asarray(VarianceScaling.from_config(first.get_config())((8, 8))))


def test_scale_is_of_the_variance():
    small, plain = (np.asarray(glorot_uniform(scale=s)((500, 500))) for s in (0.01, 1.0))
    assert small.std() == pytest.approx(plain.std() / 10, rel=0.02)
