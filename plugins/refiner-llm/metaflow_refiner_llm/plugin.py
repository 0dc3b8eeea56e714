"""Registers the refiner."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.api import Config, Refiner, RefinerFactory, Stability
from metaflow_core.hooks import hookimpl

__all__ = ["LlmConfig", "metaflow_refiners"]


class LlmConfig(Config):
    """Calls of language models have no options."""


def _create(config: LlmConfig) -> Refiner:
    from metaflow_refiner_llm.refiner import LlmRefiner

    return LlmRefiner()


@hookimpl
def metaflow_refiners() -> Iterable[RefinerFactory]:
    """The type ``llm``."""
    return [
        RefinerFactory(
            type="llm",
            config=LlmConfig,
            create=_create,
            refines=("http", "http2"),
            # Tokens stand at the end of an answer, behind all of its text.
            body_bytes=65536,
            stability=Stability.BETA,
            summary="Language models (OpenAI, Anthropic, Ollama, Gemini and alike): operation, model, tokens, errors, streams",
        )
    ]
