"""Environments of their own for the peers that benchmarks measure against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def python_of(name: str, *packages: str) -> str:
    """The Python of a peer's environment, made once in the folder bench."""
    folder = Path("bench") / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"bench: making an environment for {name}, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
        (folder / "ready").touch()
    return str(python)
