"""Registers the refiner."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.api import Config, Field, Refiner, RefinerFactory, Stability
from metaflow_core.hooks import hookimpl

__all__ = ["S3Config", "metaflow_refiners"]


class S3Config(Config):
    """Which hosts are object stores."""

    hosts: tuple[str, ...] = Field(
        (),
        description="Hosts of further object stores, as they are asked (minio.local:9000); a bucket may stand in front of them. "
        "Those of AWS, Google, DigitalOcean, Backblaze, Wasabi and Cloudflare are known, others by what their clients say of themselves.",
    )


def _create(config: S3Config) -> Refiner:
    from metaflow_refiner_s3.refiner import S3Refiner

    return S3Refiner(config.hosts)


@hookimpl
def metaflow_refiners() -> Iterable[RefinerFactory]:
    """The type ``s3``."""
    return [
        RefinerFactory(
            type="s3",
            config=S3Config,
            create=_create,
            refines=("http", "http2"),
            body_bytes=1024,
            bodiless=True,
            stability=Stability.BETA,
            summary="Object stores of the S3 API: operation, bucket, shape of the key, error codes",
        )
    ]
