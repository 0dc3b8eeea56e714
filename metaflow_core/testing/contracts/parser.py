"""The contract of protocol parsers, on every runtime that a parser has."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from metaflow_core.api import Kind, ParserFactory, ParserFault, ParserRuntime, RuntimeKind
from metaflow_core.api.wire import BatchBuilder, Check, Record, Verdict, read_checks, read_records
from metaflow_core.testing.contracts.base import ComponentContract

__all__ = ["Dialogue", "ParserContract"]

Dialogue = Sequence[tuple[str, bytes]]
"""What was said: ``("c", bytes)`` by the client, ``("s", bytes)`` by the server, in the order of capture."""

_POSITIONAL = frozenset({"segment_index", "end_time_ns"})
_HINT = "passes"
"""What a parser need not be shown is a word to its host, no part of a message: no golden file depends on it."""
_SIDES = {"c": 0, "s": 1}


class ParserContract(ComponentContract):
    """Inherit and set ``factory`` and :attr:`dialogues`; set :attr:`look_alikes` to what must be refused.

    Every test runs on each runtime that is there (native, wasm, python); one that is not skips and says so.
    """

    factory: ParserFactory
    dialogues: Mapping[str, Dialogue] = {}
    look_alikes: Mapping[str, bytes] = {}
    seed = 20_240_229
    splits = 12

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One run for each runtime, and where it applies for each dialogue or look-alike."""
        if "runtime" in metafunc.fixturenames:
            kinds = [RuntimeKind.NATIVE, RuntimeKind.WASM, RuntimeKind.PYTHON]
            offered = [kind for kind in kinds if _offered(self.factory, kind)]
            metafunc.parametrize("runtime", offered or kinds, ids=str, indirect=True)
        if "dialogue" in metafunc.fixturenames:
            metafunc.parametrize("dialogue", list(self.dialogues.values()), ids=list(self.dialogues))
        if "look_alike" in metafunc.fixturenames:
            metafunc.parametrize("look_alike", list(self.look_alikes.values()), ids=list(self.look_alikes))

    @pytest.fixture
    def runtime(self, request: pytest.FixtureRequest) -> Iterator[Callable[[], ParserRuntime]]:
        """Makes instances of the parser on one runtime; they are closed when the test ends."""
        create = self.runtime_factory(request.param)
        made: list[ParserRuntime] = []

        def make() -> ParserRuntime:
            made.append(create())
            return made[-1]

        yield make
        for instance in made:
            instance.close()

    def runtime_factory(self, kind: RuntimeKind) -> Callable[[], ParserRuntime]:
        """How instances are made on a runtime; skips the test when that runtime is not here."""
        config = self.config()
        if kind is RuntimeKind.PYTHON:
            if self.factory.python is None:
                pytest.skip("the parser has no Python runtime")
            python = self.factory.python
            return lambda: python(config)
        path = self.factory.native if kind is RuntimeKind.NATIVE else self.factory.wasm
        if path is None or not path.exists():
            pytest.skip(f"the {kind} build of the parser is not there: {path}")
        loader = _loader(kind)
        if loader is None:
            pytest.skip(f"no installed plugin loads {kind} parsers")
        load: Callable[..., Callable[[], ParserRuntime]] = loader.load
        return load(path, self.factory.options(config), self.factory.limits)

    @pytest.fixture
    def component(self, tmp_path: Any) -> Any:
        """Parsers have no lifecycle of their own."""
        return object()

    # --- the contract ------------------------------------------------------------------------------------------------

    def test_confirms_what_is_its_own(self, runtime: Callable[[], ParserRuntime], dialogue: Dialogue) -> None:
        """Within the segments it may ask for, a dialogue of its protocol is recognised."""
        verdicts = [check.verdict for check in self._check(runtime(), dialogue)]
        wanted = {Verdict.REQUEST, Verdict.RESPONSE}
        asked = verdicts[: self.factory.description.max_check_segments]
        assert wanted & set(asked), f"not recognised; it said {[Verdict(item).name for item in asked]}"

    def test_refuses_look_alikes_with_a_reason(self, runtime: Callable[[], ParserRuntime], look_alike: bytes) -> None:
        """Bytes of another protocol are refused, and the refusal says why."""
        check = self._check(runtime(), [("c", look_alike)])[0]
        assert check.verdict == Verdict.NO, f"claimed it as {Verdict(check.verdict).name}"
        assert check.reason, "a refusal without a reason"

    def test_every_dialogue_gives_records(self, runtime: Callable[[], ParserRuntime], dialogue: Dialogue) -> None:
        """Something is found in each of the suite's dialogues."""
        assert self.parse(runtime(), dialogue)

    def test_any_split_gives_the_same_records(self, runtime: Callable[[], ParserRuntime], dialogue: Dialogue) -> None:
        """How the network cuts the stream does not show in the records."""
        if self.factory.description.transports == ("udp",):
            pytest.skip("datagrams are not split")
        whole = _essence(self.parse(runtime(), dialogue))
        rng = random.Random(self.seed)  # noqa: S311 - reproducible, not secret
        for number in range(self.splits):
            cut = [piece for turn in dialogue for piece in _split(turn, rng, 1 if number == 0 else 40)]
            assert _essence(self.parse(runtime(), cut)) == whole, f"split {number} (seed {self.seed}) differs"

    def test_batching_does_not_matter(self, runtime: Callable[[], ParserRuntime], dialogue: Dialogue) -> None:
        """One batch, or a batch for each segment: the same records."""
        one, many = runtime(), runtime()
        together = _essence(self.parse(one, dialogue))
        apart: list[Record] = []
        offsets = [0, 0]
        for side, data in dialogue:
            apart.extend(self._parse_one(many, side, data, offsets))
        # the end of the session too: some messages are only known by it
        end = BatchBuilder()
        end.close(session_id=1, timestamp_ns=len(dialogue))
        apart.extend(self._run(many, end))
        assert _essence(apart) == together

    def test_truncation_never_breaks(self, runtime: Callable[[], ParserRuntime], dialogue: Dialogue) -> None:
        """A dialogue that ends anywhere gives a well-formed result."""
        rng = random.Random(self.seed)  # noqa: S311
        for _ in range(self.splits):
            end = rng.randrange(len(dialogue))
            side, data = dialogue[end]
            self.parse(runtime(), [*dialogue[:end], (side, data[: rng.randrange(len(data) + 1)])])

    def test_garbage_never_breaks(self, runtime: Callable[[], ParserRuntime], dialogue: Dialogue) -> None:
        """Damaged bytes give a well-formed result, and the next session is read as if nothing had been."""
        rng = random.Random(self.seed)  # noqa: S311
        instance = runtime()
        for number in range(self.splits):
            damaged = [(side, _damage(data, rng)) for side, data in dialogue]
            self.parse(instance, damaged, session=100 + number)
        assert _essence(self.parse(instance, dialogue, session=7)) == _essence(
            self.parse(runtime(), dialogue, session=7)
        )

    def test_gap_never_breaks(self, runtime: Callable[[], ParserRuntime], dialogue: Dialogue) -> None:
        """Bytes that were lost give a well-formed result; what follows in a new session is read."""
        rng = random.Random(self.seed)  # noqa: S311
        instance = runtime()
        for number in range(self.splits):
            batch = BatchBuilder()
            lost = rng.randrange(len(dialogue))
            for at, (side, data) in enumerate(dialogue):
                if at == lost:
                    batch.gap(len(data), session_id=500 + number, direction=_SIDES[side], timestamp_ns=at)
                else:
                    self._add(batch, 500 + number, side, data)
            self._run(instance, batch)
        assert _essence(self.parse(instance, dialogue, session=7)) == _essence(
            self.parse(runtime(), dialogue, session=7)
        )

    # --- tools -------------------------------------------------------------------------------------------------------

    def parse(self, runtime: ParserRuntime, dialogue: Dialogue, *, session: int = 1) -> list[Record]:
        """Records of a whole dialogue in one batch, with the session closed at its end."""
        batch = BatchBuilder()
        for side, data in dialogue:
            self._add(batch, session, side, data)
        batch.close(session_id=session, timestamp_ns=len(dialogue))
        return self._run(runtime, batch)

    def _add(self, batch: BatchBuilder, session: int, side: str, data: bytes) -> None:
        ports = self.factory.description.ports
        transport = 17 if self.factory.description.transports[0] == "udp" else 6
        batch.data(
            data,
            session_id=session,
            direction=_SIDES[side],
            # the same for every piece of a turn's split, so that only the content can make a difference
            timestamp_ns=1_000_000_000,
            server_port=ports[0] if ports else 0,
            client_port=40_000,
            transport=transport,
        )

    def _run(self, runtime: ParserRuntime, batch: BatchBuilder) -> list[Record]:
        segments = len(batch)
        data = batch.finish()
        try:
            records = read_records(runtime.parse(memoryview(data)), segments)
        except ParserFault as fault:
            raise AssertionError(f"the parser lost a batch: {fault}") from fault
        for record in records:
            record.pop(_HINT, None)
        return records

    def _parse_one(self, runtime: ParserRuntime, side: str, data: bytes, offsets: list[int]) -> list[Record]:
        batch = BatchBuilder()
        ports = self.factory.description.ports
        batch.data(
            data,
            session_id=1,
            direction=_SIDES[side],
            timestamp_ns=1_000_000_000,
            stream_offset=offsets[_SIDES[side]],
            server_port=ports[0] if ports else 0,
            client_port=40_000,
            transport=17 if self.factory.description.transports[0] == "udp" else 6,
        )
        offsets[_SIDES[side]] += len(data)
        return self._run(runtime, batch)

    def _check(self, runtime: ParserRuntime, dialogue: Dialogue) -> list[Check]:
        batch = BatchBuilder()
        for side, data in dialogue:
            self._add(batch, 1, side, data)
        segments = len(batch)
        data = batch.finish()
        return read_checks(runtime.check(memoryview(data)), segments)


