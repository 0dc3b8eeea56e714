"""Every screen in a real browser against a real querier that was fed a real capture."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from web_browser import drive

MARKUP = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>'\""


def test_every_screen_at_two_widths_in_both_themes(running: Any) -> None:
    found = drive("drive.mjs", "screens", running.url)
    assert len(found) == 8 * 2 * 2
    says = {
        "overview": ("555", "136", "127.0.0.1:16379", "Redis", "WRONGTYPE", "What changed", "nothing to compare with"),
        "map": ("6 nodes, 5 edges", "127.0.0.1:13306", "MySQL"),
        "requests": ("136 rows", "GET /cart/1", "Server error"),
        "flows": ("29 flows", "finish", "UDP"),
        "trace": ("the latest 50", "GET /cart/", "Messages"),
        "explore": ("11 rows", "l7_flow_log"),
        "promql": ("5 series", "16379", "Over time"),
        "health": ("engine", "running", "memory", "691", "Doctor"),
    }
    for screen in found:
        where = f"{screen['name']} at {screen['width']} in {screen['theme']}"
        assert screen["wrong"] == [], where
        assert screen["problems"] == [], where
        assert screen["faults"] == [], where
        assert screen["wider"] <= 0, f"{where}: the page scrolls sideways"
        assert screen["title"].endswith("· MetaFlow"), where
        for text in says[screen["name"]]:
            assert text in screen["text"], f"{where}: {text!r} is not shown"
    light, dark = ({s["background"] for s in found if s["theme"] == theme} for theme in ("light", "dark"))
    assert not light & dark


def test_everything_is_reached_by_keyboard(running: Any) -> None:
    """Tab comes to every link, button and box of every screen, and shows where it is; tables and menus are walked by arrows."""
    found = drive("drive.mjs", "keyboard", running.url)
    assert found["wrong"] == []
    for screen in found["screens"]:
        assert screen["count"] > 10, screen["name"]
        assert screen["missed"] == [], screen["name"]
        assert screen["unseen"] == [], f"{screen['name']}: the focus cannot be seen"
    assert (found["first"], found["skipped"]) == ("To the content", "content")
    assert found["active"] == found["selected"] == "3", "the row under the cursor is told, and picked by Enter"
    assert found["menu"] == ["SQL", "curl", "Copy as…"], "a menu takes the focus, and gives it back"


def test_a_trace_and_its_evidence(running: Any) -> None:
    """List, waterfall, evidence and flame graph of what nginx handed on, linked by the request id that it gave."""
    found = drive("drive.mjs", "trace", running.url)
    assert [(each["width"], each["theme"]) for each in found] == [(1440, "light"), (800, "dark")]
    for each in found:
        where = f"at {each['width']} in {each['theme']}"
        assert each["wrong"] == [], where
        assert each["problems"] == [], where
        assert max(each["wider"]) <= 0, f"{where}: the page scrolls sideways"
        assert each["listed"] == 50
        assert each["cells"] == ["07:27:15.626", "127.0.0.1:18080", "GET /cart/1", "HTTP", "47.6 ms", "2", "2", "–"]
        assert "one tree" in each["figures"]
        nginx, shop = each["rows"]
        assert (nginx["level"], shop["level"]) == (1, 2)
        assert "127.0.0.1:18080 GET /cart/1" in nginx["text"]
        assert "cause not known" not in nginx["text"], "what it caused itself is not its missed cause"
        assert "127.0.0.1:18081 GET /cart/1 80 % sure" in shop["text"]
        # to scale: 4.24 ms of 47.6 ms
        assert shop["bar"] / nginx["bar"] == pytest.approx(4241 / 47621, rel=0.05)
        assert "47.6 ms" in each["services"]
        assert "Nothing is known to have caused it" in each["root"]
        for text in ("Caused by", "one request id, one inside", "x_request_id", "41711658e5bab1c0a0c52c8a0b3a53f2"):
            assert text in each["evidence"], f"{where}: {text!r} is not shown"
        assert "flow_id" in each["requests"]
        assert each["flame"] == 2
        assert each["shared"] == each["evidence"], "an address shows the same evidence to somebody else"


@pytest.fixture(scope="module")
def used(running: Any) -> Any:
    """What a person did, once for the tests that look at it."""
    return drive("drive.mjs", "use", running.url)


def test_what_a_person_does(used: Any) -> None:
    found = used
    assert found["wrong"] == []
    assert "/requests?" in found["afterService"]
    assert any("server_port" in chip for chip in found["chips"])
    assert found["back"] == "/"
    assert "Called by" in found["pickedNode"] or "Calls" in found["pickedNode"]
    assert found["edgeRequests"] > 0
    assert found["byAddress"] >= 2
    assert found["pickedRows"] == 1
    assert "INCRBY cart:1 1" in found["pickedText"]
    assert "INCRBY cart:1 1" in found["detail"], "the detail is that of the picked row"
    assert "response_duration" in found["detail"]
    assert "Why this protocol?" in found["detail"]
    assert found["sharedDetail"], "an address shows the same row to somebody else"
    assert found["flowRows"] == 1
    assert found["filtered"]
    assert set(found["filtered"]) == {"Server error"}
    assert "response_status = '" in found["curl"].replace("'\\''", "'")
    assert "HTTP" in found["answer"]
    assert "48" in found["answer"]
    assert "nonsense" in found["refusal"]
    assert "no screen" in found["nowhere"]
    assert found["keptTheme"] == "rgb(14, 18, 24)"


def test_following_promql_slider_and_doctor(running: Any) -> None:
    rows = [
        {
            "start_time": f"2026-11-21T07:27:{second:02}Z", "l7_protocol": "HTTP", "ip_0": "127.0.0.1", "ip_1": "127.0.0.1",
            "server_port": 18080, "request_type": "GET", "request_resource": f"/live/{second}", "endpoint": "/live/*",
            "response_status": "ok", "response_code": 200, "response_duration": 1500, "response_exception": "", "flow_id": 2**63 + second,
        }
        for second in range(20)
    ]  # fmt: skip
    running.front.tail = [
        ": following\n\n",
        *(f"data: {json.dumps({'rows': [row], 'skipped': 1})}\n\n" for row in rows),
    ]
    try:
        found = drive("drive.mjs", "follow", running.url)
    finally:
        running.front.tail = []
    assert found["wrong"] == []
    assert "tail=1" in found["address"]
    assert found["note"].startswith("20 rows · 20 more were not shown")
    assert "/live/19" in found["first"], "the newest is on top"
    assert "flow_metrics__application_map__request__1m" in found["suggested"]
    assert found["completed"] == "flow_metrics__application_map__request__1m"
    assert "query_range" in found["curl"]
    assert found["refusal"]
    assert (found["whole"], found["slice"]) == (5, "1")
    assert found["promql"].startswith("sum by (auto_service_0")
    assert "CAP_NET_RAW" in found["doctor"]


def test_what_is_copied_as_curl_can_be_run(used: Any) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is missing")
    command = used["curl"]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert len(json.loads(done.stdout)["result"]["values"]) == 30


def test_markup_in_names_is_shown_and_never_run(running: Any) -> None:
    hostile = json.dumps(MARKUP)[1:-1]
    changes = ("127.0.0.1", "/cart/1", "ok", "MySQL", "collector.pcap", "it has no more to collect", "WRONGTYPE")

    def change(body: str) -> str:
        for name in changes:
            # values only; a screen that asks for columns by name must still find them
            body = body.replace(f'"{name}', f'"{hostile}{name}')
        return body

    running.front.change = change
    try:
        found = drive("drive.mjs", "hostile", running.url)
    finally:
        running.front.change = lambda body: body
    for screen in found:
        assert screen["ran"] is None, screen["name"]
        assert screen["images"] == 0, screen["name"]
        assert screen["wrong"] == [], screen["name"]
        assert MARKUP[:20] in screen["text"], f"{screen['name']}: the name is not shown as it is"


def test_the_querier_shows_the_pages_itself(running: Any) -> None:
    import httpx

    answer = httpx.get(f"{running.querier}/map")
    if answer.status_code == 404:
        pytest.skip("this core does not offer an app's services to the querier yet (BuildContext.services['services'])")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "MetaFlow" in answer.text
