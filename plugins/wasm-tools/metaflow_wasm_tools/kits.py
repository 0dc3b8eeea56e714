"""Where the kits are: inside the installed package, or in the checkout that this package is run from."""

from __future__ import annotations

from pathlib import Path

from metaflow_core.errors import UnavailableError

__all__ = ["kit_folder"]


def kit_folder(language: str) -> Path:
    """The folder of a language's kit.

    :raises UnavailableError: it is neither packaged nor in the checkout.
    """
    here = Path(__file__).resolve()
    for root in (here.parent / "kits", here.parents[3] / "wasm-sdk"):
        if (root / language).is_dir():
            return root / language
    raise UnavailableError(f"the kit for {language} is not in this installation; reinstall metaflow-wasm-tools")
