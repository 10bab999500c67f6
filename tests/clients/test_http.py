"""Every way in which a system can fail to answer, and what the reader is told."""

from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from sre_bot.clients.http import MAX_BODY, HttpService
from sre_bot.errors import BackendError, RateLimited, Refused, TooLarge, Unreachable

Handler = Callable[[httpx2.Request], httpx2.Response]


def service(handler: Handler, url: str = "http://user:hunter2@store.test:81/base") -> HttpService:
    return HttpService("The store", "STORE_URL", url, transport=httpx2.MockTransport(handler))


def answering(status: int, content: str | bytes = "", headers: dict[str, str] | None = None) -> HttpService:
    return service(lambda _: httpx2.Response(status, content=content, headers=headers))


async def failure(http: HttpService) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await http.get_json("/things")
    return caught.value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx2.ConnectError("no route"), "connection failed"),
        (httpx2.ReadTimeout("slow"), "timed out"),
        (httpx2.RemoteProtocolError("Server disconnected"), "Server disconnected"),
    ],
)
async def test_no_answer_is_unreachable_with_the_reason_and_the_setting(error: Exception, reason: str) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise error

    told = await failure(service(fail))
    assert isinstance(told, Unreachable)
    assert str(told).startswith(f"UNREACHABLE: The store at http://store.test:81 did not answer ({reason}).")
    assert "STORE_URL" in str(told)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"status":"error","errorType":"bad_data","error":"parse error: x"}', "parse error: x"),
        ('{"error":{"message":"Invalid","code":2001,"errors":["Title is empty"]}}', "Invalid: Title is empty"),
        ('{"message":"gone"}', "gone"),
        ('["strange"]', "strange"),
        ("<html><style>a{}</style><h1>502 Bad   Gateway</h1></html>", "502 Bad Gateway"),
        ("", "no explanation"),
        ("{}", "{}"),
    ],
)
async def test_an_error_keeps_the_systems_own_words(body: str, words: str) -> None:
    told = await failure(answering(502, body))
    assert isinstance(told, Refused)
    assert told.status == 502
    assert str(told) == f"The store answered 502: {words}."


async def test_an_endless_error_page_is_cut() -> None:
    assert len(str(await failure(answering(500, "x" * 1_000_000)))) < 600


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_name_the_setting(status: int) -> None:
    assert "Check the credentials beside STORE_URL" in str(await failure(answering(status)))


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), (None, None)])
async def test_a_rate_limit_carries_the_wait_that_was_asked_for(header: str | None, seconds: float | None) -> None:
    told = await failure(answering(429, "slow down", {"Retry-After": header} if header else None))
    assert isinstance(told, RateLimited)
    assert told.retry_after == seconds


@pytest.mark.parametrize("body", ["<html>Welcome</html>", '{"half":', ""])
async def test_success_that_is_not_json_is_refused(body: str) -> None:
    told = await failure(answering(200, body))
    assert isinstance(told, Refused)
    assert "not JSON" in str(told)


async def test_half_a_compressed_body_is_unreachable_and_no_crash() -> None:
    told = await failure(answering(200, b"\x1f\x8bnonsense", {"Content-Encoding": "gzip"}))
    assert isinstance(told, Unreachable)


async def test_a_body_beyond_the_limit_is_given_up_before_it_is_read() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 16
            yield b" " * (1 << 16)

    told = await failure(service(lambda _: httpx2.Response(200, content=endless())))
    assert isinstance(told, TooLarge)
    assert sent <= MAX_BODY + (1 << 17)


async def test_credentials_inside_an_address_are_never_shown() -> None:
    for http in (answering(500), answering(200, "x"), answering(401)):
        assert "hunter2" not in str(await failure(http))


async def test_absent_parameters_are_not_sent() -> None:
    seen: list[httpx2.URL] = []

    def remember(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url)
        return httpx2.Response(200, json={})

    await service(remember).get_json("/things", {"a": None, "b": 0})
    assert [(url.path, url.query) for url in seen] == [("/base/things", b"b=0")]


async def test_another_shape_than_expected_is_refused_and_no_crash() -> None:
    http = answering(200, "[]")
    answer = await http.get_json("/things")
    with pytest.raises(Refused, match="shape that is not its API"), http.reading():
        answer["things"]


@pytest.mark.timeout(20)  # without a bound on what is searched it takes minutes
async def test_a_large_page_of_unclosed_tags_does_not_hold_up_the_others() -> None:
    told = await failure(answering(502, "Bad gateway " + "<style" * 200_000))
    assert "Bad gateway" in str(told)
