"""Parser manifests: the ``<name>.metaflow.toml`` beside an artifact, read before any of its code runs."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from metaflow_core.api.config import Config, Field
from metaflow_core.api.factories import ParserFactory
from metaflow_core.api.identity import Stability
from metaflow_core.api.parsing import Pairing, ParserDescription, ParserLimits, ParserRuntime, RuntimeKind
from metaflow_core.errors import PluginLoadError

__all__ = ["ParserManifest", "parser_from_manifest"]

ABI_MAJOR = 1
_OPTION_TYPES: Mapping[str, type] = {"int": int, "bool": bool, "str": str, "float": float}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ManifestMatch(_Strict):
    """``[match]``: where the parser is asked first."""

    transports: tuple[str, ...] = ("tcp",)
    ports: tuple[int | str, ...] = ()
    magics: tuple[str, ...] = ()


class ManifestLimits(_Strict):
    """``[limits]``: what an untrusted artifact may use."""

    memory_mib: int = Field(64, ge=1, le=2047)
    deadline_ms: int = Field(50, ge=1, le=60_000)
    batch_bytes: int = Field(1 << 20, ge=4096, le=1 << 26)


class ManifestOption(_Strict):
    """``[[option]]``: one option of the parser."""

    name: str
    type: str = "str"
    default: int | bool | str | float = ""
    description: str = ""


class ParserManifest(_Strict):
    """The whole manifest. Third parties write it by hand; ``mflow new plugin parser`` writes the first one."""

    abi: int
    type: str
    version: str = "0"
    summary: str = ""
    stability: Stability = Stability.ALPHA
    sha256: str | None = None
    artifact: str | None = None
    protocols: tuple[tuple[int, str], ...]
    pairing: Pairing = Pairing.FIFO
    session_timeout_ms: int = Field(120_000, ge=1)
    max_check_segments: int = Field(8, ge=1, le=1000)
    ciphertext: bool = False
    checked: str = ""
    extracts: tuple[str, ...] = ()
    match: ManifestMatch = ManifestMatch()
    limits: ManifestLimits = ManifestLimits()
    option: tuple[ManifestOption, ...] = ()

    @classmethod
    def read(cls, path: Path) -> ParserManifest:
        """Read and check a manifest.

        :raises PluginLoadError: with a sentence that names every mistake.
        """
        try:
            text = path.read_text(encoding="utf-8")
            data = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PluginLoadError(f"{path}: the parser manifest cannot be read: {error}") from error
        try:
            manifest = cls.model_validate(data)
        except ValidationError as error:
            details = "; ".join(
                f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
            )
            raise PluginLoadError(f"{path}: the parser manifest is wrong: {details}") from error
        if manifest.abi != ABI_MAJOR:
            raise PluginLoadError(
                f"{path}: the parser was made for parser ABI {manifest.abi}, this MetaFlow has ABI {ABI_MAJOR}; "
                "install a matching version of one of them"
            )
        return manifest

    def description(self) -> ParserDescription:
        """What an engine must know."""
        ports: list[int] = []
        for port in self.match.ports:
            first, _, last = str(port).partition("-")
            ports.extend(range(int(first), int(last or first) + 1))
        return ParserDescription(
            name=self.type,
            protocols=self.protocols,
            transports=self.match.transports,
            ports=tuple(ports),
            magics=tuple(bytes.fromhex(magic) for magic in self.match.magics),
            pairing=self.pairing,
            session_timeout_ms=self.session_timeout_ms,
            max_check_segments=self.max_check_segments,
            ciphertext=self.ciphertext,
        )


class ParserConfig(Config):
    """Options that every parser has.

    :ivar runtime: which of the parser's runtimes to use; ``auto`` takes the fastest that is there.
    """

    runtime: RuntimeKind = Field(
        RuntimeKind.AUTO, description="Which runtime runs the parser; auto takes the fastest there."
    )
    ports: tuple[int, ...] | None = Field(
        None, description="Server ports at which it is asked first, in place of its own list."
    )
    session_timeout_ms: int | None = Field(None, ge=1, description="How long a request waits for its answer.")


def _config_model(manifest: ParserManifest) -> type[Config]:
    fields: dict[str, Any] = {}
    for option in manifest.option:
        kind = _OPTION_TYPES.get(option.type)
        if kind is None:
            raise PluginLoadError(
                f"option {option.name!r} of parser {manifest.type!r} has type {option.type!r}; "
                f"allowed are {', '.join(sorted(_OPTION_TYPES))}"
            )
        fields[option.name] = (kind, Field(kind(option.default), description=option.description))
    name = "".join(part.capitalize() for part in manifest.type.split("_")) + "ParserConfig"
    return create_model(name, __base__=ParserConfig, __doc__=manifest.summary, **fields)


def _own_options(config: Config) -> Mapping[str, str]:
    common = set(ParserConfig.model_fields)
    texts: dict[str, str] = {}
    for name, value in config:
        if name not in common:
            texts[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return texts


def parser_from_manifest(
    path: Path | str,
    *,
    native: Path | str | None = None,
    wasm: Path | str | None = None,
    python: Callable[[Any], ParserRuntime] | None = None,
) -> ParserFactory:
    """Make a :class:`ParserFactory` from a manifest file and the artifacts beside it.

    :param path: the ``.metaflow.toml``.
    :param native: the shared object; a glob is allowed, since its name carries the Python version.
    :param wasm: the WebAssembly module; default the manifest's ``artifact``, if that ends in ``.wasm``.
    :param python: a Python runtime instead of an artifact.
    :raises PluginLoadError: the manifest is wrong, or an artifact is not the one it names by ``sha256``.
    """
    manifest_path = Path(str(path))
    manifest = ParserManifest.read(manifest_path)
    folder = manifest_path.parent
    wasm_path = folder / str(wasm) if wasm is not None else None
    if wasm_path is None and manifest.artifact and manifest.artifact.endswith(".wasm"):
        wasm_path = folder / manifest.artifact
    if manifest.sha256 is not None and wasm_path is not None and wasm_path.exists():
        found = hashlib.sha256(wasm_path.read_bytes()).hexdigest()
        if found != manifest.sha256:
            raise PluginLoadError(
                f"{wasm_path}: sha256 is {found}, the manifest {manifest_path.name} expects {manifest.sha256}; "
                "the file was changed or belongs to another version"
            )
    native_path: Path | None = None
    if native is not None:
        matches = sorted(folder.glob(str(native)))
        native_path = matches[0] if matches else folder / str(native)
    return ParserFactory(
        type=manifest.type,
        config=_config_model(manifest),
        stability=manifest.stability,
        summary=manifest.summary,
        description=manifest.description(),
        native=native_path,
        wasm=wasm_path,
        python=python,
        options=_own_options,
        limits=ParserLimits(**manifest.limits.model_dump()),
    )
