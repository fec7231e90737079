"""Lists of forms, and lines in XML."""

from __future__ import annotations

from tests.data.stroke_files import write_iamondb as make

__all__ = ["make"]
