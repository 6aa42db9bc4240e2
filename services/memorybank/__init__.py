"""The MemoryBank: events from MQTT, remembered exactly once in PostgreSQL; anomalies found in them.

For notebooks: `memorybank.open(url)` (docs/notebook.md).
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from memorybank.frames import Memory

__all__ = ["open"]


def open(  # noqa: A001 - as memorybank.open
    url: str | None = None,
    *,
    home: str | None = None,
    truth: bool = False,
    frames: Literal["pandas", "polars"] = "pandas",
) -> "Memory":
    """Open the memory for reading; its tables come as frames of pandas or Polars.

    It is at a PostgreSQL URL, or of the bench in the folder `home`, or where memory-viewer finds it; `truth`
    opens it as a user who may see the ground truth. The first question connects. Raises WrongQuestion where
    there is none and MissingExtra where the library is not installed.
    """
    # The service itself needs none of this.
    from memorybank.frames import Memory  # noqa: PLC0415
    from memorybank.viewer.place import find  # noqa: PLC0415

    return Memory(find(url, home, os.environ, Path.cwd(), truth=truth).url, frames)
