"""Much to show: thousands of services, a hundred thousand rows, a tab that is left open. Bounds on elements and heap; never on time."""

from __future__ import annotations

from typing import Any

from web_browser import drive


def test_a_map_of_five_hundred_and_one_of_ten_thousand_services(running: Any) -> None:
    found = drive("scale.mjs", "map", running.url)
    some, many = found["500"], found["10000"]
    assert some["wrong"] == many["wrong"] == []
    assert some["first"]["nodes"] == 500
    assert some["first"]["elements"] < 9_000
    assert many["first"]["nodes"] == 40, "folded by the tag that tells most groups apart and not too many"
    assert "About 10 k services are too many to draw each: folded by namespace" in many["note"]
    assert 2 <= many["kind"]["nodes"] <= 200
    assert many["unfolded"]["nodes"] == 500
    assert "only the busiest are drawn" in many["unfolded"]["note"]
    assert many["unfolded"]["elements"] < 9_000
    assert "pod_ns_1" in many["inside"], "a group leads to what is in it"
    assert 0 < many["looked"]["nodes"] <= 500, "one that is looked for is shown alone"


def test_a_table_of_a_hundred_thousand_rows(running: Any) -> None:
    found = drive("scale.mjs", "table", running.url)
    assert found["wrong"] == []
    assert found["rows"] == 100_000
    assert found["last"].startswith("99999\n")
    assert found["shown"] < 80
    assert found["greatest"].split("\n")[3] == "100002", "the head of a column puts all rows in order"
    assert max(found["elements"], found["after"]) < 1_500


def test_a_tab_that_is_left_open_stays_as_it_is(running: Any) -> None:
    found = drive("scale.mjs", "day", running.url, "120")
    assert found["wrong"] == []
    for screen, each in found["screens"].items():
        before, after = each["before"], each["after"]
        assert each["problems"] == [], screen
        assert after["asked"] > before["asked"] + 120, f"{screen} asked again"
        # 8 kB a round would be 140 MB in a day of refreshes every five seconds
        assert after["heap"] - before["heap"] < 120 * 8_000, f"{screen}: {before} -> {after}"
        assert after["nodes"] <= before["nodes"] + 200, f"{screen}: {before} -> {after}"
        assert after["listeners"] <= before["listeners"] + 50, f"{screen}: {before} -> {after}"
