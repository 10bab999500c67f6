"""Errors as the Messages API words them.

Source of the types and statuses: Anthropic's "API errors" documentation.
"""

from __future__ import annotations

from typing import Any

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Refusal(Exception):
    """A request that the API answers with an error: an HTTP status and one sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON that the API answers with."""
        return {**error_body(self.status, self.message), "request_id": request_id}


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return the error object of a response body or of an `error` event inside a stream."""
    return {"type": "error", "error": {"type": ERROR_TYPES.get(status, "api_error"), "message": message}}
