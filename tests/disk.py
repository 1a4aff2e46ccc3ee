"""A file system of its own that can be filled, for tests of full disks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Of that size, such as 6m, at a folder that is made; skips the test where none can be mounted."""
    place.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=False).returncode:
        pytest.skip("a file system that can be filled needs the right to mount one (root)")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
