"""The widgets of the results: a tile for each recolorer, a closer look at one, the chart, and earlier results."""

import logging
from functools import cache
from typing import Any

import streamlit as st

from kpalette.color.names import color_name
from kpalette.errors import KPaletteError
from kpalette.page import results
from kpalette.page.drawing import chart, plain, strip_html
from kpalette.page.pictures import Opened
from kpalette.page.proofs import Result
from kpalette.page.results import page_recipe, title_of
from kpalette.page.settings import METHODS, UPLOAD, Settings
from kpalette.page.widgets import caches, session
from kpalette.page.widgets.picture import Chosen
from kpalette.page.widgets.slider import before_after
from kpalette.recolorers.recipe import Recipe
from kpalette.recolorers.registry import list_recolorers, registry

_log = logging.getLogger("kpalette.page")

Done = dict[str, tuple[Result, bytes]]


def show_results(chosen: Chosen, source: tuple[str, ...], target: tuple[str, ...]) -> None:
    """Computes and shows the results one by one, so that Streamlit can stop an outdated run between two of them."""
    state = st.session_state
    st.subheader("3 · Results", anchor=False)
    if not state.methods:
        state.methods = list(METHODS)
    methods = results.by_interest(tuple(state.methods))
    slots = _slots(methods)
    bar = st.empty()
    done: Done = {}
    for i, method in enumerate(results.by_speed(methods)):
        bar.progress(i / len(methods), f"Recolouring: {title_of(method)}, {i + 1} of {len(methods)}")
        recipe = page_recipe(method, source, target, session.lightness())
        found = _computed(chosen.opened, recipe)
        with slots[method]:
            if isinstance(found, str):
                _missing(method, found)
            else:
                done[method] = found
                _tile(chosen, *found)
    bar.empty()
    _choose_methods()
    if done:
        _closer(chosen, done)
        _history(chosen, done)


def _computed(opened: Opened, recipe: Recipe) -> tuple[Result, bytes] | str:
    """The result of a recolorer, or the reason why there is none, for visitors."""
    method = recipe.recolorer.name
    reason = results.why_missing(method)
    if reason is not None:
        _log_missing(method, reason)
        return "The trained network (its weights) is not installed here."
    try:
        return caches.result(opened.digest, recipe, opened.screen)
    except KPaletteError as error:
        return plain(str(error))
    except Exception:
        _log.exception("%s failed", method)
        return "Something went wrong with this recolorer. Try other colours, or another picture."


@cache
def _log_missing(method: str, reason: str) -> None:
    """Logs once, not for each visitor: the log is for those who run the server."""
    _log.warning("%s is not shown: %s", method, reason)


def _slots(methods: tuple[str, ...]) -> dict[str, Any]:
    slots = {}
    for start in range(0, len(methods), 2):
        for method, column in zip(methods[start : start + 2], st.columns(2), strict=False):
            slots[method] = column.container(border=True, key=f"tile_{method}")
    return slots


def _tile(chosen: Chosen, result: Result, image: bytes) -> None:
    recipe = result.recipe
    method = recipe.recolorer.name
    title, about = registry()[method].title, registry()[method].about
    colors = ", ".join(color_name(color) for color in recipe.target.hex)
    st.markdown(f"**{title}**")
    st.image(image, width="stretch", alt=f"Your picture recoloured by {title} into {colors}")
    st.caption(f"{about} Light and dark: {result.recipe.lightness:g}.")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom", gap="small"):
        kept, off, seconds = f"{result.ssim:.3f}", f"{result.palette_de:.1f}", f"{result.seconds:.2f}"
        st.metric("Structure kept", kept, help="Structural similarity (SSIM) of the greys: 1 is all", width="content")
        distance_help = "Mean CIEDE2000 from the result's colours to yours: 0 is exact, 2 is hardly visible"
        st.metric("Palette distance", off, help=distance_help, width="content")
        st.metric("Seconds", seconds, help="Time for the picture at this size", width="content")
    opened = chosen.opened
    st.download_button(
        f"Download {title}", key=f"download_{method}", icon=":material/download:", on_click="ignore",
        width="stretch",
        data=lambda: results.whole_file(chosen.data, recipe, name=opened.name),
        file_name=results.result_name(opened.name, method, opened.format),
        mime=f"image/{opened.format.lower()}",
        help=f"{title} at full size, {opened.width} by {opened.height} pixels, with the picture's metadata",
    )  # fmt: skip


