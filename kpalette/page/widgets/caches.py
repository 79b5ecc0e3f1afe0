"""Caches, bounded in number and time. All visitors share them, so nothing in them may be changed."""

import hashlib
import json

import streamlit as st

from kpalette.images.picture import Picture
from kpalette.metrics.figures import ssim_map
from kpalette.page import pictures, results
from kpalette.page.proofs import Proofs, Result, load_network
from kpalette.page.warmup import WarmUp
from kpalette.recolorers.recipe import Recipe

_HOUR = 3600.0


def digest_of(data: bytes) -> str:
    """The key of a file's bytes in the caches."""
    return hashlib.sha256(data).hexdigest()


@st.cache_resource(max_entries=24, ttl=_HOUR, show_spinner="Reading your picture …")
def opened(digest: str, name: str, _data: bytes) -> pictures.Opened:
    """Reads a picture, with the digest of its bytes as key."""
    return pictures.open_picture(_data, name=name)


def _key(recipe: Recipe) -> str:
    return json.dumps(recipe.settings())


@st.cache_resource(show_spinner=False, hash_funcs={Recipe: lambda recipe: recipe.recolorer.name})
def network_loaded(recipe: Recipe) -> bool:
    """Loads a network, once for all visitors."""
    load_network(recipe)
    return True


@st.cache_resource(show_spinner=False)
def warm_up() -> WarmUp:
    """The compilation of kernels, which begins with the first visitor."""
    return WarmUp()


@st.cache_resource(max_entries=3, ttl=_HOUR, show_spinner=False)
def proofs(digest: str, _picture: Picture) -> Proofs:
    """What the results of a picture share: some 70 MB for each picture."""
    return Proofs(_picture)


@st.cache_resource(max_entries=48, ttl=_HOUR, show_spinner=False, hash_funcs={Recipe: _key})
def result(digest: str, recipe: Recipe, _picture: Picture) -> tuple[Result, bytes]:
    """A result at the size of the screen, and its file for the browser."""
    network_loaded(recipe)
    found = proofs(digest, _picture).result(recipe, kernels=warm_up().done)
    return found, results.screen_file(found.picture)


@st.cache_data(max_entries=16, ttl=_HOUR, show_spinner=False, hash_funcs={Recipe: _key})
def difference(kind: str, digest: str, recipe: Recipe, _before: Picture, _after: Picture) -> bytes:
    """A map of changed colours (kind "colour") or of lost structure ("structure"), as a file for the browser."""
    draw = results.change_map if kind == "colour" else ssim_map
    return results.screen_file(_before.with_rgb(draw(_before.rgb, _after.rgb)))


@st.cache_data(max_entries=24, ttl=_HOUR, show_spinner=False)
def original(digest: str, _picture: Picture) -> bytes:
    """The visitor's picture at the size of the screen, as a file for the browser."""
    return results.screen_file(_picture)
