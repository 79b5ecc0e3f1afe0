"""The compare page: the results of several recolorers for one picture and palette. `make app` starts it."""

import logging

import streamlit as st
from PIL import Image

from kpalette.errors import KPaletteError
from kpalette.page.drawing import plain
from kpalette.page.memory import return_freed_memory
from kpalette.page.settings import Settings
from kpalette.page.widgets import session
from kpalette.page.widgets.palette import choose_palette
from kpalette.page.widgets.picture import choose_picture
from kpalette.page.widgets.results import show_results
from kpalette.palettes.palette import Palette
from kpalette.report.sheet import swatch_image

_STYLE = """<style>
.block-container { padding-top: 1.6rem; max-width: 1500px; }
h1 { font-size: 2rem !important; padding: 0 !important; }
h3 { padding-bottom: .4rem !important; }
/* Small, so that the palette below it can be seen without scrolling. "A closer look" shows it whole. */
.st-key-original img { max-height: 15rem; width: auto !important; max-width: 100%; }
[data-testid="stColorPicker"] button, [data-testid="stColorPickerBlock"] { width: 100%; height: 2.6rem; }
[data-testid="stMetricValue"] { font-size: 1.25rem; }
[data-testid="stDownloadButtonError"]::after { content: ". Try again, or try another recolorer or a smaller picture."; }
</style>"""


def main() -> None:
    """Draws the page. Streamlit calls this again after each action of a visitor."""
    # An icon of our own: Streamlit would fetch the picture of an emoji from the network.
    icon = Image.fromarray(swatch_image(Palette.from_hex(Settings.target), side=16))
    st.set_page_config("kpalette: pictures in your colours", icon.resize((64, 64)), layout="wide")
    try:
        _draw()
    except KPaletteError as error:
        st.error(plain(str(error)))
    except Exception:
        logging.getLogger("kpalette.page").exception("the page failed")
        st.error("Something went wrong. Try another picture or other colours, or reload the page.")


def _draw() -> None:
    return_freed_memory()
    session.begin()
    st.html(_STYLE)
    st.title("kpalette", anchor=False)
    st.markdown("Put a picture into the colours you choose. Its shapes and details are kept.")
    left, right = st.columns([5, 9], gap="large")
    with left:
        chosen = choose_picture()
        source, target = choose_palette(chosen.opened)
    with right:
        show_results(chosen, source, target)
    session.publish(session.current())
