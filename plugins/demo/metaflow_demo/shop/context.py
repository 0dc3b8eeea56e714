"""What a call says about where it belongs: as much as a real shop of many hands says, which is not everything everywhere.

The customers' app is instrumented for orders and sends ``traceparent``; the gateway gives every call an ``X-Request-ID``; services pass
both on and write them into comments of their SQL. Redis and DNS have no room for either: only the thread tells whom they belong to.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

__all__ = ["PARENT", "REQUEST_ID", "begun", "comment", "onwards", "passed_on"]

PARENT, REQUEST_ID = "traceparent", "x-request-id"
_PARTS = 4


def begun() -> dict[str, str]:
    """The headers of an instrumented client that begins a trace (W3C Trace Context)."""
    return {PARENT: f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"}


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """What a proxy passes on: the headers as they came."""
    return {name: headers[name] for name in (PARENT, REQUEST_ID) if headers.get(name)}


def onwards(headers: Mapping[str, str]) -> dict[str, str]:
    """What a service sends on: the same trace with a span of its own, the same request id."""
    found = passed_on(headers)
    parts = found.get(PARENT, "").split("-")
    if len(parts) == _PARTS:
        found[PARENT] = "-".join((parts[0], parts[1], secrets.token_hex(8), parts[3]))
    return found


def comment(headers: Mapping[str, str]) -> str:
    """The same behind a statement (sqlcommenter); empty when nothing is known."""
    pairs = ",".join(f"{name.replace('-', '_')}='{value}'" for name, value in sorted(onwards(headers).items()))
    # what customers send must not end the comment
    return f" /*{pairs}*/" if pairs and not set(pairs) & set("/*\\;") else ""
