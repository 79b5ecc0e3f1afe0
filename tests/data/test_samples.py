from dataclasses import replace

import numpy as np
import pytest

from kpalette.data import samples
from kpalette.data.builtin import embedded
from kpalette.data.image_set import fit_short_side
from kpalette.data.samples import Sampler, batches, segment
from kpalette.data.swatches import extract_swatches


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> Sampler:
    images = embedded().subset([0, 1, 10, 11, 12])
    usable, swatches, _ = extract_swatches(images, cache=tmp_path_factory.mktemp("cache"))
    designed = [np.array([[20.0, 10, 0], [50, 0, 30], [80, -20, 5], [90, 0, 0], [95, 1, 1]])]
    return Sampler(usable.held(short_side=48), swatches, designed, crop=32, image_size=48, seed=3)


def equal(a, b) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_a_draw_is_what_make_pair_takes(sampler):
    draw = sampler.draw(0)
    shapes = {name: (value.shape, value.dtype.name) for name, value in draw.items()}
    assert shapes == {
        "image": ((32, 32, 3), "uint8"), "source_palette": ((8, 3), "float32"), "wanted_palette": ((8, 3), "float32"),
        "mask": ((8,), "float32"), "shifts": ((2,), "float32"), "curves": ((2,), "float32"),
    }  # fmt: skip


def test_draws_have_no_state(sampler):
    first = [sampler.draw(p) for p in range(8)]
    again = [sampler.draw(p) for p in reversed(range(8))][::-1]
    assert all(equal(a, b) for a, b in zip(first, again, strict=True))
    assert not equal(sampler.draw(0), replace(sampler, seed=4).draw(0))


def test_every_pass_shows_every_picture_once_in_an_order_of_its_own(sampler):
    n = len(sampler.images)
    passes = [[sampler.index(p * n + i) for i in range(n)] for p in range(6)]
    assert all(sorted(order) == list(range(n)) for order in passes)
    assert len({tuple(order) for order in passes}) > 1
    plain = replace(sampler, shuffle=False)
    assert [plain.index(i) for i in range(2 * n)] == [*range(n)] * 2


def test_passes_differ_in_what_they_draw(sampler):
    plain = replace(sampler, shuffle=False)
    assert not equal(plain.draw(0), plain.draw(len(sampler.images)))


def test_the_chances_are_as_told(sampler):
    draws = [sampler.draw(p) for p in range(400)]
    counts = np.array([draw["mask"].sum() for draw in draws])
    assert 0.45 < np.mean(counts == 4) < 0.7
    assert set(counts) == {2, 3, 4, 5, 6, 7, 8}
    shifts = np.array([draw["shifts"] for draw in draws])
    assert 0.4 < np.mean(shifts[:, 0] == 0) < 0.6
    assert 0.45 < shifts[:, 1].mean() < 0.55
    curves = np.array([draw["curves"] for draw in draws])
    assert 0.2 < np.mean(np.any(curves != 0, axis=1)) < 0.4
    assert np.abs(curves).sum(axis=1).max() < 1  # lightness stays monotone
    assert (shifts >= 0).all()
    assert (shifts < 1).all()


def test_half_of_the_palettes_asked_for_are_designed(sampler):
    designed = sampler.designed[0]
    four = [draw for draw in map(sampler.draw, range(300)) if draw["mask"].sum() == 4]
    known = [np.isin(draw["wanted_palette"][:4, 0], designed[:, 0].astype(np.float32)).all() for draw in four]
    assert 0.3 < np.mean(known) < 0.7
    ordered = [np.all(np.diff(draw["wanted_palette"][:4, 0]) >= 0) for draw in four]
    assert 0.7 < np.mean(ordered) < 1.0


def test_flips_and_crops(sampler):
    plain = replace(sampler, shuffle=False, image_size=32, images=sampler.images.subset([0]))
    whole = fit_short_side(plain.images.read(0), 32, least=32)
    kinds = {("plain" if np.array_equal(d, whole) else "flipped" if np.array_equal(d, whole[:, ::-1]) else "other")
             for d in (plain.draw(p)["image"] for p in range(20))}  # fmt: skip
    assert kinds == {"plain", "flipped"}


@pytest.mark.parametrize(("shape", "side", "expected"), [
    ((100, 50, 3), 32, (64, 32)), ((10, 20, 3), 32, (32, 64)), ((32, 40, 3), 32, (32, 40)), ((1, 1, 3), 8, (32, 32)),
])  # fmt: skip
def test_the_short_side_fits(shape, side, expected):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert fit_short_side(image, side, least=32).shape[:2] == expected


def test_batches_go_on_where_they_are_asked_to(sampler):
    stream = batches(sampler, 3)
    first = [next(stream) for _ in range(4)]
    stream.close()
    later = batches(sampler, 3, start=2)
    assert equal(next(later), first[2])
    assert equal(next(later), first[3])
    later.close()
    assert first[0]["image"].shape == (3, 32, 32, 3)
    assert equal({k: v[1] for k, v in first[1].items()}, sampler.draw(4))


def test_palettes_of_few_colours():
    flat = embedded().subset([0])
    usable, swatches, _ = extract_swatches(flat, cache=None)
    swatches = replace(swatches, count=np.minimum(swatches.count, 2))
    draw = Sampler(usable, swatches, [], crop=16, image_size=16).draw(1)
    assert draw["mask"].sum() == 2
    assert draw["wanted_palette"][:2].any()


def test_long_strips_are_cut_before_they_are_enlarged():
    strip = np.arange(3000 * 3, dtype=np.uint8).reshape(1, 3000, 3)
    assert segment(strip, at=0.5).shape == (1, 4, 3)
    np.testing.assert_array_equal(segment(strip, at=0.0), strip[:, :4])
    image = np.zeros((30, 40, 3), np.uint8)
    assert segment(image, at=0.9).shape == image.shape


def test_resized_pictures_are_kept_as_long_as_there_is_room(sampler, monkeypatch):
    """Whatever is kept, the stream is the same."""
    reads = []
    genuine = Sampler.read
    monkeypatch.setattr(Sampler, "read", lambda self, index: reads.append(index) or genuine(self, index))
    positions, pictures = range(3 * len(sampler.images)), len(sampler.images)
    kept = replace(sampler)
    draws = [kept.draw(p) for p in positions]
    assert len(reads) == pictures
    monkeypatch.setattr(samples, "HELD_BYTES", 0)
    none_kept = replace(sampler)
    assert all(equal(draw, none_kept.draw(p)) for draw, p in zip(draws, positions, strict=True))
    assert len(reads) == pictures + len(positions)
