"""Confluence's errors in its own shapes: v1 and v2 differ."""

from __future__ import annotations

from aiohttp import web

HTML_ERROR = "<!DOCTYPE html><html><head><title>Oops</title></head><body><h1>{status} {reason}</h1></body></html>"
LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Log in</title></head><body>Log in with Atlassian account</body></html>"

_REASONS = {
    400: ("INVALID_REQUEST_PARAMETER", "The request is not valid"),
    401: ("UNAUTHORIZED", "Unauthorized"),
    403: ("FORBIDDEN", "Current user not permitted to use Confluence"),
    404: ("NOT_FOUND", "Not Found"),
    409: ("CONFLICT", "Version conflict"),
    413: ("CONTENT_TOO_LARGE", "Content body is too large"),
    429: ("RATE_LIMITED", "Rate limit exceeded"),
}


class Refusal(Exception):
    """A request that is answered with an error; `careless`: only careless code sends it, so it is a violation too."""

    def __init__(self, status: int, words: str = "", *, careless: bool = False) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.careless = careless


def answer(path: str, status: int, words: str = "", retry_after: int | None = None) -> web.Response:
    """An error in the shape of the API that was called; HTML from 500 on, where a proxy speaks."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    code, usual = _REASONS.get(status, ("INTERNAL_SERVER_ERROR", "Internal Server Error"))
    if status >= 500:
        page = HTML_ERROR.format(status=status, reason=words or usual)
        return web.Response(status=status, text=page, content_type="text/html", headers=headers)
    if "/api/v2/" in path:
        error = {"status": status, "code": code, "title": words or usual, "detail": None}
        return web.json_response({"errors": [error]}, status=status, headers=headers)
    data = {"authorized": status != 403, "valid": False, "errors": [], "successful": False}
    exception = "NotFoundException" if status == 404 else "BadRequestException"
    message = f"com.atlassian.confluence.api.service.exceptions.{exception}: {words or usual}"
    return web.json_response({"statusCode": status, "data": data, "message": message}, status=status, headers=headers)
