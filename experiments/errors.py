"""Mistakes that are answered with a message instead of a traceback."""

from __future__ import annotations


class UserError(Exception):
    """The message names the thing, what was expected and what to do."""
