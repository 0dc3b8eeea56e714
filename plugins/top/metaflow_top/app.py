"""The screen: five views of one instance, asked again every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static

from metaflow_core.errors import MetaFlowError
from metaflow_top.clockwork import shown
from metaflow_top.server import Server
from metaflow_top.views import VIEWS, Line, View

__all__ = ["TopApp"]

_SPANS = (10, 30, 60, 300, 900, 3600)


class TopApp(App[None]):
    """Shows an instance until it is left.

    :param where: a condition in SQL for requests and flows; empty for none. :param seconds: of the time shown at first.
    :param every_s: how often the instance is asked.
    """

    CSS = """
    #tabs { height: 1; background: $panel; }
    #state { height: 1; color: $text-muted; }
    DataTable { height: 1fr; }
    #filter { display: none; height: 3; }
    #filter.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(index + 1), f"view({index})", view.name) for index, view in enumerate(VIEWS)),
        Binding("s", "sort(1)", "sort"),
        Binding("S", "sort(-1)", "sort back", show=False),
        Binding("r", "reverse", "reverse"),
        Binding("slash", "filter", "filter"),
        Binding("p", "pause", "pause"),
        Binding("plus,equals_sign", "span(1)", "longer", show=False),
        Binding("minus", "span(-1)", "shorter", show=False),
        Binding("escape", "clear", "clear", show=False),
        Binding("q", "quit", "quit"),
    ]
    ENABLE_COMMAND_PALETTE = False
    TITLE = "mflow top"

    def __init__(self, server: Server, *, where: str = "", seconds: int = 60, every_s: float = 2.0) -> None:
        super().__init__()
        self._server = server
        self._where = where
        self._every_s = every_s
        self._spans = sorted({*_SPANS, seconds})
        self._span_at = self._spans.index(seconds)
        self._view_at = 0
        self._sorts = {view.name: (view.sort, True) for view in VIEWS}
        self._lines: Sequence[Line] = ()
        self._wanted = ""
        self._is_paused = False
        self._said = "asking…"
        self._failed = ""

    def compose(self) -> ComposeResult:
        """Tabs, a line of state, the table, the filter."""
        yield Static(id="tabs")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Static(id="state")
        yield Input(placeholder="show only rows with this text; Enter keeps it, Escape clears it", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        self._show()
        self.query_one(DataTable).focus()
        self.set_interval(self._every_s, self._tick)
        self._ask()

    @property
    def view(self) -> View:
        """The view that is shown."""
        return VIEWS[self._view_at]

    def _tick(self) -> None:
        if not self._is_paused:
            self._ask()

    @work(thread=True, exclusive=True, group="ask")
    def _ask(self) -> None:
        """Ask in a thread; an answer for a view that was left meanwhile is thrown away."""
        view = self.view
        try:
            time = shown(self._server, self._spans[self._span_at])
            lines = view.lines(self._server, time.span, self._where if view.name != "health" else "")
        except MetaFlowError as error:
            self.call_from_thread(self._take, view, None, str(error))
            return
        self.call_from_thread(self._take, view, lines, time.said)

    def _take(self, view: View, lines: Sequence[Line] | None, said: str) -> None:
        if view is not self.view:
            return
        self._failed = said if lines is None else ""
        if lines is not None:
            self._lines, self._said = lines, said
        self._show()

    def _chosen(self) -> list[Line]:
        at, is_down = self._sorts[self.view.name]
        wanted = self._wanted.casefold()
        kept = [line for line in self._lines if not wanted or any(wanted in cell.casefold() for cell in line.cells)]
        return sorted(kept, key=lambda line: line.keys[at], reverse=is_down)

    def _show(self) -> None:
        view = self.view
        at, is_down = self._sorts[view.name]
        tabs = Text(" ")
        for index, each in enumerate(VIEWS):
            tabs.append(f" {index + 1} {each.name} ", style="reverse" if each is view else "")
            tabs.append(" ")
        tabs.append(f" {self._server.url}", style="dim")
        self.query_one("#tabs", Static).update(tabs)
        table = self.query_one(DataTable)
        row = table.cursor_row
        table.clear(columns=True)
        for index, column in enumerate(view.columns):
            mark = ("▼" if is_down else "▲") if index == at else ""
            table.add_column(Text(f"{column.title}{mark}", justify="right" if column.right else "left"), key=str(index))
        lines = self._chosen()
        for line in lines:
            style = "red" if line.is_bad else ""
            cells = zip(line.cells, view.columns, strict=True)
            table.add_row(
                *(Text(cell, style=style, justify="right" if column.right else "left") for cell, column in cells)
            )
        if lines:
            table.move_cursor(row=min(row, len(lines) - 1))
        self.query_one("#state", Static).update(self._state(len(lines)))

    def _state(self, count: int) -> Text:
        if self._failed:
            return Text(self._failed, style="bold red")
        parts = [f"{count} of {len(self._lines)} rows", self._said]
        if self._where:
            parts.append(f"where {self._where}")
        if self._wanted:
            parts.append(f"with '{self._wanted}'")
        if self._is_paused:
            parts.append("PAUSED")
        if not self._lines and not self._is_paused:
            parts.append("nothing yet: 5 shows which stage is at zero, mflow doctor says what to do")
        return Text("  ·  ".join(parts))

    def action_view(self, at: int) -> None:
        """Show another view."""
        self._view_at = at
        self._lines, self._said = (), "asking…"
        self._show()
        self._ask()

    def action_sort(self, step: int) -> None:
        """Sort by the next column."""
        at, is_down = self._sorts[self.view.name]
        self._sorts[self.view.name] = ((at + step) % len(self.view.columns), is_down)
        self._show()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        at, is_down = self._sorts[self.view.name]
        self._sorts[self.view.name] = (at, not is_down)
        self._show()

    def action_pause(self) -> None:
        """Stop asking, or go on."""
        self._is_paused = not self._is_paused
        self._show()
        self._tick()

    def action_span(self, step: int) -> None:
        """Show a longer or a shorter time."""
        self._span_at = min(len(self._spans) - 1, max(0, self._span_at + step))
        self._ask()

    def action_filter(self) -> None:
        """Open the filter."""
        box = self.query_one("#filter", Input)
        box.add_class("open")
        box.focus()

    def action_clear(self) -> None:
        """Close and clear the filter."""
        box = self.query_one("#filter", Input)
        box.value = ""
        box.remove_class("open")
        self._wanted = ""
        self.query_one(DataTable).focus()
        self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._wanted = event.value
        self._show()

    def on_input_submitted(self) -> None:
        """Keep the filter and go back to the rows."""
        self.query_one("#filter", Input).remove_class("open")
        self.query_one(DataTable).focus()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click on a title sorts by it; a second one turns it round."""
        at, is_down = self._sorts[self.view.name]
        index = event.column_index
        self._sorts[self.view.name] = (index, not is_down if index == at else True)
        self._show()
