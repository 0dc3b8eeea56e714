"""Options of the file tagger."""

from __future__ import annotations

from metaflow_core.api import Config, Field

__all__ = ["FileTaggerConfig"]


class FileTaggerConfig(Config):
    """Which files to read, and how often to look whether they changed."""

    files: tuple[str, ...] = Field(min_length=1, description="YAML (.yaml, .yml) or CSV (.csv) files, read as one.")
    reload_s: float = Field(
        default=5.0, gt=0, description="Seconds between two looks whether a file changed; a changed file is read again."
    )
    unknown_is_internet: bool = Field(
        default=False, description="Addresses in no network of the files are on the Internet (VPC -2)."
    )
