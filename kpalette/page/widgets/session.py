"""The session of one visitor, from the link to the history. Sessions share nothing."""

import time
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kpalette.images.samples import SAMPLES
from kpalette.page.settings import UPLOAD, Settings, from_query, to_query
from kpalette.types import AUTO

HISTORY = 8
"""Number of results in the history."""

_WIDGETS = ("count", "auto", "lightness", "methods", "shown")
"""Widgets whose values are kept here. Streamlit forgets them if a run ends before it draws them, by an error."""

_SETTLED = 1.0  # seconds after which a browser surely has the new address


def begin() -> None:
    """Sets up a new session from its link; restores an old one, after Back and Forward from its address."""
    state = st.session_state
    if "targets" in state:
        for name in _WIDGETS:
            state.setdefault(name, state.kept[name])
        _follow_address()
        state.kept = {name: state[name] for name in _WIDGETS}
        return
    settings, broken = from_query(st.query_params.to_dict())
    state.update(round=0, version=0, seed=0, history=[], message=None, held=None, refused=None, source=())
    state.update(opened_palettes=(), published=None, published_at=0.0)
    state.sample, state.awaiting = Settings.picture, settings.picture == UPLOAD
    restore(settings)
    if broken:
        state.message = ("warning", f"Parts of this link could not be read ({', '.join(broken)}). The rest is used.")
    state.kept = {name: state[name] for name in _WIDGETS}


def _follow_address() -> None:
    """Restores the settings of an address that the visitor went back or forward to."""
    state = st.session_state
    query = st.query_params.to_dict()
    # Before that, the address may be an old one: that of a click made before the last address reached the browser.
    if state.published not in (None, query) and time.monotonic() - state.published_at > _SETTLED:
        settings, _ = from_query(query)
        restore(settings)
        if settings.picture == UPLOAD and state.held:
            state.picture = UPLOAD


def restore(settings: Settings) -> None:
    """Takes settings over. An uploaded picture stays."""
    state = st.session_state
    put(settings.target)
    forget_origin()
    state.count = len(settings.target)
    state.auto = isinstance(settings.lightness, str)
    state.lightness = 1.0 if state.auto else settings.lightness
    state.methods, state.shown = list(settings.methods), settings.shown
    if settings.picture in SAMPLES:
        choose_sample(settings.picture)
    elif "picture" not in state:
        state.picture = UPLOAD
    for i in range(8):
        state[f"lock{i}"] = False


def put(targets: tuple[str, ...]) -> None:
    """Takes target colours over.

    The colour pickers get new keys, so that late messages of the browser about the old ones have no effect.
    """
    state = st.session_state
    state.targets, state.beyond = targets, ()
    state.version += 1


def forget_origin() -> None:
    """Forgets the palette that the colours came from: the visitor has changed them."""
    st.session_state.origin = st.session_state.preset = None
    st.session_state.arranged = False


def choose_sample(name: str) -> None:
    """Takes a sample picture, and removes an upload from its box."""
    state = st.session_state
    file, context = state.get(f"upload{state.round}"), get_script_run_ctx()
    if file is not None and context is not None:
        state.round += 1
        # The old box is gone, and Streamlit would keep its file until the visitor leaves.
        uploads: Any = context.uploaded_file_mgr
        uploads.remove_file(context.session_id, file.file_id)
    state.picture = state.sample = name
    state.awaiting = False


def current() -> Settings:
    """The settings now."""
    state = st.session_state
    return Settings(state.picture, state.targets, lightness(), tuple(state.methods), state.shown)


def lightness() -> float | str:
    """The lightness strength that is chosen."""
    return AUTO if st.session_state.auto else round(st.session_state.lightness, 2)


def publish(settings: Settings) -> None:
    """Writes the settings into the address of the page, so that it can be shared."""
    query = to_query(settings)
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    if query != st.session_state.published:
        st.session_state.update(published=query, published_at=time.monotonic())


def remember(settings: Settings, digest: str, thumbnail: bytes) -> None:
    """Puts a result first in the history, and removes an earlier one with equal settings."""
    state = st.session_state
    entry: dict[str, Any] = {"settings": settings, "digest": digest, "thumbnail": thumbnail}

    def same(other: dict[str, Any]) -> bool:
        shown = other["settings"].shown
        return bool(other["digest"] == digest and other["settings"] == replace(settings, shown=shown))

    state.history = [entry, *(other for other in state.history if not same(other))][:HISTORY]


def say(kind: str, text: str) -> None:
    """Keeps a message, which the next run of the page shows."""
    st.session_state.message = (kind, text)