def _missing(method: str, reason: str) -> None:
    title, about = registry()[method].title, registry()[method].about
    st.markdown(f":gray[**{title}**]")
    st.html(
        '<div style="background:rgba(128,128,128,.18);border-radius:.4rem;padding:1.6rem 1rem;text-align:center;'
        'opacity:.8">Not available on this server</div>'
    )
    st.caption(about)
    st.caption(f":material/info: {reason}")


def _choose_methods() -> None:
    st.pills(
        "Recolorers to show", list_recolorers(), selection_mode="multi", key="methods",
        format_func=title_of,
    )  # fmt: skip


def _closer(chosen: Chosen, done: Done) -> None:
    state = st.session_state
    st.subheader("4 · A closer look", anchor=False)
    names = [name for name in results.by_interest(tuple(done)) if name in done]
    if state.shown not in names:
        state.shown = names[0]
    method = str(st.segmented_control("Recolorer", names, key="shown", format_func=title_of, required=True))
    result, image = done[method]
    opened, title = chosen.opened, title_of(method)
    view = st.segmented_control(
        "View", ["Before and after", "Change of colour", "Structure"], key="view", default="Before and after",
        required=True,
    )  # fmt: skip
    if view == "Before and after":
        height, width = opened.screen.rgb.shape[:2]
        before = caches.original(opened.digest, opened.screen)
        before_after(before, image, size=(width, height), title=title)
        st.caption("Drag across the picture, or use the arrow keys.")
    else:
        _map(chosen, result, "colour" if view == "Change of colour" else "structure")
    _take_home(chosen, result.recipe)
    st.vega_lite_chart(chart([done[name][0] for name in names]), width="stretch")
    st.caption("The best place is the top left: all of the structure, and exactly your colours.")


def _map(chosen: Chosen, result: Result, kind: str) -> None:
    opened = chosen.opened
    image = caches.difference(kind, opened.digest, result.recipe, opened.screen, result.picture)
    about = {
        "colour": f"Dark: nothing changed. Bright: a strong change, {results.STRONG_CHANGE:.0f} or more (CIE 1976).",
        "structure": "White: every detail is kept. Dark: contrasts were lost or reversed (local SSIM).",
    }[kind]
    st.image(image, width="stretch", alt=f"Map of the difference. {about}")
    st.caption(about)


def _take_home(chosen: Chosen, recipe: Recipe) -> None:
    opened, method = chosen.opened, recipe.recolorer.name
    title = title_of(method)
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            f"Download this one, by {title}", key="download_shown", icon=":material/download:", on_click="ignore",
            type="primary",
            data=lambda: results.whole_file(chosen.data, recipe, name=opened.name),
            file_name=results.result_name(opened.name, method, opened.format),
            mime=f"image/{opened.format.lower()}",
        )  # fmt: skip
        if results.has_cube(method):
            stem = results.result_name(opened.name, method, "PNG").rpartition(".")[0]
            st.download_button(
                "Download .cube", key="download_cube", icon=":material/deployed_code:", on_click="ignore",
                data=lambda: results.cube_file(chosen.data, recipe, name=opened.name), mime="text/plain",
                file_name=f"{stem}.cube", help="These colours as a look-up table for video and photo programs",
            )  # fmt: skip
    with st.expander("The same by command line", icon=":material/terminal:"):
        st.caption("This command makes the same file. To copy it, point at it and press the button in its corner.")
        st.code(
            results.command(recipe, name=opened.name, image_format=opened.format, sample=chosen.sample),
            language="bash", wrap_lines=True,
        )  # fmt: skip


def _history(chosen: Chosen, done: Done) -> None:
    state = st.session_state
    shown, _ = done[state.shown]
    session.remember(session.current(), chosen.opened.digest, results.thumbnail(shown.picture))
    if len(state.history) < 2:
        return
    st.subheader("Earlier results", anchor=False)
    with st.container(horizontal=True, gap="small", key="history"):
        for i, entry in enumerate(state.history[1:]):
            with st.container(width=168, gap="xsmall"):
                colors: Settings = entry["settings"]
                spoken = ", ".join(color_name(color) for color in colors.target)
                st.image(entry["thumbnail"], alt=f"An earlier result in {spoken}", width=160)
                st.html(strip_html(colors.target))
                st.button(f"Bring back {i + 1}", key=f"back{i}", on_click=_back, args=(colors, entry["digest"]),
                          help=f"Back to {plain(spoken)}")  # fmt: skip


def _back(settings: Settings, digest: str) -> None:
    state = st.session_state
    session.restore(settings)
    if settings.picture != UPLOAD:
        return
    if state.held and state.held.opened.digest == digest:
        state.picture = UPLOAD
    else:
        session.say("warning", "The colours are back, but their picture was removed: upload it again.")
