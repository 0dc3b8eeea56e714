"""The report of ``mflow read --format html``: complete, harmless, and opened by a real browser without a network."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.cli.root import run_cli
from metaflow_core.report import Edge, Failure, Moment, Protocol, Service, Slow, Summary, Trouble
from metaflow_core.report import Path as TcpPath
from metaflow_core.report.html import page
from metaflow_core.report.html.graph import graph_of

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "tests" / "captures" / "shop.pcap"
EVIL = '<img src=x onerror="window.pwned=1">\'&\x1b[31m\u202e</td><script>window.pwned=2</script>'
BROWSER = Path(os.environ.get("METAFLOW_CHROMIUM", "/usr/bin/chromium"))


def hostile() -> Summary:
    return Summary(
        files=(EVIL,), start_ns=10**18, end_ns=10**18 + 10**9, packets=1, bytes=1, flows=1, requests=2, errors=1,
        services=(
            Service(address=EVIL, port=80, protocol=EVIL, name=EVIL, requests=2, errors=1, p50_us=1, p95_us=1, p99_us=1, max_us=1, clients=1),
        ),
        slowest=(Slow(time_ns=10**18, duration_us=5, protocol=EVIL, server=EVIL, request=EVIL, status=EVIL, flow_id=1),),
        failures=(Failure(count=1, protocol=EVIL, server=EVIL, request=EVIL, status=EVIL, what=EVIL, flow_id=1),),
        paths=(TcpPath(client=EVIL, server=EVIL, packets=1, retransmissions=1, out_of_order=0, zero_windows=0, rtt_us=1, failed=1),),
        troubles=(Trouble(close_type=EVIL, count=1),),
        protocols=(Protocol(protocol=EVIL, requests=1, responses=1),),
        unparsed_bytes=1, unparsed=((EVIL, 1),), dropped=((EVIL, EVIL, 1),), notes=(EVIL,),
        edges=(Edge(client=EVIL, address=EVIL, port=80, protocol=EVIL, requests=2, errors=1, average_us=1, max_us=1),),
        timeline=(Moment(time_ns=10**18, requests=2, errors=1),), step_ns=10**7,
    )  # fmt: skip


class Seen(html.parser.HTMLParser):
    """Elements and attributes, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(name for name, _ in attrs)


def test_the_report_of_the_shop_says_what_the_summary_says(tmp_path: Path, capfd: Any) -> None:
    out = tmp_path / "report.html"
    assert run_cli(["read", str(SHOP), "--out", str(out)]) == 0
    assert "Report written to" in capfd.readouterr().err
    text = out.read_text()
    for part in (
        "Who calls whom",
        "Requests over time",
        "Services",
        "Failed",
        "Slowest",
        "127.0.0.1:13306",
        "GET /broken/1",
    ):
        assert part in text
    assert "<script" not in text
    assert "http://" not in text.replace("http-equiv", "")
    assert "default-src &#x27;none&#x27;" in text
    assert run_cli(["read", str(SHOP), "--format", "html"]) == 0
    assert capfd.readouterr().out == text, "the same capture gives the same page"


def test_mistakes_are_said(tmp_path: Path, capfd: Any) -> None:
    assert run_cli(["read", str(SHOP), "--format", "html", "--table", "l7_flow_log"]) == 2
    assert "html is the form of the summary" in capfd.readouterr().err
    assert run_cli(["read", str(SHOP), "--format", "html", "--json"]) == 2
    assert run_cli(["read", str(SHOP), "--out", str(tmp_path / "no" / "report.html")]) == 1
    assert "cannot be written" in capfd.readouterr().err


def test_hostile_names_are_only_text() -> None:
    text = page(hostile(), version="1")
    seen = Seen()
    seen.feed(text)
    assert not {"img", "script", "iframe", "object", "a", "link"} & set(seen.tags)
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_nothing_at_all_is_a_page_too() -> None:
    empty = dataclasses.replace(
        hostile(), flows=0, services=(), slowest=(), failures=(), paths=(), troubles=(), unparsed=(), dropped=(), edges=(),
        timeline=(), requests=0, errors=0, start_ns=0,
    )  # fmt: skip
    assert "There are no flows" in page(empty)


def test_the_map_layers_chains_and_survives_circles() -> None:
    def edge(client: str, server: str, requests: int = 1) -> Edge:
        return Edge(
            client=client, address=server, port=80, protocol="HTTP", requests=requests, errors=0, average_us=1, max_us=1
        )

    graph = graph_of([edge("10.0.0.1", "10.0.0.2"), edge("10.0.0.2", "10.0.0.3"), edge("10.0.0.1", "10.0.0.3")], [])
    assert [graph.nodes[f"10.0.0.{n}"].layer for n in (1, 2, 3)] == [0, 1, 2]
    circle = graph_of([edge("10.0.0.1", "10.0.0.2"), edge("10.0.0.2", "10.0.0.1"), edge("10.0.0.2", "10.0.0.2")], [])
    assert len(circle.nodes) == 2
    many = graph_of([edge(f"10.0.{n // 250}.{n % 250}", "10.9.9.9", n + 1) for n in range(5000)], [], most=40)
    assert (len(many.nodes), many.left_out) == (40, 4961)
    long = graph_of(
        [edge(f"10.1.{n // 250}.{n % 250}", f"10.1.{(n + 1) // 250}.{(n + 1) % 250}") for n in range(3000)],
        [],
        most=4000,
    )
    assert max(node.layer for node in long.nodes.values()) == 3000


@pytest.mark.parametrize(("width", "theme"), [(1240, "light"), (600, "dark")])
def test_a_browser_opens_it_without_a_network(width: int, theme: str, tmp_path: Path) -> None:
    if not BROWSER.exists():
        pytest.skip(f"{BROWSER} is missing; run: apt-get install chromium")
    core = ROOT / "plugins" / "web" / "node_modules" / "playwright-core" / "index.mjs"
    node = shutil.which("node")
    if node is None or not core.exists():
        pytest.skip("node or playwright-core is missing; run: plugins/web/build.sh")
    evil = tmp_path / "evil.html"
    evil.write_text(page(hostile()), encoding="utf-8")
    good = tmp_path / "good.html"
    assert run_cli(["read", str(SHOP), "--out", str(good)]) == 0
    script = tmp_path / "look.mjs"
    script.write_text(LOOK.replace("CORE", core.as_uri()))
    pictures = Path(os.environ.get("METAFLOW_PICTURES", str(tmp_path)))
    for file in (good, evil):
        picture = pictures / f"report-{file.stem}-{width}-{theme}.png"
        command = [node, str(script), file.as_uri(), str(picture), str(width), theme, str(BROWSER)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        assert found["wrong"] == []
        assert (found["pwned"], found["wider"]) == (None, 0)
        assert picture.stat().st_size > 10_000


LOOK = """
import { chromium } from "CORE";
const [url, out, width, theme, path] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: path, args: ["--no-sandbox", "--disable-gpu"] });
const context = await browser.newContext({ viewport: { width: Number(width), height: 900 }, colorScheme: theme, offline: true });
const page = await context.newPage();
const wrong = [];
page.on("console", (message) => wrong.push(message.text()));
page.on("pageerror", (error) => wrong.push(String(error)));
page.on("request", (request) => request.url() !== url && wrong.push(request.url()));
page.on("dialog", (dialog) => (wrong.push("dialog"), dialog.dismiss()));
await page.goto(url);
await page.screenshot({ path: out, fullPage: true });
const pwned = await page.evaluate(() => window.pwned ?? null);
const wider = await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth));
console.log(JSON.stringify({ wrong, pwned, wider }));
await browser.close();
"""
