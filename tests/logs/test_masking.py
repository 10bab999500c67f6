"""Secrets in text are replaced; ordinary text is left alone."""

import pytest

from sre_bot.tools.masking import MASKED, is_secret_name, mask_secrets


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2 next", f"password={MASKED} next"),
        ('{"db_password": "hunter2"}', f'{{"db_password": "{MASKED}"}}'),
        ("API_KEY: hunter2", f"API_KEY: {MASKED}"),
        ("?token=hunter2&a=b", f"?token={MASKED}&a=b"),
        ("redis://:hunter2@cache:6379", f"redis://:{MASKED}@cache:6379"),
        ("https://ada:hunter2@host/x", f"https://ada:{MASKED}@host/x"),
        ("Authorization: Bearer hunter2hunter2", f"Authorization: Bearer {MASKED}"),
        ("authorization=Basic aHVudGVyMg==", f"authorization=Basic {MASKED}"),
        ("sent Bearer hunter2hunter2 to it", f"sent Bearer {MASKED} to it"),
        ("with xoxb-hunter2-hunter2", f"with {MASKED}"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.hunter2 end", f"jwt {MASKED} end"),
    ],
)
def test_a_secret_is_masked_and_the_rest_is_kept(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/cart 500 in 2529 ms request=00003093: pool size 1, 1 active, 169 waiting",
        "falling back to basic authentication",
        "bearer authentication failed",
        "token expired, password rejected",
        "http://prometheus:9090/graph",
        "mail to ada@example.org: 5 tokens left",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert mask_secrets(text) == text


@pytest.mark.parametrize("text", ["password=" * 20_000, "a.b-" * 50_000, "x://" + "a" * 100_000, "bearer " * 20_000])
def test_no_text_takes_long(text: str) -> None:
    assert mask_secrets(text)


def test_names_of_secrets_are_known_whatever_their_case() -> None:
    assert all(map(is_secret_name, ("API_TOKEN", "db_password", "PRIVATE_KEY", "database_url", "SENTRY_DSN")))
    assert not is_secret_name("DB_POOL_SIZE")
