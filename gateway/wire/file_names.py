"""Names for files that have none, where a dialect wants one."""

from __future__ import annotations

import mimetypes


def usual_name(media_type: str) -> str:
    """Return a name whose end tells the kind of file: some services look at nothing else."""
    return f"document{mimetypes.guess_extension(media_type) or ''}"
