"""The widgets of the picture: an upload, or a sample as long as there is none."""

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
        opened: the picture as it was read.
        data: the bytes of its file.
        sample: name of the sample picture, if it is one.
        file: Streamlit's id of the upload, if it is one.

    Example:
        >>> from kpalette.page.pictures import open_picture
        >>> data = sample_file("coffee")
        >>> Chosen(open_picture(data, name="coffee.png"), data, sample="coffee").opened.format
        'PNG'
    """

    opened: Opened
    data: bytes
    sample: str | None = None
    file: str | None = None


def choose_picture() -> Chosen:
    """Shows the widgets that choose a picture, and the picture: a sample if there is no upload."""
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
    # An upload that was removed from its box is still shown: it is also removed for a moment when another replaces it.
    chosen = uploaded or (state.held if state.picture == UPLOAD else None) or _sample(state.sample)
    if state.awaiting:
        st.info("This link was made with an uploaded picture, which a link cannot contain: upload it here to see the "
                "result. Until then, a sample is shown in its colours.", icon=":material/link:")  # fmt: skip
    elif chosen.sample:
        state.picture = chosen.sample  # also if an upload could not be read
    _show(chosen)
    if chosen.file and file is None:
        st.caption(":material/info: This picture is shown until you upload another one.")
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
    meanwhile = "Your earlier picture" if st.session_state.picture == UPLOAD and st.session_state.held else "A sample"
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
