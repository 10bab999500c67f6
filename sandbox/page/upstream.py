"""Asks the parts, and says in a sentence why one did not answer."""

import json
from typing import Any

import aiohttp

from sandbox.page.parts import TITLES, Parts, Whereabouts

Json = dict[str, Any]
TIMEOUT = aiohttp.ClientTimeout(total=10)  # seconds; everything is on this machine


class Refusal(Exception):
    """What was asked for cannot be had; the message is a sentence for whoever looks at the page.

    Attributes:
        status: of the HTTP answer.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Upstream:
    """The parts, asked over one HTTP session."""

    def __init__(self, http: aiohttp.ClientSession, whereabouts: Whereabouts) -> None:
        self.http = http
        self._whereabouts = whereabouts

    @property
    def parts(self) -> Parts:
        """Where they are now."""
        return self._whereabouts()

    def base(self, part: str) -> str:
        """The address of a part, named as in `Parts`.

        Raises:
            Refusal: it is not up, or not in this sandbox.
        """
        address: str | None = getattr(self.parts, part)
        if address is None:
            raise Refusal(503, f"{_title(part)} is not up: it is still starting, or not part of this sandbox.")
        return address

    async def get(self, part: str, path: str, **query: str) -> Any:  # noqa: ANN401  (JSON)
        """The JSON at a path.

        Raises:
            Refusal: the part does not answer, or refuses.
        """
        return await self._ask("GET", part, path, params=query)

    async def post(self, part: str, path: str, body: Json) -> Any:  # noqa: ANN401  (JSON)
        """Send an order and give its answer.

        Raises:
            Refusal: the part does not answer, or refuses.
        """
        return await self._ask("POST", part, path, json=body)

    async def _ask(self, method: str, part: str, path: str, **how: Any) -> Any:  # noqa: ANN401
        url = f"{self.base(part)}/{path}"
        try:
            async with self.http.request(method, url, timeout=TIMEOUT, **how) as answer:
                text = await answer.text()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Refusal(
                502, f"{_title(part)} does not answer ({type(error).__name__}): it may have ended."
            ) from error
        try:
            body = json.loads(text)
        except ValueError:
            raise Refusal(502, f"{_title(part)} answered {status} with something that is no JSON.") from None
        if status >= 400:
            raise Refusal(status, _reason(body) or f"{_title(part)} answered {status}.")
        return body


def _title(part: str) -> str:
    title = TITLES[part]
    return title[0].upper() + title[1:]


def _reason(body: Any) -> str:  # noqa: ANN401
    """The sentence in an error's body, whichever of the parts wrote it."""
    error = body.get("error") if isinstance(body, dict) else None
    return error[0].upper() + error[1:] if isinstance(error, str) and error else ""
