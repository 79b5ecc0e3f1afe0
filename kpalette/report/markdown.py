"""GitHub markdown: tables, and how they come into a document."""

import re

from kpalette.errors import ArgumentError, one_line


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A GitHub markdown table, numbers to the right of the first column."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join("| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def replace_block(text: str, name: str, content: str) -> str:
    """Puts content between the lines `<!-- NAME -->` and `<!-- end NAME -->` of a document.

    Args:
        text: of the document.
        name: of the block.
        content: what comes in place of what is there.

    Returns:
        The new text; all else stays as it is.

    Raises:
        ArgumentError: names the line that is not there.
    """
    start = _line_of(text, f"<!-- {name} -->").end()
    end = _line_of(text, f"<!-- end {name} -->", behind=start).start()
    return f"{text[:start]}\n{content.strip()}\n{text[end:]}"


def _line_of(text: str, marker: str, *, behind: int = 0) -> re.Match[str]:
    found = re.compile(rf"^{re.escape(marker)}[ \t]*$", re.MULTILINE).search(text, behind)
    if found is None:
        raise ArgumentError(f"the document has no line {marker}" + " behind its start" * (behind > 0))
    return found
