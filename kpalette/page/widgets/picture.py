"""The picture: an upload, or a sample until there is one."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from kpalette.errors import KPaletteError
from kpalette.images.samples import SAMPLES
from kpalette.page.drawing import plain
from kpalette.page.pictures import MAX_BYTES, SUFFIXES, Opened, sample_file
from kpalette.page.settings import UPLOAD
from kpalette.page.widgets import caches, session

_SAMPLES = {"coffee": "Coffee", "astronaut": "Astronaut", "chelsea": "Cat"}


@dataclass(frozen=True)
class Chosen:
    """The picture that is shown.

    Attributes:
        opened: what is known of it.
        data: the bytes of its file.
        sample: its name where it is a sample.
        file: what Streamlit calls the upload.
    """

    opened: Opened
    data: bytes
    sample: str | None = None
    file: str | None = None


def choose_picture() -> Chosen:
    """Shows what chooses a picture, and the picture; a sample where nothing better can be shown."""
    state = st.session_state
    st.subheader("1 · Your picture", anchor=False)
    file = st.file_uploader(
        "Drop a picture here, or browse: PNG, JPEG, WebP or TIFF, up to 25 MB and 50 megapixels",
        type=list(SUFFIXES), key=f"upload{state.round}", max_upload_size=MAX_BYTES // 1_000_000,
    )  # fmt: skip
    uploaded = _upload(file)
    if uploaded:
        state.picture, state.awaiting = UPLOAD, False
    st.caption("Or try a sample:")
    with st.container(horizontal=True, gap="small"):
        for name in SAMPLES:
            st.button(_SAMPLES[name], key=f"sample_{name}", on_click=session.choose_sample, args=(name,),
                      type="primary" if state.picture == name else "secondary")  # fmt: skip
    # Out of its box an upload stays: it leaves for a moment, too, when another one takes its place.
    chosen = uploaded or (state.held if state.picture == UPLOAD else None) or _sample(state.sample)
    if state.awaiting:
        st.info("This link was made with somebody's own picture, which it does not carry: upload it here to see the "
                "result. Until then its colours are shown on a sample.", icon=":material/link:")  # fmt: skip
    elif chosen.sample:
        state.picture = chosen.sample  # also where an upload could not be read
    _show(chosen)
    if chosen.file and file is None:
        st.caption(":material/info: Shown until another picture is here.")
    return chosen


def _upload(file: Any) -> Chosen | None:
    if file is None:
        return None
    state = st.session_state
    held: Chosen | None = state.held
    if state.refused and state.refused[0] == file.file_id:
        _refuse(state.refused[1])
        return None
    data = file.getvalue()
    digest = held.opened.digest if held and held.file == file.file_id else caches.digest_of(data)
    try:
        opened = caches.opened(digest, file.name, data)
    except KPaletteError as error:
        state.refused = (file.file_id, str(error))
        _refuse(str(error))
        return None
    held = Chosen(opened, data, file=file.file_id)
    state.held = held
    return held


def _refuse(reason: str) -> None:
    meanwhile = "What you had" if st.session_state.picture == UPLOAD and st.session_state.held else "A sample"
    st.error(f"{plain(reason.rstrip('.'))}. {meanwhile} is shown meanwhile.", icon=":material/broken_image:")


def _sample(name: str) -> Chosen:
    data = sample_file(name)
    return Chosen(caches.opened(f"sample {name}", f"{name}.png", data), data, sample=name)


def _show(chosen: Chosen) -> None:
    opened = chosen.opened
    what = f"{opened.name}, {opened.width} by {opened.height} pixels"
    with st.container(key="original"):
        st.image(caches.original(opened.digest, opened.screen), width="stretch", alt=f"Your picture, {opened.name}")
    st.caption(f"{plain(what)}")
    for note in opened.notes:
        st.caption(f":material/info: {plain(note)}")
