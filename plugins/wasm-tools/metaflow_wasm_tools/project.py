"""An author's folder: manifest, language, sources, where the module goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metaflow_core.api import ParserManifest
from metaflow_core.errors import InputError

__all__ = ["Project"]

_ENDINGS = {".c": "c", ".zig": "zig", ".ts": "assemblyscript"}
_KIT_PREFIX = "metaflow"


@dataclass(frozen=True, slots=True)
class Project:
    """A Wasm parser's folder.

    :ivar folder: its root. :ivar manifest_path: the ``.metaflow.toml``. :ivar manifest: its content.
    :ivar language: ``c``, ``zig``, ``assemblyscript`` or ``rust``; empty when there is no source.
    :ivar source: the main source file, or ``Cargo.toml``. :ivar artifact: the module.
    """

    folder: Path
    manifest_path: Path
    manifest: ParserManifest
    language: str
    source: Path | None
    artifact: Path

    @classmethod
    def find(cls, folder: Path) -> Project:
        """Look at a folder.

        :raises InputError: it has no manifest, or more than one, or several main source files.
        :raises PluginLoadError: the manifest is wrong.
        """
        found = sorted({*folder.glob("*.metaflow.toml"), *folder.glob("*/*.metaflow.toml")})
        if len(found) != 1:
            listed = ", ".join(str(path) for path in found) or "none"
            raise InputError(
                f"{folder}: one parser manifest (NAME.metaflow.toml) is needed here or one folder below, found: {listed}; "
                "'mflow new plugin parser NAME --wasm' makes a folder that has one"
            )
        manifest = ParserManifest.read(found[0])
        artifact = found[0].parent / (manifest.artifact or f"{manifest.type}.wasm")
        language, source = _source(folder)
        return cls(folder, found[0], manifest, language, source, artifact)

    @property
    def cases(self) -> list[Path]:
        """The author's test cases."""
        return sorted((self.folder / "testcases").glob("*.toml"))


def _source(folder: Path) -> tuple[str, Path | None]:
    for place in (folder / "source", folder / "src", folder):
        if (place / "Cargo.toml").exists():
            return "rust", place / "Cargo.toml"
        sources = [
            path
            for path in sorted(place.glob("*"))
            if path.suffix in _ENDINGS and not path.name.startswith((_KIT_PREFIX, "."))
        ]
        if len(sources) > 1:
            raise InputError(
                f"{place}: one source file is built, found {', '.join(path.name for path in sources)}; "
                "name what it includes metaflow_*.c, or move the others away"
            )
        if sources:
            return _ENDINGS[sources[0].suffix], sources[0]
    return "", None
