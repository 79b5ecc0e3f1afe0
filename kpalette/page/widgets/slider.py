"""The slider between before and after: a component of our own, so that nothing is fetched from the network."""

import base64

import streamlit as st

_HTML = '<div class="compare" part="compare"></div>'

# An invisible range input covers the picture. So the browser itself handles mouse, touch and keys.
_CSS = """
.compare { position: relative; margin: 0 auto; overflow: hidden; border-radius: .4rem; line-height: 0;
  background: repeating-conic-gradient(#9993 0 25%, transparent 0 50%) 0 0 / 20px 20px; --at: 50%; }
.compare img { position: absolute; inset: 0; width: 100%; height: 100%; user-select: none; pointer-events: none; }
.compare .before { clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.compare .after { clip-path: inset(0 0 0 var(--at)); }
.compare input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize;
  touch-action: pan-y; appearance: none; -webkit-appearance: none; }
.compare input::-webkit-slider-thumb { -webkit-appearance: none; width: 2px; height: 100vh; }
.compare input::-moz-range-thumb { width: 2px; height: 100vh; border: 0; }
.compare .line { position: absolute; top: 0; bottom: 0; left: var(--at); width: 3px; margin-left: -1.5px;
  background: #fff; box-shadow: 0 0 0 1px #0008; pointer-events: none; }
.compare .line::after { content: "\\2194"; position: absolute; top: 50%; left: 50%; width: 2.2rem; height: 2.2rem;
  line-height: 2.2rem; margin: -1.1rem; text-align: center; border-radius: 50%; background: #fff; color: #222;
  box-shadow: 0 0 0 1px #0008; font: 1.2rem/2.2rem sans-serif; }
.compare input:focus-visible ~ .line::after { outline: 3px solid #2b7de9; outline-offset: 2px; }
.compare .tag { position: absolute; top: .6rem; padding: .2rem .55rem; border-radius: .3rem; background: #000a;
  color: #fff; font: .8rem/1.3 sans-serif; pointer-events: none; }
.compare .tag.left { left: .6rem; } .compare .tag.right { right: .6rem; }
"""

_JS = """
export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".compare");
  root.style.aspectRatio = `${data.width} / ${data.height}`;
  root.style.width = `min(100%, calc(75vh * ${data.width} / ${data.height}))`;
  let range = root.querySelector("input");
  if (!range) {
    const make = (name, kind) => Object.assign(document.createElement(name), { className: kind });
    const before = make("img", "before"), after = make("img", "after");
    range = Object.assign(make("input", ""), { type: "range", min: 0, max: 100, step: 1, value: 50 });
    root.append(before, after, range, make("div", "line"), make("span", "tag left"), make("span", "tag right"));
    root.querySelector(".tag.left").textContent = "before";
    root.querySelector(".tag.right").textContent = "after";
    const move = () => {
      root.style.setProperty("--at", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${range.value} % original`);
    };
    range.addEventListener("input", move);
    move();
  }
  const set = (kind, source, text) => {
    const image = root.querySelector(`img.${kind}`);
    image.alt = text;
    if (image.src !== source) image.src = source;
  };
  set("before", data.before, data.beforeText);
  set("after", data.after, data.afterText);
  range.setAttribute("aria-label", data.label);
}
"""

_compare = st.components.v2.component("kpalette_compare", html=_HTML, css=_CSS, js=_JS)


def before_after(before: bytes, after: bytes, *, size: tuple[int, int], title: str) -> None:
    """Shows two pictures of one size, one above the other, with a slider between them.

    Args:
        before: the visitor's picture, a JPEG or PNG file.
        after: the recoloured picture, likewise.
        size: width and height of both.
        title: title of the recolorer.
    """
    _compare(
        key="compare",
        data={
            "before": _data_url(before), "after": _data_url(after), "width": size[0], "height": size[1],
            "beforeText": "The picture as it was", "afterText": f"The picture recoloured by {title}",
            "label": f"Slide between before and after, recoloured by {title}",
        },
    )  # fmt: skip


def _data_url(data: bytes) -> str:
    media_type = "image/jpeg" if data.startswith(b"\xff\xd8") else "image/png"
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
