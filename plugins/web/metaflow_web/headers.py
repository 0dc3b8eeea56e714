"""What every answer says to the browser beside its content."""

from __future__ import annotations

__all__ = ["POLICY", "security_headers"]

# Nothing from elsewhere, nothing inline, and no text may become markup or script (Content Security Policy Level 3 and
# Trusted Types, W3C). Styles set by script through the object model are not inline styles.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)


def security_headers() -> list[tuple[bytes, bytes]]:
    """Headers for each answer, in ASGI's form."""
    return [
        (b"content-security-policy", POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
