"""What is folded together, what is kept apart, and what is kept when there is too much."""

import itertools

import pytest

from sre_bot.clients.logs import LogLine
from sre_bot.tools.log_patterns import PATTERNS, LogPatterns, Pattern, choose


def line(message: str, at: float = 0, level: str = "ERROR", service: str = "api-server") -> LogLine:
    return LogLine(at, service, level, message)


def fold(*lines: LogLine) -> list[Pattern]:
    folded = LogPatterns()
    folded.add(lines)
    return folded.patterns()


@pytest.mark.parametrize(
    "messages",
    [
        ("took 12 ms", "took 9.5 ms"),
        ("request=00005960 failed", "request=0000af3e failed"),
        ("id 0xdeadbeef", "id 0xcafe"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace 00f067aa0ba902b7a3ce929d0e0e4736"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-e89b-12d3-a456-426614174abc"),
        ("login failed for user ada", "login failed for user bob"),
        ("GET /v1/cart 500 in 12 ms", "GET /v1/orders 503 in 7 ms"),
        ("", ""),
    ],
)
def test_lines_that_differ_in_numbers_ids_or_a_word_are_one_pattern(messages: tuple[str, str]) -> None:
    (pattern,) = fold(line(messages[0], 5), line(messages[1], 9))
    assert (pattern.count, pattern.first, pattern.example.time) == (2, 5, 9)
    assert pattern.example.message == messages[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (line("a b"), line("a c")),
        (line("connection refused by postgres"), line("connection pool is exhausted")),
        (line("out of memory"), line("out of memory: killed")),
        (line("same"), line("same", level="WARN")),
        (line("same"), line("same", service="auth-svc")),
        (line("started the worker now"), line("stopped the worker now")),
    ],
)
def test_lines_that_say_something_else_are_kept_apart(one: LogLine, other: LogLine) -> None:
    assert len(fold(one, other)) == 2


def test_the_order_in_which_lines_come_does_not_matter() -> None:
    lines = [line("took 1 ms", 1), line("took 2 ms", 3), line("took 3 ms", 2)]
    for order in itertools.permutations(lines):
        (pattern,) = fold(*order)
        assert (pattern.count, pattern.first, pattern.example) == (3, 1, lines[1])


def letters(number: int) -> str:
    """A word without digits for each number."""
    return "".join(chr(97 + int(digit)) for digit in f"{number:06}")


def test_every_line_is_counted_and_patterns_are_bounded_whatever_the_lines() -> None:
    lines = [line(" ".join(letters(n * 7919 + k) for k in range(1 + n % 50)), n) for n in range(20_000)]
    patterns = fold(*lines)
    assert sum(pattern.count for pattern in patterns) == 20_000
    assert len(patterns) <= PATTERNS + 1
    assert patterns[-1].mixed


def test_services_without_end_are_bounded_too() -> None:
    patterns = fold(*(line("text", n, service=f"svc-{n}") for n in range(5_000)))
    assert sum(pattern.count for pattern in patterns) == 5_000
    assert len(patterns) <= 2 * PATTERNS + 2


def test_a_rare_line_before_a_varied_burst_is_kept() -> None:
    noise = [line("error: " + " ".join(letters(n * 7919 + k) for k in range(6)), 10 + n) for n in range(20_000)]
    patterns = fold(line("configuration reloaded by ada, pool size one", 1), *noise)
    assert "configuration reloaded" in " ".join(each.example.message for each in choose(patterns, 6))


def test_a_choice_takes_the_worst_level_whole_and_then_the_newest_rarest_and_most_frequent() -> None:
    def pattern(name: str, count: int, at: float, level: str = "INFO") -> Pattern:
        return Pattern(line(name, at, level), at, count=count)

    patterns = [
        pattern("error", 50, 1, "ERROR"),
        pattern("newest", 50, 90),
        pattern("plain", 50, 80),
        pattern("plain too", 50, 70),
        pattern("frequent", 900, 60),
        pattern("rare", 1, 50),
    ]
    chosen = [each.example.message for each in choose(patterns, 4)]
    assert chosen == ["error", "newest", "frequent", "rare"]
    assert choose(patterns, 6) == patterns
