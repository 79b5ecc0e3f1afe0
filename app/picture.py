"""The picture: an upload, or a sample until there is one."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import caches, session
from kpalette.errors import KPaletteError
from kpalette.images import SAMPLES
from kpalette.page.drawing import plain
from kpalette.page.pictures import MAX_BYTES, SUFFIXES, Opened, sample_file
from kpalette.page.settings import UPLOAD

_SAMPLES = {"coffee": "Coffee", "astronaut": "Astronaut", "chelsea": "Cat"}


@dataclass(frozen=True)
class Chosen:
    """The picture that is shown.

    Attributes:
        opened: what is known of it.
        data: the bytes of its file.
        sample: its name where it is a sample.
    """

    opened: Opened
    data: bytes
    sample: str | None


def choose_picture() -> Chosen:
    """Shows what chooses a picture, and the picture; a sample where nothing better can be shown."""
    state = st.session_state
    st.subheader("1 · Your picture", anchor=False)
    file = st.file_uploader(
        "Drop a picture here, or browse: PNG, JPEG, WebP or TIFF, up to 25 MB and 50 megapixels",
        type=list(SUFFIXES), key=f"upload{state.round}", max_upload_size=MAX_BYTES // 1_000_000,
    )  # fmt: skip
    if file is not None:
        state.picture, state.awaiting = UPLOAD, False
    elif state.picture == UPLOAD and not state.awaiting:
        state.picture = state.sample
    st.caption("Or try a sample:")
    with st.container(horizontal=True, gap="small"):
        for name in SAMPLES:
            st.button(_SAMPLES[name], key=f"sample_{name}", on_click=session.choose_sample, args=(name,),
                      type="primary" if state.picture == name else "secondary")  # fmt: skip
    chosen = _upload(file) or _sample(state.sample)
    if state.awaiting:
        st.info("This link was made with somebody's own picture, which it does not carry: upload it here to see the "
                "result. Until then its colours are shown on a sample.", icon=":material/link:")  # fmt: skip
    elif chosen.sample:
        state.picture = chosen.sample  # also where an upload could not be read
    _show(chosen)
    return chosen


def _upload(file: Any) -> Chosen | None:
    if file is None:
        return None
    state = st.session_state
    data = file.getvalue()
    digest = state.setdefault("digests", {}).get(file.file_id)
    try:
        opened = caches.opened(digest or caches.digest_of(data), file.name, data)
    except KPaletteError as error:
        st.error(f"{plain(str(error).rstrip('.'))}. A sample is shown meanwhile.", icon=":material/broken_image:")
        return None
    state.digests = {file.file_id: opened.digest}
    return Chosen(opened, data, None)


def _sample(name: str) -> Chosen:
    data = sample_file(name)
    return Chosen(caches.opened(f"sample {name}", f"{name}.png", data), data, name)


def _show(chosen: Chosen) -> None:
    opened = chosen.opened
    what = f"{opened.name}, {opened.width} by {opened.height} pixels"
    st.image(caches.original(opened.digest, opened.screen), width="stretch", alt=f"Your picture, {opened.name}")
    st.caption(f"{plain(what)}")
    for note in opened.notes:
        st.caption(f":material/info: {plain(note)}")
