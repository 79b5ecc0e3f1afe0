"""The widgets of the palette: the picture's colours, the target of each, and what changes the targets."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from kpalette.color.names import color_name
from kpalette.errors import KPaletteError
from kpalette.page import palettes
from kpalette.page.drawing import becomes_html, plain, strip_html, swatch_html
from kpalette.page.pictures import SUFFIXES, Opened
from kpalette.page.widgets import session
from kpalette.palettes.files import PALETTE_SUFFIXES
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import list_presets, preset_about
from kpalette.types import MAX_COLORS, MIN_COLORS

_PAIR = 82  # pixels: four fit in a row, on a phone too


def choose_palette(opened: Opened) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Shows the picture's colours and their targets; returns both, in the same order."""
    state = st.session_state
    st.subheader("2 · Your colours", anchor=False)
    own = opened.own(state.count)
    state.source, state.opened_palettes = tuple(code for code, _ in own), opened.palettes
    state.targets += state.source[len(state.targets) :]  # after a picture of fewer colours
    if state.message:
        kind, text = state.message
        state.message = None
        {"error": st.error, "warning": st.warning}[kind](plain(text))
    _presets()
    st.caption("Above: the picture's colours and their shares. Below each: what it becomes. Click one to change it.")
    _pairs(own)
    with st.container(horizontal=True, gap="small"):
        st.button("Shuffle", on_click=_shuffle, help="Your colours change places")
        st.button("Match by lightness", on_click=_match, args=("lightness",),
                  help="The darkest colour becomes your darkest, and so on")  # fmt: skip
        st.button("Match by likeness", on_click=_match, args=("nearest",),
                  help="Each colour becomes the most similar of yours")  # fmt: skip
        st.button("Reset", on_click=_reset, help="Back to the picture's own colours")
    st.slider("How many colours", MIN_COLORS, MAX_COLORS, key="count", on_change=_resize)
    if len(own) == 1:
        st.caption(":material/info: This picture has one colour: it becomes the first of your palette.")
    elif len(own) < state.count:
        st.caption(f":material/info: This picture has {len(own)} colours.")
    st.checkbox(
        "Light and dark as suits each picture", key="auto",
        help="As much of your palette's light and dark as leaves it the same picture (lightness strength auto)",
    )  # fmt: skip
    st.slider(
        "Light and dark from the palette", 0.0, 1.0, step=0.05, key="lightness", on_change=_by_hand,
        help="0 keeps light and dark as they are in the picture, 1 takes them from your palette (lightness strength)",
    )  # fmt: skip
    _sources()
    return state.source, state.targets[: max(len(own), MIN_COLORS)]


def _by_hand() -> None:
    st.session_state.auto = False


def _pairs(own: tuple[tuple[str, float], ...]) -> None:
    state = st.session_state
    with st.container(horizontal=True, gap="xsmall", key="pairs"):
        for i, (code, share) in enumerate(own):
            with st.container(width=_PAIR, gap="xxsmall", key=f"pair{i}"):
                st.html(swatch_html(code, share=share))
                target = state.targets[i]
                key = f"pick{i}v{state.version}"
                state.setdefault(key, target)
                st.color_picker(
                    f"Colour {i + 1}, {color_name(code)}, becomes", key=key, on_change=_picked, args=(i, key),
                    label_visibility="collapsed", width="stretch",
                )  # fmt: skip
                st.html(becomes_html(target))
                st.checkbox(f"Lock {i + 1}", key=f"lock{i}")
                if i + 1 < len(own):
                    st.button(f"Swap {i + 1}, {i + 2}", key=f"swap{i}", on_click=_swap, args=(i,), type="tertiary",
                              help=f"Colours {i + 1} and {i + 2} change places")  # fmt: skip


