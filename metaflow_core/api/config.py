"""The one base of every component's configuration, and the seam to pydantic.

Plugins import :class:`Config` and :func:`Field` from here, so that another major version of pydantic is the core's
problem and not every plugin's.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

__all__ = ["Config", "Field", "SecretStr", "field_validator", "model_validator"]


class Config(BaseModel):
    """Base of a component's options: frozen, and an unknown option is an error.

    Give every field a type, a default where there is a sensible one, and a ``description``: they become the reference
    page, the JSON schema and the did-you-mean. Secrets are :class:`SecretStr`; they print as stars.
    """

    # built when first used: most of the installed components are never configured
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, str_strip_whitespace=True, defer_build=True
    )
