"""GitHub markdown: tables, and replacing a block of a document."""

import re

from kpalette.errors import ArgumentError, one_line


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Makes a GitHub markdown table.

    Args:
        header: titles of the columns.
        rows: texts, as many as columns; all columns but the first are aligned to the right.

    Returns:
        The lines of the table.

    Example:
        >>> print(markdown_table(["name", "ssim"], [["soft", "0.95"]]), end="")
        | name | ssim |
        | --- | ---: |
        | soft | 0.95 |
    """
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join("| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def replace_block(text: str, name: str, content: str) -> str:
    """Replaces the text between the lines `<!-- NAME -->` and `<!-- end NAME -->` of a document.

    Args:
        text: the document.
        name: the name of the block.
        content: the new text of the block.

    Returns:
        The new document; all else stays as it is.

    Raises:
        ArgumentError: if one of the two lines is missing; the message names it.
    """
    start = _line_of(text, f"<!-- {name} -->").end()
    end = _line_of(text, f"<!-- end {name} -->", behind=start).start()
    return f"{text[:start]}\n{content.strip()}\n{text[end:]}"


def _line_of(text: str, marker: str, *, behind: int = 0) -> re.Match[str]:
    found = re.compile(rf"^{re.escape(marker)}[ \t]*$", re.MULTILINE).search(text, behind)
    if found is None:
        raise ArgumentError(f"the document has no line {marker}" + " behind its start" * (behind > 0))
    return found
