"""Asks a registry over HTTP: bounded answers, no redirects (they would carry the token elsewhere), the next member where one fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3

from metaflow_tagger_registry.config import Endpoint

__all__ = ["Denied", "Failed", "Http"]

_MAX_REASON = 200


class Failed(Exception):
    """The registry could not be asked, or answered nonsense; ask again later."""


class Denied(Failed):
    """The rights do not allow it (401, 403)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """:ivar document: the JSON. :ivar headers: of the answer, without regard to case."""

    document: Any
    headers: Mapping[str, str]


class Http:
    """One registry, by the addresses of its members.

    :param timeout_s: for one answer. :param max_bytes: of one answer.
    """

    def __init__(self, urls: list[str], options: Endpoint, timeout_s: float, max_bytes: int) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._at = 0
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self.headers: dict[str, str] = {"Accept": "application/json"}
        self._pool = urllib3.PoolManager(
            maxsize=4,
            retries=False,
            cert_reqs="CERT_REQUIRED" if options.verify else "CERT_NONE",
            ca_certs=str(options.ca_file) if options.ca_file else None,
            cert_file=str(options.cert_file) if options.cert_file else None,
            key_file=str(options.key_file) if options.key_file else None,
            assert_hostname=None if options.verify else False,
        )

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def get(self, path: str, fields: Mapping[str, str] | None = None, *, wait_s: float = 0) -> Answer:
        """A GET; ``wait_s`` is how long the registry may hold the answer back.

        :raises Failed: no member could be asked, or the answer is no JSON.
        """
        return self._json("GET", path, {"fields": dict(fields or {})}, wait_s)

    def post(self, path: str, document: object) -> Answer:
        """A POST of JSON. :raises Failed: as of :meth:`get`."""
        return self._json("POST", path, {"json": document}, 0)

    def form(self, path: str, fields: Mapping[str, str]) -> Answer:
        """A POST of a form. :raises Failed: as of :meth:`get`."""
        return self._json("POST", path, {"fields": dict(fields), "encode_multipart": False}, 0)

    def first_line(self, path: str, document: object, wait_s: float, accept: int = 2) -> None:
        """POST, and wait until ``accept`` lines have been sent back, the stream ends, or ``wait_s`` are over; what they say is not read.

        :raises Failed: the registry refuses.
        """
        try:
            with self._open("POST", path, {"json": document}, wait_s) as response:
                for part in response.stream(4096):
                    accept -= part.count(b"\n")
                    if accept <= 0:
                        return
        except urllib3.exceptions.ReadTimeoutError:
            return
        except urllib3.exceptions.HTTPError as error:
            raise Failed(f"{self._urls[self._at]}{path}: {_short(error)}") from error

    def _json(self, method: str, path: str, body: dict[str, Any], wait_s: float) -> Answer:
        where = ""
        try:
            with self._open(method, path, body, wait_s) as response:
                where = f"{self._urls[self._at]}{path}"
                held = response.read(self._max_bytes + 1)
        except urllib3.exceptions.HTTPError as error:
            raise Failed(f"{where or path}: {_short(error)}") from error
        if len(held) > self._max_bytes:
            raise Failed(f"{where}: the answer is longer than {self._max_bytes} bytes (option max_answer_bytes)")
        try:
            return Answer(json.loads(held), response.headers)
        except (ValueError, RecursionError) as error:
            raise Failed(f"{where}: expected JSON, found {held[:40]!r}: {_short(error)}") from error

    @contextmanager
    def _open(self, method: str, path: str, body: dict[str, Any], wait_s: float) -> Iterator[urllib3.BaseHTTPResponse]:
        timeout = urllib3.Timeout(connect=self._timeout_s, read=self._timeout_s + wait_s)
        problem: Exception | None = None
        for _ in self._urls:
            url = self._urls[self._at]
            try:
                response = self._pool.request(
                    method,
                    url + path,
                    headers=self.headers,
                    timeout=timeout,
                    redirect=False,
                    preload_content=False,
                    **body,
                )
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                problem = Failed(f"{url}: {_short(error)}")
            else:
                try:
                    if response.status == 200:
                        yield response
                        return
                    detail = response.read(_MAX_REASON).decode("utf-8", "replace").strip()
                    kind = Denied if response.status in (401, 403) else Failed
                    problem = kind(f"{url}{path}: status {response.status} {response.reason} {detail}".strip())
                    if kind is Denied:
                        raise problem
                finally:
                    # not kept: what was not read to its end cannot carry another question
                    response.drain_conn() if response.status != 200 else response.close()
            self._at = (self._at + 1) % len(self._urls)
        raise problem or Failed("no address")


def _short(error: BaseException) -> str:
    text = str(error)
    # urllib3 puts its objects' addresses into sentences
    return text.rpartition(">: ")[2][:_MAX_REASON] or type(error).__name__
