"""The service keeps the contract, and sends the pages with a strict policy."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from metaflow_web.assets import BUILT, load_assets
from metaflow_web.config import WebConfig
from metaflow_web.headers import POLICY
from metaflow_web.pages import NOT_BUILT, Pages
from metaflow_web.plugin import metaflow_services
from metaflow_web.service import WebService

from metaflow_core.testing import ServiceContract

(FACTORY,) = metaflow_services()


class TestContract(ServiceContract):
    """What every service promises."""

    factory = FACTORY


async def ask(
    pages: Pages, path: str, method: str = "GET", root_path: str = "", **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    """One request to the application."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await pages(
        {"type": "http", "method": method, "path": path, "root_path": root_path, "headers": names}, receive, send
    )
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, sent[1]["body"]


@pytest.fixture
def built(tmp_path: Path) -> Pages:
    """A small build."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>MetaFlow</title>")
    (tmp_path / "assets" / "index-abc.js").write_text("let x = 1;\n" * 500)
    return Pages(load_assets(tmp_path))


@pytest.mark.parametrize("path", ["/", "/map", "/requests", "/health"])
async def test_each_screen_is_the_page(built: Pages, path: str) -> None:
    status, headers, body = await ask(built, path)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"MetaFlow" in body
    assert headers["cache-control"] == "no-cache", "a new version must be seen at once"


async def test_every_answer_has_the_policy(built: Pages) -> None:
    for pages in (built, Pages({})):
        for path, method in (("/", "GET"), ("/assets/index-abc.js", "GET"), ("/nothing.js", "GET"), ("/", "POST")):
            _, headers, _ = await ask(pages, path, method)
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert not {"http", "*"} & set(POLICY.split()), "nothing comes from elsewhere"
    assert "://" not in POLICY


async def test_files_are_packed_and_kept(built: Pages) -> None:
    status, headers, packed = await ask(built, "/assets/index-abc.js", accept_encoding="br, gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert "immutable" in headers["cache-control"]
    _, plain_headers, plain = await ask(built, "/assets/index-abc.js", accept_encoding="gzip;q=0")
    assert gzip.decompress(packed) == plain
    assert "content-encoding" not in plain_headers
    status, _, body = await ask(built, "/assets/index-abc.js", if_none_match=headers["etag"])
    assert (status, body) == (304, b"")


async def test_head_has_the_length_and_no_body(built: Pages) -> None:
    status, headers, body = await ask(built, "/", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/assets/../../secret", "/assets/", "/no/such/screen", "/%2e%2e/x", "/x\0"]
)
async def test_nothing_else_is_found(built: Pages, path: str) -> None:
    status, _, body = await ask(built, path)
    assert status == 404
    assert b"MetaFlow" in body


async def test_other_methods_are_refused_and_never_repeated_as_markup(built: Pages) -> None:
    status, headers, body = await ask(built, "/", "<b>POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert b"<b>" not in body


async def test_below_a_prefix(built: Pages) -> None:
    status, _, _ = await ask(built, "/ui/map", root_path="/ui")
    assert status == 200


async def test_without_a_build_the_page_says_what_to_do(tmp_path: Path) -> None:
    status, _, body = await ask(Pages(load_assets(tmp_path)), "/map")
    assert status == 503
    assert b"plugins/web/build.sh" in body

    from metaflow_core.testing import build_context

    said: list[tuple[str, str]] = []
    context = build_context(FACTORY.kind, FACTORY.type, data_dir=tmp_path)
    from dataclasses import replace

    service = WebService(replace(context, report=lambda state, text: said.append((state, text))), WebConfig(), tmp_path)
    await service.start()
    assert said == [("degraded", NOT_BUILT)]


def test_the_whole_ui_is_small_and_takes_nothing_from_elsewhere() -> None:
    assets = load_assets(BUILT)
    if not assets:
        pytest.skip("the pages are not built; run plugins/web/build.sh")
    size = sum(len(asset.packed or asset.body) for asset in assets.values())
    assert size < 150_000, f"{size} bytes compressed"
    page = assets["/index.html"].body.decode()
    assert "http://" not in page
    assert "https://" not in page
    assert "<style" not in page
    assert "onclick" not in page
