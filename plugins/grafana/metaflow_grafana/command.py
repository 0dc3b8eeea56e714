"""``mflow grafana``."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import click

from metaflow_core.cli.exits import OK

__all__ = ["grafana"]


@click.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write, e.g. /etc/grafana/provisioning."
)
@click.option(
    "--url",
    default="http://127.0.0.1:8088",
    show_default=True,
    metavar="URL",
    help="MetaFlow's HTTP service, as Grafana reaches it.",
)
@click.option(
    "--clickhouse",
    default="",
    metavar="URL",
    help="MetaFlow's ClickHouse interface, or a ClickHouse server; default port 8123 of the same host.",
)
@click.option(
    "--token", "has_token", is_flag=True, help="MetaFlow wants a token; Grafana's environment has METAFLOW_TOKEN."
)
@click.option(
    "--password",
    "has_password",
    is_flag=True,
    help="The ClickHouse interface wants a password; Grafana's environment has METAFLOW_CLICKHOUSE_PASSWORD.",
)
@click.option(
    "--dashboards",
    "folder",
    default="",
    metavar="DIR",
    help="Where Grafana will find the dashboards; default OUT/dashboards/metaflow.",
)
def grafana(*, out: Path, url: str, clickhouse: str, has_token: bool, has_password: bool, folder: str) -> int:
    """Write provisioning for a stock Grafana: data sources and dashboards.

    Prometheus, ClickHouse and Tempo data sources, and dashboards for services, the service map, requests and the network,
    made from the record catalogue. Needs no plugin of MetaFlow's; the ClickHouse panels need grafana-clickhouse-datasource.

    \b
    mflow grafana --out /etc/grafana/provisioning --url http://metaflow:8088
    systemctl restart grafana-server
    """
    import yaml

    from metaflow_core.errors import InputError
    from metaflow_core.model.catalog import load_catalog
    from metaflow_grafana.dashboards import boards
    from metaflow_grafana.sources import providers, sources

    base = _address(url)
    parts = urlsplit(base)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    store = _address(clickhouse) if clickhouse else f"http://{host}:8123"
    documents = {
        Path("datasources/metaflow.yaml"): yaml.safe_dump(
            sources(base, store, has_token=has_token, has_password=has_password), sort_keys=False
        ),
        Path("dashboards/metaflow.yaml"): yaml.safe_dump(
            providers(folder or str((out / "dashboards" / "metaflow").absolute())), sort_keys=False
        ),
    }
    for board in boards(load_catalog()):
        text = json.dumps(board.document(), indent=2, ensure_ascii=False) + "\n"
        documents[Path("dashboards/metaflow") / f"{board.uid}.json"] = text
    for name, text in documents.items():
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
        print(path)
    return OK


def _address(text: str) -> str:
    from metaflow_core.errors import InputError

    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise InputError(f"{text!r} is no address such as http://metaflow:8088")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