def _offered(factory: ParserFactory, kind: RuntimeKind) -> bool:
    return {
        RuntimeKind.NATIVE: factory.native is not None,
        RuntimeKind.WASM: factory.wasm is not None,
        RuntimeKind.PYTHON: factory.python is not None,
    }[kind]


def _loader(kind: RuntimeKind) -> Any:
    from metaflow_core.hooks.host import PluginHost

    host = PluginHost()
    host.load()
    loaders: Any = host.factories(Kind.LOADER).values()
    return next((loader for loader in loaders if loader.runtime is kind), None)


def _essence(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Records without what depends on where the segments were cut."""
    return [{key: value for key, value in record.items() if key not in _POSITIONAL} for record in records]


def _split(turn: tuple[str, bytes], rng: random.Random, largest: int) -> Iterator[tuple[str, bytes]]:
    side, data = turn
    at = 0
    while at < len(data):
        size = rng.randint(1, largest)
        yield side, data[at : at + size]
        at += size


def _damage(data: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if not damaged:
            break
        place = rng.randrange(len(damaged))
        action = rng.randrange(4)
        if action == 0:
            damaged[place] = rng.randrange(256)
        elif action == 1:
            del damaged[place : place + rng.randint(1, 16)]
        elif action == 2:
            damaged[place:place] = rng.randbytes(rng.randint(1, 16))
        else:
            damaged[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"))
    return bytes(damaged)
