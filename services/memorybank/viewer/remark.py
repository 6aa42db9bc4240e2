"""What the viewer says beside its answer."""

import sys


def remark(text: str) -> None:
    """Say something beside the answer, to whoever sits at the terminal."""
    print(f"memory-viewer: {' '.join(text.split())}", file=sys.stderr, flush=True)
