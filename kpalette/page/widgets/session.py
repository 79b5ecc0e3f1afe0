"""What one visitor's session holds, from the link to the history; other visitors never see it."""

import time
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kpalette.images.samples import SAMPLES
from kpalette.page.settings import UPLOAD, Settings, from_query, to_query

HISTORY = 8
"""How many results are remembered."""

_WIDGETS = ("count", "lightness", "methods", "shown")
"""What Streamlit forgets where a run ends without drawing it: a picture fails, or every method does."""
_SETTLED = 1.0  # seconds from which on a browser has the address that it was told


def begin() -> None:
    """Sets a new session up from the link it came by; an old one as it was, or as Back and Forward want it."""
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
        state.message = ("warning", f"Not all of this link could be read ({', '.join(broken)}): the rest is as it was.")
    state.kept = {name: state[name] for name in _WIDGETS}


def _follow_address() -> None:
    """Takes up an address that the visitor went back or forward to."""
    state = st.session_state
    query = st.query_params.to_dict()
    # Sooner, a click may have set out before the last address arrived.
    if state.published not in (None, query) and time.monotonic() - state.published_at > _SETTLED:
        settings, _ = from_query(query)
        restore(settings)
        if settings.picture == UPLOAD and state.held:
            state.picture = UPLOAD


def restore(settings: Settings) -> None:
    """Puts settings in place; a picture of the visitor's own stays what it is."""
    state = st.session_state
    put(settings.target)
    forget_origin()
    state.count = len(settings.target)
    state.lightness, state.methods, state.shown = settings.lightness, list(settings.methods), settings.shown
    if settings.picture in SAMPLES:
        choose_sample(settings.picture)
    elif "picture" not in state:
        state.picture = UPLOAD
    for i in range(8):
        state[f"lock{i}"] = False


def put(targets: tuple[str, ...]) -> None:
    """Puts target colours in place.

    The colour pickers are new ones then: what a browser still says of the old ones, from before, is not heard.
    """
    state = st.session_state
    state.targets, state.beyond = targets, ()
    state.version += 1


def forget_origin() -> None:
    """The colours are the visitor's own now: no palette that they come from has any more."""
    st.session_state.origin = st.session_state.preset = None
    st.session_state.arranged = False


def choose_sample(name: str) -> None:
    """Takes a sample picture, and any upload out of its box."""
    state = st.session_state
    file, context = state.get(f"upload{state.round}"), get_script_run_ctx()
    if file is not None and context is not None:
        state.round += 1
        # Streamlit would keep it until the visitor leaves: the box that it belongs to is gone.
        uploads: Any = context.uploaded_file_mgr
        uploads.remove_file(context.session_id, file.file_id)
    state.picture = state.sample = name
    state.awaiting = False


def current() -> Settings:
    """What is chosen now."""
    state = st.session_state
    return Settings(state.picture, state.targets, state.lightness, tuple(state.methods), state.shown)


def publish(settings: Settings) -> None:
    """Writes the settings into the address of the page, so that it can be shared."""
    query = to_query(settings)
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    if query != st.session_state.published:
        st.session_state.update(published=query, published_at=time.monotonic())


def remember(settings: Settings, digest: str, thumbnail: bytes) -> None:
    """Puts a result in front of the history; the same colours are there once."""
    state = st.session_state
    entry: dict[str, Any] = {"settings": settings, "digest": digest, "thumbnail": thumbnail}

    def same(other: dict[str, Any]) -> bool:
        shown = other["settings"].shown
        return bool(other["digest"] == digest and other["settings"] == replace(settings, shown=shown))

    state.history = [entry, *(other for other in state.history if not same(other))][:HISTORY]


def say(kind: str, text: str) -> None:
    """Keeps a message for the next run of the page, which shows it once."""
    st.session_state.message = (kind, text)