def _sources() -> None:
    with st.expander("More palettes", icon=":material/palette:", expanded=False):
        picture, file, harmony = st.tabs(["From a picture", "From a file", "Harmony"])
        with picture:
            st.file_uploader("A picture whose colours you like", type=list(SUFFIXES), key="like", max_upload_size=25,
                             on_change=_take, args=("like", "picture"))  # fmt: skip
        with file:
            st.file_uploader("A palette file: .gpl, .ase, .json, .hex or .txt", key="file", max_upload_size=1,
                             type=[s.removeprefix(".") for s in PALETTE_SUFFIXES], on_change=_take,
                             args=("file", "file"))  # fmt: skip
        with harmony:
            st.color_picker("Start from", "#c8553d", key="base")
            with st.container(horizontal=True, gap="small"):
                for name in palettes.HARMONIES:
                    st.button(name, on_click=_harmony, args=(name,))


def _presets() -> None:
    state = st.session_state
    st.selectbox("Ready-made palettes", list(list_presets()), index=None, key="preset", placeholder="Choose one",
                 on_change=_preset)  # fmt: skip
    if state.preset:
        st.html(strip_html(list_presets()[state.preset].hex))
        st.caption(plain(preset_about(state.preset)))


def _picked(i: int, key: str) -> None:
    state = st.session_state
    if i < len(state.targets):  # else a click at the same time removed the colour
        state.targets = (*state.targets[:i], state[key], *state.targets[i + 1 :])
        session.forget_origin()


def _locked() -> list[bool]:
    return [bool(st.session_state.get(f"lock{i}")) for i in range(MAX_COLORS)]


def _replace(new: tuple[str, ...]) -> None:
    """Takes new colours, except for those that are locked."""
    state = st.session_state
    whole = new + state.targets[len(new) : state.count]
    session.put(palettes.keep_locked(whole, state.targets, _locked()))


def _swap(i: int) -> None:
    state = st.session_state
    if i + 1 < len(state.targets):  # else a click at the same time removed the colour
        session.put(palettes.swapped(state.targets, i, i + 1))
        state.arranged = True
        locks = _locked()  # locks move with their colours
        state[f"lock{i}"], state[f"lock{i + 1}"] = locks[i + 1], locks[i]


def _shuffle() -> None:
    state = st.session_state
    state.seed += 1
    state.arranged = True
    _replace(palettes.shuffled(state.targets[: len(state.source)], _locked(), seed=state.seed))


def _match(rule: str) -> None:
    state = st.session_state
    state.arranged = True
    _replace(palettes.rematched(state.source, state.targets[: len(state.source)], _locked(), match=rule))


def _reset() -> None:
    state = st.session_state
    for i in range(MAX_COLORS):
        state[f"lock{i}"] = False
    session.forget_origin()
    _replace(state.source)


def _resize() -> None:
    state = st.session_state
    whole = state.targets + state.beyond  # colours left out by a smaller number come back
    state.source = tuple(code for code, _ in state.opened_palettes[state.count - MIN_COLORS])
    arranged = state.arranged or any(_locked())
    _replace(palettes.resized(whole, state.count, source=state.source, origin=state.origin, arranged=arranged))
    state.beyond = whole[state.count :]


def _adopt(palette: Palette) -> None:
    """Takes a palette, with as many of its colours as the slider says; if it has fewer, the slider follows."""
    state = st.session_state
    state.origin, state.arranged = palette, False
    few = palettes.chosen(palette, min(state.count, len(palette)))
    if len(few) != state.count:
        state.count = len(few)
        state.source = tuple(code for code, _ in state.opened_palettes[state.count - MIN_COLORS])
    _replace(palettes.matched(state.source, few))


def _preset() -> None:
    if st.session_state.preset:
        _adopt(list_presets()[st.session_state.preset])


def _take(key: str, kind: str) -> None:
    file = st.session_state.get(key)
    if file is not None:
        st.session_state.preset = None
        _trying(lambda: _adopt(palettes.TAKERS[kind](file.getvalue(), name=file.name, size=MAX_COLORS)))


def _harmony(name: str) -> None:
    state = st.session_state
    session.forget_origin()
    _replace(palettes.harmony(state.base, name, source=state.source))


def _trying(work: Callable[[], Any]) -> None:
    try:
        work()
    except KPaletteError as error:
        session.say("error", str(error))
