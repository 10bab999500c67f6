"""Figures and units: what says the same, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.evidence.figures import Kind, agrees, bound_before, read_figures


def holds(claim: str, read: str) -> bool:
    """Whether the one figure of a claim is borne out by one of a result's."""
    (meanings,) = read_figures(claim)
    bound = bound_before(claim, meanings[0])
    found = [figure for figures in read_figures(read) for figure in figures]
    return any(agrees(meaning, figure, bound, read) for meaning in meanings for figure in found)


@pytest.mark.parametrize(
    ("claim", "read"),
    [
        ("33.1 %", "33.1 %"),
        ("33 %", "33.1 %"),
        ("33.1 percent", "0.331"),
        ("0.331", "33.1 %"),
        ("2.31 s", "2310 ms"),
        ("2,310 ms", "2.31"),
        ("2.3 seconds", "2,310 ms"),
        ("5 min", "300 s"),
        ("120 requests per minute", "2/s"),
        ("2 failed requests a second", "120/min"),
        ("1.2k", "1187"),
        ("1.5 GiB", "1610612736"),
        ("1.6 GB", "1.5 GiB"),
        ("×124", "124"),  # noqa: RUF001
        ("14:03", "14:03:12Z"),
        ("14:03:12Z", "2026-11-25T14:03:12Z"),
        ("500s", "500"),
        ("about 40", "37"),
        ("more than 30 %", "33.1 %"),
        ("below 100 ms", "84 ms"),
        ("37", "37 requests"),
        ("15.1", "restarts 15.1"),
    ],
)
def test_the_same_figure_in_other_words_holds(claim: str, read: str) -> None:
    assert holds(claim, read)


@pytest.mark.parametrize(
    ("claim", "read"),
    [
        ("34 %", "33.1 %"),
        ("33.12 %", "33.1 %"),
        ("2.31 ms", "2.31 s"),
        ("2310 s", "2310 ms"),
        ("33.1 s", "33.1 %"),
        ("40 %", "40"),
        ("0.331 %", "0.331"),
        ("2/s", "2/min"),
        ("1.5 MiB", "1.5 GiB"),
        ("14:04", "14:03:12Z"),
        ("14:03:10Z", "14:03:12Z"),
        ("0", "0.3"),
        ("0 %", "0.0001 %"),
        ("about 40", "60"),
        ("more than 30 %", "29 %"),
        ("more than 30 %", "90 %"),
        ("version 2.14.1", "version 2.14.0"),
        ("44 min", "2660"),
    ],
)
def test_another_figure_does_not_hold(claim: str, read: str) -> None:
    assert not holds(claim, read)


@pytest.mark.parametrize("text", ["P99", "api-server-2", "the 5xx errors", "the 2nd one", "E3", "x86"])
def test_names_with_digits_are_no_figures(text: str) -> None:
    assert list(read_figures(text)) == []


def test_an_id_that_begins_with_digits_is_compared_by_its_characters() -> None:
    ((figure,),) = read_figures("49c1")
    assert (figure.kind, figure.text) == (Kind.NAME, "49c1")


@given(st.floats(min_value=0.001, max_value=1e6), st.integers(min_value=0, max_value=4))
def test_every_rounding_of_what_was_read_holds(value: float, places: int) -> None:
    read = f"{value:.6f}"
    rounded = f"{float(read):.{places}f}"
    assert float(rounded) == 0 or holds(f"{rounded} ms", f"{read} ms")


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["%", "ms", "s", "/s", "MiB", ""]))
def test_a_figure_holds_by_itself_and_its_tenfold_does_not(value: int, unit: str) -> None:
    assert holds(f"{value} {unit}".strip(), f"{value} {unit}".strip())
    assert not holds(f"{10 * value} {unit}".strip(), f"{value} {unit}".strip())


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for meanings in read_figures(text):
        assert meanings
        assert all(text[meaning.start : meaning.end].startswith(meaning.text) for meaning in meanings)
