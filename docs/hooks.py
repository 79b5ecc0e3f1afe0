"""Hooks of the site: documents from outside docs/ become pages, and nothing may be loaded from the web."""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "checkpoints/*.md", "checkpoints/*/MODEL.md", "examples/*.py")
"""What stands outside docs/ and is a page of the site all the same."""


def outside() -> dict[str, Path]:
    """The files that `OUTSIDE` names, by the path of their page."""
    found = [path for pattern in OUTSIDE for path in sorted(ROOT.glob(pattern))]
    return {path.relative_to(ROOT).with_suffix(".md").as_posix(): path for path in found}


def page_text(path: Path) -> str:
    """A file as markdown; a program stands in a block of code under its name."""
    text = path.read_text()
    return text if path.suffix == ".md" else f"# {path.relative_to(ROOT).as_posix()}\n\n```python\n{text}```\n"


def site_links(markdown: str, page: str, pages: dict[str, Path]) -> str:
    """Turns links between files of the repository into links between pages.

    Args:
        markdown: of a page.
        page: its path in the site.
        pages: what `outside` returns.

    Returns:
        The markdown; links into docs/ and to the files of `pages` are relative to the site.
    """
    folder = posixpath.dirname(page if page in pages else f"docs/{page}")
    sites = {path.relative_to(ROOT).as_posix(): name for name, path in pages.items()}

    def to_site(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, found[2]))
        site = sites.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        return found[0] if site is None else found[1] + posixpath.relpath(site, posixpath.dirname(page) or ".")

    return re.sub(r"(\]\()([^)\s#:]+)", to_site, markdown)


def remote_assets(html: str) -> list[str]:
    """Addresses of the web that a page would load: scripts, styles, pictures, fonts and frames, but not links."""
    loads = re.findall(r"<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*>", html)
    loads += re.findall(r"<link\b[^>]*rel=\"?(?:stylesheet|preconnect|preload|icon|manifest)[^>]*>", html)
    found = re.findall(r"(?:src|href|srcset|data)=[\"']?((?:https?:)?//[^\s\"'>]+)", "\n".join(loads))
    styles = "\n".join(re.findall(r"<style\b[^>]*>(.*?)</style>", html, re.DOTALL))
    return found + re.findall(r"url\([\"']?((?:https?:)?//[^)\"']+)", styles)


def on_files(files: Any, *, config: Any) -> Any:
    """Adds the pages from outside docs/."""
    from mkdocs.structure.files import File

    for name, path in outside().items():
        files.append(File.generated(config, name, content=page_text(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Makes links of the repository links of the site."""
    return site_links(markdown, page.file.src_uri, outside())


def on_post_build(*, config: Any) -> None:
    """Ends the build where a page or a style would load something from the web."""
    from mkdocs.exceptions import PluginError

    site = Path(config.site_dir)
    for path in sorted(path for path in site.rglob("*") if path.suffix in (".html", ".css")):
        text = path.read_text()
        if found := remote_assets(f"<style>{text}</style>" if path.suffix == ".css" else text):
            raise PluginError(f"{path.relative_to(site)} loads {', '.join(found)}: put the file into docs/assets")
