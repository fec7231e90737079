"""Marks on the arguments of datasets, and of trackers, that say more of them than their types."""

from __future__ import annotations

from typing import Annotated

# The type of a dataset's `root` that says which data these are, and not only where a corpus of a known name lies.
Corpus = Annotated[str | None, "identity"]
# Marks an argument by which a user consents to what is refused by default, or says where files may be written: whoever
# reads a saved config takes the default instead, and consent only from the person who is there.
CONSENT = "consent"
Consent = Annotated[bool, CONSENT]
Place = Annotated[str, CONSENT]
