"""Who may ask: the page itself, and no other page that the same browser has open.

A browser sends requests to loopback for any site. So the host must be one of ours (a foreign name that resolves to
127.0.0.1 is refused), and whatever changes something must come from the page's origin with the token that stands in the
page, which no other origin can read.
"""

import hmac
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.page.upstream import Refusal

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKEN_HEADER = "X-Sandbox-Token"  # noqa: S105  (the name of a header)
HOSTS = ("127.0.0.1", "localhost")
READS = ("GET", "HEAD")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Checks every request; turns what went wrong into JSON that can be read.

    Args:
        token: what a request that changes something carries in `TOKEN_HEADER`.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def protect(self, app: web.Application) -> None:
        """Let an application answer only who may ask."""
        app.middlewares.append(self._admit)
        app.on_response_prepare.append(_add_headers)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check(request)
            return await handler(request)
        except Refusal as refusal:
            return web.json_response({"error": str(refusal)}, status=refusal.status)
        except web.HTTPException as error:
            return web.json_response({"error": f"{request.path}: {error.reason}."}, status=error.status)
        except Exception:  # the top level of a request; the reader gets a sentence, the log gets the rest
            log.exception("%s %s", request.method, request.path)
            return web.json_response({"error": "The page's server made a mistake; its log says which."}, status=500)

    def _check(self, request: web.Request) -> None:
        name, _, port = request.host.rpartition(":")
        socket = request.transport.get_extra_info("sockname") if request.transport else None
        if name not in HOSTS or not socket or port != str(socket[1]):
            raise Refusal(421, "This server answers for its own address on this machine only.")
        if request.method in READS:
            return
        given = request.headers.get(TOKEN_HEADER, "")
        own = request.headers.get("Origin") == f"http://{request.host}"
        if not own or not hmac.compare_digest(given.encode(), self._token.encode()):
            raise Refusal(403, "Only the sandbox page itself may change something. Reload it if it was open for long.")
        if request.content_type != "application/json":
            raise Refusal(415, "What changes something is sent as JSON.")


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
