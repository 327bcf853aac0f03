"""Security headers of every response; see https://owasp.org/www-project-secure-headers/."""

from collections.abc import Mapping

from aiohttp import web

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # Text can never become markup, even through a mistake in a script.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",  # cached but revalidated each time: an upgrade shows at once
}

_DEFAULTS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


async def add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: headers that a handler has set take precedence."""
    for name, value in _DEFAULTS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "email-consumer"  # reveals no version
