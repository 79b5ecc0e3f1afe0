"""An extension of Griffe, which reads docstrings for the API pages: `Example:` is a block of code there."""

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Names the section `Example:` as Griffe knows it; by its own name it would be text, and `>>>` a quotation."""

    def on_object(self, *, obj: Object, **options: Any) -> None:
        """Renames the section in a docstring."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
