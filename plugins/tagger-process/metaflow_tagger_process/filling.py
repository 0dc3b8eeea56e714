"""Puts processes on rows: by their number where the row has it, else by the sockets of both ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metaflow_core.model.catalog import Column, Table
from metaflow_core.model.catalog.arrow import arrow_field, arrow_type
from metaflow_tagger_process.endpoints import Endpoints, Learned
from metaflow_tagger_process.lives import Lives
from metaflow_tagger_process.numbers import Numbers
from metaflow_tagger_process.processes import Process
from metaflow_tagger_process.rows import Rows

__all__ = ["fill"]

PROCESS, IP = 120, 255
BY_PROCESS = 64
SERVER_ROLE = 1


def fill(
    batch: pa.RecordBatch,
    table: Table,
    lives: Lives,
    endpoints: Endpoints | None,
    learned: Learned,
    numbers: Numbers,
    now_ns: int,
    *,
    auto_service: bool,
) -> tuple[pa.RecordBatch, int]:
    """The batch with more in it, and how many ends were given a process.

    :param endpoints: None where sockets are not looked at. :param now_ns: the time of rows that have none.
    """
    rows = Rows(table, dict(zip(batch.schema.names, batch.columns, strict=True)), batch.num_rows)
    ends = {"two": ("_0", "_1"), "one": ("",)}.get(table.ends, ())
    moments = rows.moments(now_ns)
    out: dict[str, pa.Array] = {}
    tagged = 0
    by_end = {end: _by_number(rows, end, lives, moments) for end in ends}
    texts: dict[str, list[bytes] | None] = {}
    if endpoints is not None:
        # first what the rows themselves say, so that the row of the other end in the same batch profits
        named = {end: [item is not None for item in found] for end, found in by_end.items()}
        for end in ends:
            _by_socket(rows, end, endpoints, learned, moments, by_end[end], named[end], texts)
        for end in ends:
            _by_socket(rows, end, endpoints, learned, moments, by_end[end], None, texts)
    for end, found in by_end.items():
        tagged += sum(1 for item in found if item is not None)
        _columns(rows, end, found, numbers, out, auto_service=auto_service)
    for name, array in out.items():
        column = table.column(name)
        index = batch.schema.get_field_index(name)
        batch = (
            batch.append_column(arrow_field(column), array)
            if index < 0
            else batch.set_column(index, batch.schema.field(index), array.cast(batch.schema.field(index).type))
        )
    return batch, tagged


def _by_number(rows: Rows, end: str, lives: Lives, moments: NDArray[np.int64]) -> list[Process | None]:
    pids = rows.numbers(f"process_id{end}", pa.int32()) if rows.column(f"process_id{end}") else None
    found: list[Process | None] = [None] * rows.count
    if pids is None or not pids.any():
        return found
    seconds, width = moments // 1_000_000_000, rows.width_ns()
    known: dict[tuple[int, int], Process | None] = {}
    for index in np.flatnonzero(pids):
        key = (int(pids[index]), int(seconds[index]))
        if key not in known:
            known[key] = lives.at(key[0], int(moments[index]), width)
        found[index] = known[key]
    return found


def _by_socket(
    rows: Rows,
    end: str,
    endpoints: Endpoints,
    learned: Learned,
    moments: NDArray[np.int64],
    found: list[Process | None],
    named: list[bool] | None,
    texts: dict[str, list[bytes] | None],
) -> None:
    """Look ends up, or with ``named`` learn those that rows named.

    :param texts: addresses by end, of those that were asked for before.
    """
    if not any(named) if named is not None else all(found):
        return
    near, protocol = _addresses(rows, end, texts), rows.numbers("protocol", pa.uint8())
    server_port = rows.numbers("server_port", pa.uint16())
    if near is None or protocol is None or server_port is None:
        return
    client_port = rows.numbers("client_port", pa.uint16())
    nobody = np.zeros(rows.count, np.uint16)
    role = rows.numbers("role", pa.int64()) if not end else None
    if end == "_0":
        if client_port is None:
            return
        near_port, far_port = client_port, server_port
    else:
        near_port, far_port = server_port, client_port if client_port is not None else nobody
    far = _addresses(rows, "_1" if end == "_0" else "_0", texts) if end else None
    keys = zip(
        protocol.tolist(),
        near,
        near_port.tolist(),
        far if far is not None else [b""] * rows.count,
        far_port.tolist(),
        strict=True,
    )
    width, times = rows.width_ns(), moments.tolist()
    if named is not None:
        for key, process, time, is_named in zip(keys, found, times, named, strict=True):
            if is_named and process is not None and key[2] and key[4]:
                learned.learn(key, process, time)
        return
    # a client's row has the server's port, which says nothing of the client
    is_open = [process is None for process in found]
    if role is not None:
        is_open = (np.array(is_open) & (role == SERVER_ROLE)).tolist()
    for index, (key, time) in enumerate(zip(keys, times, strict=True)):
        if is_open[index]:
            found[index] = learned.at(key, time) or endpoints.at(*key, time, width)


def _addresses(rows: Rows, end: str, texts: dict[str, list[bytes] | None]) -> list[bytes] | None:
    """The address of each row's end; None when the rows have none."""
    if end not in texts:
        found = rows.addresses(end)
        texts[end] = _texts(found) if found is not None else None
    return texts[end]


