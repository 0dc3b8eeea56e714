"""The prompt: questions typed one after the other, with history and completion."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from metaflow_core.api import QueryResult
from metaflow_core.errors import MetaFlowError
from metaflow_core.model.catalog import Catalog
from metaflow_querier.client.completion import suggestions, word_before

__all__ = ["CatalogCompleter", "prompt"]

_HELP = "SHOW TABLES; SHOW TAGS FROM l7_flow_log; SHOW METRICS FROM network; SHOW METRICS FUNCTIONS; EXPLAIN SELECT ...; exit"
_END = frozenset({"exit", "quit", "\\q", "exit;", "quit;"})


class CatalogCompleter(Completer):
    """Completion from the catalogue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What may stand at the cursor."""
        before = document.text_before_cursor
        start = -len(word_before(before))
        for text, what in suggestions(before, document.text, self._catalog):
            yield Completion(text, start_position=start, display_meta=what[:60])


def _history() -> History:
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "metaflow"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "query_history"
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def prompt(catalog: Catalog, ask: Callable[[str], QueryResult], show: Callable[[QueryResult], None]) -> None:
    """Asks until Ctrl-D, ``exit`` or ``quit``. A question that fails is told and the next one taken."""
    session: PromptSession[str] = PromptSession(
        "mflow> ",
        history=_history(),
        completer=CatalogCompleter(catalog),
        complete_while_typing=False,
        enable_history_search=True,
    )
    print(f"Questions end with Enter; Tab completes, Ctrl-D ends. {_HELP}", file=sys.stderr)
    while True:
        try:
            text = session.prompt().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.lower() in _END:
            return
        if text.lower() in ("help", "?", "\\h"):
            print(_HELP)
        elif text:
            _one(text, ask, show)


def _one(text: str, ask: Callable[[str], QueryResult], show: Callable[[QueryResult], None]) -> None:
    begun = time.monotonic()
    try:
        result = ask(text)
    except MetaFlowError as error:
        column = getattr(error, "column", None)
        if isinstance(column, int):
            print(" " * (len("mflow> ") + column - 1) + "^", file=sys.stderr)
        print(f"mflow: {error}", file=sys.stderr)
        return
    except KeyboardInterrupt:
        print("mflow: stopped.", file=sys.stderr)
        return
    show(result)
    print(f"{result.table.num_rows} rows, {time.monotonic() - begun:.3f} s", file=sys.stderr)
