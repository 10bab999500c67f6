"""One place that turns an HTTP exchange into JSON or into an error that a person can act on.

It refuses to guess: no answer is Unreachable, an error is Refused with the system's own words, and an answer too large
to be read is TooLarge before it fills the memory. Requests are not retried here: only the caller knows what is safe.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from sre_bot.errors import RateLimited, Refused, TooLarge, Unreachable

MAX_BODY = 4 << 20
"""Bytes of one answer that are read, decompressed. About 100,000 samples of Prometheus: far more than anyone reads."""

_TIMEOUT = httpx2.Timeout(15.0, connect=3.0, pool=5.0)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HTML_READ = 10_000  # characters
_OWN_WORDS = 400  # characters of an error body that are passed on


class HttpService:
    """One outside system, with one connection pool for the life of the process, opened on first use.

    Args:
        name: how messages call it, such as "Prometheus".
        setting: the environment variable that holds its address, for advice in messages.
        base_url: without a trailing slash.
        auth: basic credentials.
        headers: sent with every request.
        transport: replaces the network, for tests.
        max_body: bytes of one answer that are read.
        outside: it is somebody's cloud, which a company may reach through its proxy only: HTTP_PROXY, HTTPS_PROXY and
            NO_PROXY count. For systems inside they are ignored.
    """

    def __init__(
        self,
        name: str,
        setting: str,
        base_url: str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        max_body: int = MAX_BODY,
        outside: bool = False,
    ) -> None:
        self.name = name
        self._setting = setting
        self._base_url = base_url
        self._auth = auth
        self._headers = dict(headers or {})
        self._transport = transport
        self._max_body = max_body
        # Loopback through a proxy never works, whatever stands in for the cloud there.
        self._outside = outside and httpx2.URL(base_url).host not in _LOOPBACK
        self._client: httpx2.AsyncClient | None = None

    @property
    def address(self) -> str:
        """Scheme, host and port: an address may carry credentials, which are never shown."""
        url = httpx2.URL(self._base_url)
        return f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")

    async def get_json(self, path: str, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401  (any JSON)
        """GET `path`; parameters that are None are left out.

        Raises:
            Unreachable, Refused, RateLimited, TooLarge: see `errors.py`.
        """
        return await self._exchange("GET", path, params={k: v for k, v in (params or {}).items() if v is not None})

    async def post_form(self, path: str, data: Mapping[str, Any]) -> Any:  # noqa: ANN401  (any JSON)
        """POST a form, for reads whose parameters may outgrow a URL; errors as `get_json`."""
        return await self._exchange("POST", path, data={k: v for k, v in data.items() if v is not None})

    async def post_json(self, path: str, body: Any) -> Any:  # noqa: ANN401  (any JSON)
        """POST JSON, a write; errors as `get_json`, of which Unreachable leaves open whether it took effect."""
        return await self._exchange("POST", path, json=body)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around the code that takes an answer apart: another shape than expected is Refused, not a crash."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise Refused(
                f"{self.name} at {self.address} answered in a shape that is not its API ({type(error).__name__}: "
                f"{error}). Check that {self._setting} points to {self.name} itself.",
                httpx2.codes.OK,
            ) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _exchange(self, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401
        try:
            async with self._open().stream(method, path, **content) as response:
                body = await self._read(response)
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise Unreachable(
                f"UNREACHABLE: {self.name} at {self.address} did not answer ({_reason(error)}). Its state is unknown, "
                f"which is not the same as healthy. Check that it runs and that {self._setting} is right."
            ) from error
        if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            raise RateLimited(f"{self.name} asks us to slow down: {_own_words(body)}", _retry_after(response))
        if not response.is_success:
            raise Refused(
                f"{self.name} answered {response.status_code}: {_own_words(body)}{self._advice(response)}",
                response.status_code,
            )
        try:
            return json.loads(body)
        except ValueError as error:
            raise Refused(
                f"{self.name} at {self.address} answered with something that is not JSON: {_own_words(body)} "
                f"Check that {self._setting} points to {self.name} itself.",
                response.status_code,
            ) from error

    def _open(self) -> httpx2.AsyncClient:
        # Opened late: building a TLS context costs start-up time that every conversation would wait for.
        if self._client is None:
            self._client = httpx2.AsyncClient(
                base_url=self._base_url,
                auth=self._auth,
                headers=self._headers,
                timeout=_TIMEOUT,
                transport=self._transport,
                trust_env=self._outside,
            )
        return self._client

    async def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._max_body:
                raise TooLarge(f"{self.name} answered with more than {self._max_body:,} bytes. Ask for less.")
        return bytes(body)

    def _advice(self, response: httpx2.Response) -> str:
        if response.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            return f" Check the credentials beside {self._setting}."
        if response.status_code == httpx2.codes.NOT_FOUND:
            return f" Check that {self._setting} points to {self.name} itself."
        return ""


def bearer(token: str) -> dict[str, str]:
    """The header of bearer authentication (RFC 6750)."""
    return {"Authorization": f"Bearer {token}"}


def _reason(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "timed out"
    if isinstance(error, httpx2.ConnectError):
        return "connection failed"
    return str(error) or type(error).__name__


def _own_words(body: bytes) -> str:
    """What the system said, from JSON, HTML or text; one line, ended by a full stop."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except ValueError:
        # Only the beginning: what explains stands there, and the pattern is slow on unclosed tags.
        text = re.sub(r"<(style|script).*?</\1>|<[^<>]*>", " ", text[:_HTML_READ], flags=re.DOTALL | re.IGNORECASE)
    else:
        text = _find_words(data) or text
    words = " ".join(text.split())[:_OWN_WORDS] or "no explanation"
    return words if words.endswith((".", "!", "?")) else words + "."


def _find_words(data: object) -> str | None:
    """The explanation inside a JSON error: `error`, `message`, `detail` or `errors`, nested as it may be."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, map(_find_words, data))) or None
    if isinstance(data, dict):
        found = (_find_words(data[key]) for key in ("error", "message", "detail", "errors") if data.get(key))
        return ": ".join(filter(None, found)) or None
    return None


def _retry_after(response: httpx2.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None