def _texts(addresses: tuple[NDArray[np.bool_], NDArray[np.uint32] | None, list[bytes] | None]) -> list[bytes]:
    of_four, numbers, six = addresses
    texts: list[bytes] = []
    if numbers is not None:
        # rows are of few addresses
        different, places = np.unique(numbers, return_inverse=True)
        raw = different.astype(">u4").tobytes()
        each = [raw[at : at + 4] for at in range(0, len(raw), 4)]
        texts = [each[place] for place in places.tolist()]
    if six is not None:
        texts = [texts[index] if is_four and texts else six[index] for index, is_four in enumerate(of_four)]
    return texts


def _columns(
    rows: Rows,
    end: str,
    found: Sequence[Process | None],
    numbers: Numbers,
    out: dict[str, pa.Array],
    *,
    auto_service: bool,
) -> None:
    kernel_names = rows.sent(f"process_kname{end}") if rows.column(f"process_kname{end}") else None
    said = kernel_names.cast(pa.utf8()).to_pylist() if kernel_names is not None else [None] * rows.count
    if not any(item is not None for item in found) and not any(said):
        return
    instances = _numbers(found, numbers.process)
    _put(rows, f"gprocess_id{end}", instances, out)
    _put(rows, f"process_id{end}", _numbers(found, lambda item: item.pid), out)
    _put_start(rows, end, found, out)
    column = rows.column(f"process_kname{end}")
    if column is not None:
        names = [name or (item.kernel_name if item else "") for name, item in zip(said, found, strict=True)]
        out[column.name] = pa.array(names, pa.utf8()).cast(arrow_type(column.type))
    if auto_service:
        # the name that the kernel gave is all that is left of a process that nobody saw alive
        services = np.fromiter(
            (
                numbers.service(item.name) if item else numbers.service(name) if name else 0
                for item, name in zip(found, said, strict=True)
            ),
            np.uint32,
            rows.count,
        )
        _pair(rows, f"auto_instance_id{end}", f"auto_instance_type{end}", instances, out)
        _pair(rows, f"auto_service_id{end}", f"auto_service_type{end}", services, out)
    source = rows.column(f"tag_source{end}")
    if source is not None:
        present = rows.numbers(source.name, arrow_type(source.type))
        bits = np.where(instances != 0, BY_PROCESS, 0).astype(np.uint8)
        out[source.name] = pa.array(bits if present is None else bits | present.astype(np.uint8))


def _numbers(found: Sequence[Process | None], number: Callable[[Process], int]) -> NDArray[np.uint32]:
    # rows are of few processes, and each is one object
    known = {id(item): 0 if item is None else number(item) for item in {id(item): item for item in found}.values()}
    return np.fromiter((known[id(item)] for item in found), np.uint32, len(found))


def _put(rows: Rows, name: str, values: NDArray[np.uint32], out: dict[str, pa.Array]) -> None:
    """Fill a column where nothing stands."""
    column = rows.column(name)
    if column is None or not values.any():
        return
    type_ = arrow_type(column.type)
    present = rows.numbers(name, type_)
    values_ = values.astype(type_.to_pandas_dtype())
    out[name] = pa.array(values_ if present is None else np.where(present == 0, values_, present), type_)


def _put_start(rows: Rows, end: str, found: Sequence[Process | None], out: dict[str, pa.Array]) -> None:
    column: Column | None = rows.column(f"process_start_time{end}")
    if column is None:
        return
    present = rows.numbers(column.name, pa.uint64())
    values = np.fromiter((item.start_ns // 1_000_000 if item else 0 for item in found), np.uint64, len(found))
    out[column.name] = pa.array(
        values if present is None else np.where(present == 0, values, present), arrow_type(column.type)
    )


def _pair(rows: Rows, number: str, kind: str, values: NDArray[np.uint32], out: dict[str, pa.Array]) -> None:
    """Number and kind go together; what is more than an address stays."""
    number_column, kind_column = rows.column(number), rows.column(kind)
    if number_column is None or kind_column is None or not values.any():
        return
    present, present_kind = rows.numbers(number, pa.uint32()), rows.numbers(kind, pa.uint8())
    free = values != 0
    if present is not None:
        free &= present == 0
    if present_kind is not None:
        free &= (present_kind == 0) | (present_kind == IP)
    zeros = np.zeros(rows.count, np.uint32)
    out[number] = pa.array(np.where(free, values, zeros if present is None else present).astype(np.uint32))
    out[kind] = pa.array(np.where(free, PROCESS, zeros if present_kind is None else present_kind).astype(np.uint8))
