"""ClickHouse's native protocol over chDB, as much of it as clients need: ``python native_double.py DIR [PORT] [--revision N]
[--password P] [--certificate PEM]``; prints its port.

A double of a server, for no server is to be had here that knows today's types: the parser, the engine and the functions are the real ones,
and so is every block, which chDB reads and writes; the packets around them are this file. Where a block ends is found by clickhouse-driver's own reader.
"""

from __future__ import annotations

import argparse
import os
import re
import select
import socket
import socketserver
import ssl
import struct
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import chdb
from clickhouse_driver.bufferedreader import CompressedBufferedReader
from clickhouse_driver.compression import get_compressor_cls
from clickhouse_driver.connection import ServerInfo
from clickhouse_driver.context import Context
from clickhouse_driver.reader import read_binary_str, read_binary_uint8, read_binary_uint64, read_binary_uint128
from clickhouse_driver.streams.native import BlockInputStream
from clickhouse_driver.varint import read_varint

CLIENT_INFO_TIME, DEPTH, TRACES, SECRET, TEXT_SETTINGS, WRITTEN = 54449, 54448, 54442, 54441, 54429, 54420
HELLO, QUERY, DATA, CANCEL, PING, TABLES = range(6)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def text(value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(len(data)) + data


class Recorded:
    """What comes from a source, and the bytes of it since a mark."""

    def __init__(self, more: Any) -> None:
        self._more = more
        self._kept = bytearray()
        self.reader = CompressedBufferedReader(self._next, 1 << 16)

    def _next(self) -> bytes:
        data = self._more()
        if not data:
            raise EOFError
        self._kept += data
        return data

    @property
    def waits(self) -> bool:
        """Whether something was received and not read yet."""
        return bool(self.reader.position < self.reader.current_buffer_size)

    def mark(self) -> None:
        """Forget what was read."""
        left = self.reader.current_buffer_size - self.reader.position
        del self._kept[: len(self._kept) - left]

    def since(self) -> bytes:
        """What was read since the mark."""
        return bytes(self._kept[: len(self._kept) - (self.reader.current_buffer_size - self.reader.position)])


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    server: Server

    def handle(self) -> None:
        options = self.server.options
        if options.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.certificate)
            try:
                self.request = context.wrap_socket(self.request, server_side=True)
            except (ssl.SSLError, OSError):
                return
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plain = Recorded(lambda: self.request.recv(1 << 16))
        self.session = chdb.connect(options.path)
        try:
            self._hello()
            while True:
                packet = read_varint(self.plain.reader)
                if packet == PING:
                    self._send(varint(4))
                elif packet == QUERY:
                    self._query()
                elif packet == TABLES:
                    self._tables()
                elif packet == CANCEL:
                    continue
                else:
                    self._fail(f"Code: 99. DB::Exception: unknown packet {packet}")
                    return
        except (EOFError, OSError):
            return
        finally:
            self.session.close()

    def _send(self, data: bytes) -> None:
        self.request.sendall(data)

    def _hello(self) -> None:
        fin, options = self.plain.reader, self.server.options
        if read_varint(fin) != HELLO:
            raise EOFError
        read_binary_str(fin)
        read_varint(fin), read_varint(fin)
        self.revision = min(read_varint(fin), options.revision)
        database, user, password = (read_binary_str(fin) for _ in range(3))
        if password != options.password:
            self._fail(f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect")
            raise EOFError
        self.session.query(f"USE `{database or 'default'}`")
        self.context = Context()
        self.context.server_info = ServerInfo("", 1, 1, 1, self.revision, "UTC", "", self.revision)
        self.context.client_settings = {
            "use_numpy": False,
            "strings_as_bytes": True,
            "namedtuple_as_json": False,
            "server_side_params": False,
        }
        self.context.settings = {}
        name = text("ClickHouse") + varint(24) + varint(1) + varint(options.revision)
        zone = self.session.query("SELECT timezone()", "TSVRaw").bytes().decode().strip()
        self._send(varint(0) + name + text(zone) + text("double") + varint(1))

    def _query(self) -> None:
        fin = self.plain.reader
        query_id = read_binary_str(fin)
        self._client_info()
        settings = {}
        while name := read_binary_str(fin):
            assert self.revision >= TEXT_SETTINGS
            read_binary_uint8(fin)
            settings[name] = read_binary_str(fin)
        if self.revision >= SECRET:
            read_binary_str(fin)
        self.stage = read_varint(fin)
        self.compressed = bool(read_varint(fin))
        sql = read_binary_str(fin)
        self.blocks_in = Recorded(self._frame) if self.compressed else self.plain
        for _ in self._blocks():
            pass
        try:
            if re.match(r"(?is)\s*insert\s.*\svalues\s*$", sql):
                self._insert(sql, settings)
            else:
                self._answer(sql, settings, query_id)
        except (RuntimeError, ValueError) as error:
            self._fail(str(error))
        else:
            self._send(varint(5))

    def _client_info(self) -> None:
        fin, revision = self.plain.reader, self.revision
        if not read_binary_uint8(fin):
            return
        for _ in range(3):
            read_binary_str(fin)
        if revision >= CLIENT_INFO_TIME:
            read_binary_uint64(fin)
        read_binary_uint8(fin)
        for _ in range(3):
            read_binary_str(fin)
        for _ in range(3):
            read_varint(fin)
        read_binary_str(fin)
        if revision >= DEPTH:
            read_varint(fin)
        read_varint(fin)
        if revision >= TRACES and read_binary_uint8(fin):
            read_binary_uint128(fin), read_binary_uint64(fin), read_binary_str(fin), read_binary_uint8(fin)

    def _tables(self) -> None:
        fin = self.plain.reader
        names = [(read_binary_str(fin), read_binary_str(fin)) for _ in range(read_varint(fin))]
        self._send(varint(9) + varint(len(names)) + b"".join(text(a) + text(b) + b"\0" for a, b in names))

    def _frame(self) -> bytes:
        """The content of one compressed frame."""
        from clickhouse_driver.compression import get_decompressor_cls

        fin = self.plain.reader
        digest, method = read_binary_uint128(fin), read_binary_uint8(fin)
        return bytes(get_decompressor_cls(method)(fin).get_decompressed_data(method, digest, 1))

    def _blocks(self) -> Iterator[bytes]:
        """Blocks that the client sends, as they are, until the empty one."""
        while True:
            if read_varint(self.plain.reader) != DATA:
                raise EOFError
            read_binary_str(self.plain.reader)
            source = self.blocks_in
            fields = BlockInfoReader(source.reader)
            fields.read()
            source.mark()
            block = BlockInputStream(source.reader, self.context)
            count = self._skip(block, source)
            if not count:
                return
            yield source.since()

    def _skip(self, block: BlockInputStream, source: Recorded) -> int:
        from clickhouse_driver.columns.service import read_column

        columns, rows = read_varint(source.reader), read_varint(source.reader)
        for _ in range(columns):
            read_binary_str(source.reader)
            type_ = read_binary_str(source.reader)
            if rows:
                read_column(self.context, type_, rows, source.reader)
        return rows

    def _insert(self, sql: str, settings: dict[str, str]) -> None:
        found = re.match(r"(?is)\s*(insert\s+into\s+(\S+)\s*(?:\((.*?)\))?)\s*values\s*$", sql)
        assert found is not None
        self._send_block(self._header(f"SELECT {found.group(3) or '*'} FROM {found.group(2)}"))
        with tempfile.NamedTemporaryFile() as file:
            for block in self._blocks():
                file.write(block)
            file.flush()
            self.session.query(f"{found.group(1)} FROM INFILE '{file.name}'{clause(settings)} FORMAT Native", "CSV")

    def _answer(self, sql: str, settings: dict[str, str], query_id: str) -> None:
        ended = threading.Event()
        told = {**settings, "log_comment": query_id} if query_id else settings
        watcher = threading.Thread(target=self._watch, args=(query_id, ended))
        if query_id:
            watcher.start()
        try:
            if re.match(r"(?is)\s*(select|with)\b", sql):
                stated = sql if re.search(r"(?is)\bsettings\s+\w+\s*=", sql) else sql + clause(told)
                # Before the stream: another statement of the session would end it.
                self._send_block(self._header(sql))
                for part in self.session.send_query(stated, "Native"):
                    self._send_block(bytes(part.bytes()))
                    self._send(varint(3) + varint(1) * (5 if self.revision >= WRITTEN else 3))
                self._send(varint(6) + varint(1) * 3 + b"\0" + varint(0) + b"\0")
            else:
                result = self.session.query(sql, "Native")
                data = bytes(result.bytes() or b"") if result is not None else b""
                if data:
                    self._send_block(data)
        finally:
            ended.set()
            if query_id:
                watcher.join()

    def _watch(self, query_id: str, ended: threading.Event) -> None:
        """While a query runs, look for the packet that cancels it."""
        session = None
        while not ended.wait(0.02):
            if self.plain.waits or not select.select([self.request], [], [], 0)[0]:
                continue
            if self.request.recv(1, socket.MSG_PEEK) == varint(CANCEL):
                session = session or chdb.connect(self.server.options.path)
                session.query(f"KILL QUERY WHERE Settings['log_comment'] = '{query_id}' ASYNC")

    def _header(self, sql: str) -> bytes:
        rows = (
            self.session.query(f"DESCRIBE ({sql}) SETTINGS print_pretty_type_names = 0", "TSVRaw")
            .bytes()
            .decode()
            .splitlines()
        )
        columns = [row.split("\t")[:2] for row in rows]
        return varint(len(columns)) + varint(0) + b"".join(text(name) + text(type_) for name, type_ in columns)

    def _send_block(self, data: bytes) -> None:
        body = varint(1) + b"\0" + varint(2) + struct.pack("<i", -1) + varint(0) + data
        if self.compressed:
            from clickhouse_driver.streams.compressed import CompressedBlockOutputStream

            out = Collected()
            stream = CompressedBlockOutputStream(get_compressor_cls("lz4"), 1 << 20, out, self.context)
            stream.fout.write(body)
            stream.finalize()
            body = bytes(out.data)
        self._send(varint(1) + text("") + body)

    def _fail(self, message: str) -> None:
        code = re.search(r"Code: (\d+)", message)
        number = int(code.group(1)) if code else 1000
        body = re.sub(r"^Code: \d+\. ", "", message)
        self._send(
            varint(2) + struct.pack("<i", number) + text("DB::Exception") + text(body) + text("0. somewhere") + b"\0"
        )


class BlockInfoReader:
    """The fields before a block."""

    def __init__(self, fin: Any) -> None:
        self._fin = fin

    def read(self) -> None:
        while field := read_varint(self._fin):
            self._fin.read(1 if field == 1 else 4)


class Collected:
    """A writer into memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def flush(self) -> None:
        pass


def clause(settings: dict[str, str]) -> str:
    shown = (
        f"{key} = {value}" if re.fullmatch(r"-?[0-9.]+", value) else f"{key} = '{value}'"
        for key, value in settings.items()
    )
    return f" SETTINGS {', '.join(shown)}" if settings else ""


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.root = chdb.connect(options.path)
        super().__init__(("127.0.0.1", options.port), Handler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--revision", type=int, default=54450)
    parser.add_argument("--password", default="")
    parser.add_argument("--certificate", default="")
    server = Server(parser.parse_args())
    os.write(1, f"{server.server_address[1]}\n".encode())
    server.serve_forever()
