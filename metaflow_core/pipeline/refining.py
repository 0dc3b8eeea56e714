"""Parsers whose messages are refined: the parser's result is read, refiners say what to change, and it is written anew.

Only pipelines with refiners pay for it: their parser is then called through Python in batches instead of by the engine itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metaflow_core.api import abi
from metaflow_core.api.counters import Counters
from metaflow_core.api.factories import RefinerFactory
from metaflow_core.api.parsing import ParserBinding, ParserFault, ParserRuntime, RuntimeKind
from metaflow_core.api.refining import Refinable, Refined, Refiner
from metaflow_core.api.wire.batch import BatchBuilder
from metaflow_core.api.wire.records import RecordBuilder, read_records
from metaflow_core.config.components import PluginView
from metaflow_core.config.loaded import ComponentConfig
from metaflow_core.errors import MetaFlowError, ParseError, UnavailableError
from metaflow_core.pipeline.bindings import loaders_of

__all__ = ["ArtifactRefiner", "RefinedRuntime", "Refining", "refined", "with_bodies"]

_BODY, _MEDIA_TYPE = "1024", "1025"
_BODY_OPTION = "body_bytes"
_FAULTS_IN_A_ROW = 8
_FIXED = frozenset({"segment_index", "type", "stream_offset", "time_ns", "end_time_ns", "length", "attributes"})


def with_bodies(parser: ComponentConfig, refiners: Sequence[ComponentConfig]) -> ComponentConfig:
    """The parser with as many bytes of bodies as its refiners need, where its configuration says nothing else."""
    wanted = max((factory.body_bytes for _, factory in _fitting(parser, refiners)), default=0)
    config: Any = parser.config
    if not wanted or getattr(config, _BODY_OPTION, None) != 0:
        return parser
    return replace(parser, config=config.model_copy(update={_BODY_OPTION: wanted}))


def _fitting(
    parser: ComponentConfig, refiners: Sequence[ComponentConfig]
) -> list[tuple[ComponentConfig, RefinerFactory]]:
    """The refiners of this parser."""
    return [
        (each, each.factory)
        for each in refiners
        if isinstance(each.factory, RefinerFactory) and parser.id.type in each.factory.refines
    ]


def refined(
    bound: ParserBinding,
    parser: ComponentConfig,
    refiners: Sequence[ComponentConfig],
    host: PluginView,
    counters_of: Callable[[str], Counters],
) -> ParserBinding:
    """The binding with its refiners around it; as it was when none of them refines this parser.

    :raises UnavailableError: a refiner's artifact cannot be loaded.
    """
    makers = [
        (str(each.id), _maker(each, factory, host), factory.bodiless) for each, factory in _fitting(parser, refiners)
    ]
    if not makers:
        return bound
    inner = bound.create

    def create() -> ParserRuntime:
        made = [Refining(name, make(), counters_of(name), bodiless) for name, make, bodiless in makers]
        return RefinedRuntime(inner(), made)

    return replace(bound, create=create, runtime=RuntimeKind.PYTHON)


def _maker(component: ComponentConfig, factory: RefinerFactory, host: PluginView) -> Callable[[], Refiner]:
    loaders = loaders_of(host)
    wanted = RuntimeKind(getattr(component.config, "runtime", RuntimeKind.AUTO))
    usable = [kind for kind in factory.runtimes() if kind is RuntimeKind.PYTHON or kind in loaders]
    kind = next((each for each in usable if wanted in (RuntimeKind.AUTO, each)), None)
    if kind is None:
        there = ", ".join(usable) or "none"
        raise UnavailableError(f"{component.path}: has no runtime {wanted} that can be used here; there is: {there}")
    if kind is RuntimeKind.PYTHON:
        make = factory.create
        assert make is not None
        return lambda: make(component.config)
    artifact = factory.native if kind is RuntimeKind.NATIVE else factory.wasm
    assert artifact is not None
    options = {str(key): str(value) for key, value in factory.options(component.config).items()}
    try:
        create = loaders[kind].load(artifact, options, factory.limits)
    except MetaFlowError as error:
        raise UnavailableError(f"{component.path}: {error}") from error
    return lambda: ArtifactRefiner(create())


class ArtifactRefiner:
    """A module of the parser ABI as a refiner.

    Each message is a segment (client to server for requests) with a session of its own. Its payload is text: the type and resource of a
    request, or the code of a response, a line end, ``content-type: ...``, an empty line, and the first bytes of the body. A record
    says what to change of the message that its segment holds.
    """

    def __init__(self, runtime: ParserRuntime) -> None:
        self._runtime = runtime

    def refine(self, messages: Sequence[Refinable]) -> list[Refined | None]:
        """See :class:`metaflow_core.api.Refiner`."""
        batch = BatchBuilder()
        for index, each in enumerate(messages):
            head = f"{each.type} {each.resource}" if each.is_request else str(each.code or 0)
            text = f"{head}\ncontent-type: {each.media_type}\n\n{each.body}"
            direction = abi.DIRECTION_C2S if each.is_request else abi.DIRECTION_S2C
            batch.data(text.encode("utf-8", "replace"), session_id=index + 1, direction=direction, stream_offset=0)
        found: list[Refined | None] = [None] * len(messages)
        result = self._runtime.parse(memoryview(batch.finish()))
        for record in read_records(bytes(result), len(messages)):
            found[record["segment_index"]] = record
        return found

    def restart(self) -> None:
        """Begin anew, after a fault."""
        self._runtime.restart()

    def close(self) -> None:
        """Free the module."""
        self._runtime.close()


@dataclass(eq=False)
class Refining:
    """A refiner at work, and how often in a row it failed.

    :ivar bodiless: it also sees messages of which no body is there.
    """

    name: str
    refiner: Refiner
    counters: Counters
    bodiless: bool = False
    faults: int = 0

    def free(self) -> None:
        """Free the module of an artifact."""
        if isinstance(self.refiner, ArtifactRefiner):
            self.refiner.close()


class RefinedRuntime:
    """See :class:`metaflow_core.api.ParserRuntime`."""

    def __init__(self, inner: ParserRuntime, refiners: Sequence[Refining]) -> None:
        self._inner = inner
        self._refiners = list(refiners)

    def check(self, batch: memoryview) -> bytes | memoryview:
        """As the parser does."""
        return self._inner.check(batch)

    def parse(self, batch: memoryview) -> bytes | memoryview:
        """As the parser does, with what its refiners change.

        :raises ParserFault: the parser lost the batch.
        """
        result = self._inner.parse(batch)
        try:
            records = read_records(result)
        except ParseError as error:
            raise ParserFault(f"the result cannot be read: {error}") from error
        # Every refiner sees what the parser told, not what others made of it.
        shown = [(each, _refinable(each)) for each in records if any(_is_for(one, each) for one in self._refiners)]
        for refining in tuple(self._refiners):
            chosen = [(record, message) for record, message in shown if _is_for(refining, record)]
            if chosen:
                self._refine(refining, chosen)
        out = RecordBuilder()
        for record in records:
            out.add(record)
        return out.finish()

    def _refine(self, refining: Refining, chosen: Sequence[tuple[dict[str, Any], Refinable]]) -> None:
        messages = [message for _, message in chosen]
        try:
            found = list(refining.refiner.refine(messages))
            if len(found) != len(messages):
                raise ValueError(f"refine() answered for {len(found)} of {len(messages)} messages")
        except Exception as error:  # noqa: BLE001 - the fence around foreign code
            self._fault(refining, error)
            return
        refining.faults = 0
        for (record, _), change in zip(chosen, found, strict=True):
            if change:
                _apply(record, change)
        refining.counters.add("refined", sum(1 for each in found if each), unit="messages")

    def _fault(self, refining: Refining, error: Exception) -> None:
        refining.counters.add("dropped", reason="fault", unit="batches")
        refining.faults += 1
        if refining.faults < _FAULTS_IN_A_ROW:
            if isinstance(refining.refiner, ArtifactRefiner):
                refining.refiner.restart()
            return
        self._refiners.remove(refining)
        refining.free()
        refining.counters.add("quarantined", reason="faults", unit="refiners")
        logging.getLogger(f"metaflow.refiner.{refining.name}").warning(
            "left out after %d faults in a row, the last one: %s: %s", _FAULTS_IN_A_ROW, type(error).__name__, error
        )

    def restart(self) -> None:
        """Forget every session."""
        self._inner.restart()

    def close(self) -> None:
        """Free everything."""
        for refining in self._refiners:
            refining.free()
        self._inner.close()


def _is_for(refining: Refining, record: Mapping[str, Any]) -> bool:
    if _BODY in record:
        return True
    return refining.bodiless and record["type"] in (abi.RECORD_TYPE_REQUEST, abi.RECORD_TYPE_RESPONSE)


def _refinable(record: Mapping[str, Any]) -> Refinable:
    return Refinable(
        is_request=record["type"] == abi.RECORD_TYPE_REQUEST,
        type=record.get("request_type") or "",
        resource=record.get("request_resource") or "",
        code=record.get("code"),
        media_type=(record.get(_MEDIA_TYPE) or "").lower(),
        body=record.get(_BODY) or "",
        domain=record.get("request_domain") or "",
        attributes=dict(record.get("attributes") or {}),
    )


def _apply(record: dict[str, Any], change: Mapping[str, Any]) -> None:
    record.update({name: value for name, value in change.items() if name not in _FIXED and value is not None})
    added = change.get("attributes")
    if added:
        record["attributes"] = {**(record.get("attributes") or {}), **added}
