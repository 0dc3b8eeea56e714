"""The page at ``/``: every path that can be asked here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from starlette.responses import HTMLResponse

__all__ = ["routes_page"]

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>MetaFlow</title><style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:50rem;padding:0 1rem}
td{padding:.2rem 1rem .2rem 0;vertical-align:top}code,pre{font-family:ui-monospace,monospace}pre{background:#8881;padding:.7rem;overflow:auto}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8cf}}</style><h1>MetaFlow</h1>"""


def routes_page(rows: Iterable[tuple[str, str, str]], base: str) -> HTMLResponse:
    """:param rows: method, path, summary. :param base: the address of this server, for the example."""
    cells = []
    for method, path, summary in rows:
        place = f'<a href="{escape(path)}">{escape(path)}</a>' if method == "GET" else escape(path)
        cells.append(f"<tr><td><code>{escape(method)}</code><td><code>{place}</code><td>{escape(summary)}")
    question = "SELECT l7_protocol, Count(row) FROM l7_flow_log GROUP BY l7_protocol"
    example = f"curl {base}/v1/query -d 'sql={question}'"
    text = f"{_HEAD}<table>{''.join(cells)}</table><pre>{escape(example)}</pre>"
    return HTMLResponse(
        text,
        headers={
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
            "x-content-type-options": "nosniff",
        },
    )
