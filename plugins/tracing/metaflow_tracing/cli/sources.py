"""Where a command's traces come from."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from metaflow_core.errors import MetaFlowError, QueryError, UnavailableError
from metaflow_tracing.answer.document import trace_document
from metaflow_tracing.answer.names import Vocabulary
from metaflow_tracing.assembly.assemble import assemble, assemble_all
from metaflow_tracing.gather.plans import TABLE, spellings
from metaflow_tracing.rules.load import load_rules
from metaflow_tracing.spans import Span, spans_of

__all__ = ["captured", "from_server", "list_from_server"]

_TIMEOUT_S = 60.0
_NOT_FOUND = 404


def from_server(url: str, token: str | None, name: str) -> dict[str, Any] | None:
    """A trace as a document; None when the server knows none.

    :raises UnavailableError: the server cannot be reached. :raises QueryError: it refuses.
    """
    return _ask(url, token, f"/v1/trace/{urllib.parse.quote(name, safe='')}", {})


def list_from_server(url: str, token: str | None, where: str | None, last_s: float, limit: int) -> list[dict[str, Any]]:
    """Summaries of traces, the latest first."""
    now = time.time()
    asked = {"where": where or "", "start": f"{now - last_s:.0f}", "end": f"{now + 1:.0f}", "limit": str(limit)}
    found = _ask(url, token, "/v1/trace", asked) or {}
    return list(found.get("traces", []))


def _ask(url: str, token: str | None, path: str, asked: dict[str, str]) -> dict[str, Any] | None:
    query = f"?{urllib.parse.urlencode(asked)}" if asked else ""
    if not url.startswith(("http://", "https://")):
        raise QueryError(f"{url!r} is no address of a server; write e.g. http://127.0.0.1:8088")
    request = urllib.request.Request(url.rstrip("/") + path + query, headers={"Accept": "application/json"})  # noqa: S310 - checked above
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked above
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        said = _said(error)
        if error.code == _NOT_FOUND and said.get("code") == "not-found" and "trace id" in said.get("message", ""):
            return None
        raise QueryError(said.get("message") or f"{url} refused {path} with status {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UnavailableError(
            f"{url} gives no answer ({reason}); is 'mflow up' or a server running there? With --file no server is needed"
        ) from None


def _said(error: urllib.error.HTTPError) -> dict[str, str]:
    try:
        body = json.loads(error.read())
    except ValueError:
        return {}
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def captured(
    files: Sequence[str], name: str | None, capture_filter: str | None, where: str | None
) -> list[dict[str, Any]]:
    """Traces of captures as documents, the earliest first. Each file is what one host saw, with a clock of its own.

    :raises MetaFlowError: a file cannot be read, or the condition is wrong.
    """
    import metaflow_core as mf

    spans: list[Span] = []
    chosen: set[str] | None = None
    words: Vocabulary | None = None
    for number, path in enumerate(files, start=1):
        capture = mf.read_pcap(path, filter=capture_filter)
        rows = capture.stream(TABLE)
        if where:
            chosen = chosen or set()
            chosen |= {span.row_id for span in _spans(rows.where(where), number)}
        spans += _spans(rows, number)
        for note in capture.notes:
            print(f"mflow: {path}: {note}", file=sys.stderr)
        words = words or Vocabulary.of(capture.catalog)
    if words is None:
        raise MetaFlowError("no capture was given")
    rules = load_rules()
    if name is not None:
        wanted = {*spellings(name), name}
        matching = [span for span in spans if span.row_id in wanted or wanted.intersection(span.trace_ids)]
        if not matching:
            return []
        return [trace_document(assemble(spans, rules, wanted=wanted), words)]
    traces = assemble_all(spans, rules)
    if chosen is not None:
        traces = [each for each in traces if any(node.span.row_id in chosen for node in each.nodes)]
    return [trace_document(each, words) for each in traces]


def _spans(rows: Any, number: int) -> list[Span]:
    """Rows of one file; they say nothing of the host, so the file stands for it."""
    return spans_of(rows.to_arrow(stored=True), agent_id=number)
