"""Anthropic's API, as far as it can be asked without paying. The conversation itself is the Agent SDK's.

Counting tokens is free (Anthropic: "Token counting") and tells a wrong address, key and model apart in one call. The
list of models would tell the same, but a gateway in the API's place need not have it; counting it must have for Claude
Code (Claude Code: "LLM gateway").
"""

import httpx2

from sre_bot.clients.http import HttpService
from sre_bot.settings import ModelSettings

_HOME = "https://api.anthropic.com"
_VERSION = "2023-06-01"  # Anthropic: "Versions"; the newest there is

_ADVICE = {
    400: "Check that ANTHROPIC_BASE_URL leads to an API of this kind.",
    401: "Check ANTHROPIC_API_KEY: console.anthropic.com shows which keys there are.",
    403: "Check ANTHROPIC_API_KEY: it may not use this model, or this network may not use the key.",
    404: "Check SRE_MODEL, and that ANTHROPIC_BASE_URL is the API's address without /v1.",
}


class Anthropic(HttpService):
    """The API with the key and the model of the settings."""

    def __init__(self, settings: ModelSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        super().__init__(
            "Anthropic's API",
            "ANTHROPIC_BASE_URL",
            settings.base_url or _HOME,
            headers={"x-api-key": settings.api_key.get_secret_value(), "anthropic-version": _VERSION},
            transport=transport,
            outside=True,
        )
        self._model = settings.model

    async def count_tokens(self, text: str) -> int:
        """How many tokens a message would be.

        Raises:
            BackendError: the API did not answer, does not take the key, or does not know the model.
        """
        asked = {"model": self._model, "messages": [{"role": "user", "content": text}]}
        answer = await self.post_json("/v1/messages/count_tokens", asked)
        with self.reading():
            return int(answer["input_tokens"])

    def _advice(self, response: httpx2.Response) -> str:
        if response.is_server_error:
            return " The fault is the API's own. Try again in a minute; status.anthropic.com tells of outages."
        return f" {_ADVICE.get(response.status_code, '')}".rstrip()
