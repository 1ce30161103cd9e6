"""For the site: sections of docstrings stand without blank lines between them, which the docstring reader wants."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_SECTION = re.compile(r"(?<!\n)\n(?= *(?:Args|Returns|Raises|Yields|Attributes):\n)")


class DocstringSections(Extension):
    """Puts a blank line before each section."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _SECTION.sub("\n\n", obj.docstring.value)
