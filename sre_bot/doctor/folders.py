"""Whether a folder could be written to, without trying."""

import os
from pathlib import Path


def why_not_writable(folder: Path) -> str:
    """What stands in the way of making files in a folder that may not exist yet; empty where nothing does."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{nearest} is not a folder."
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"This user may not write to {nearest}."
    return ""
