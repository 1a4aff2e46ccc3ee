"""Which version of the software this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("evenhand")
except PackageNotFoundError:  # taken from a folder, without being installed
    __version__ = "unknown"
