"""The Confluence Query Language, as far as searching pages goes: parsed strictly, evaluated on the pages here.

Refuses what Confluence refuses: unknown fields and operators, words that need quotes, syntax of Lucene inside a text
that is searched for, and dates in another form than its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sandbox.confluence.site import SPACE_KEY, Page
from sandbox.confluence.storage import words

Test = Callable[[Page], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op>!=|>=|<=|!~|[=~<>(),])|(?P<word>[\w./-]+))"""
)
_LUCENE = re.compile(r'(?<!\\)[+&|!(){}\[\]^~*?:/"]|(?:^|\s)-|\b(?:AND|OR|NOT)\b|\\$')
_DATES = ("%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M", "%Y/%m/%d")
_OPERATORS = {
    "space": {"=", "!=", "in", "not in"},
    "type": {"=", "!=", "in", "not in"},
    "label": {"=", "!=", "in", "not in"},
    "id": {"=", "!=", "in", "not in"},
    "ancestor": {"=", "!=", "in", "not in"},
    "title": {"=", "!=", "~", "!~"},
    "text": {"~", "!~"},
    "created": {"=", "!=", ">", ">=", "<", "<="},
    "lastmodified": {"=", "!=", ">", ">=", "<", "<="},
}


class CannotParse(Exception):
    """Not CQL, in Confluence's words."""


class Query(NamedTuple):
    """What a query selects, and its order: a field, and whether descending."""

    matches: Test
    order: tuple[str, bool] | None


def parse(cql: str) -> Query:
    """Read a query.

    Raises:
        CannotParse: says where and why.
    """
    parser = _Parser(cql)
    test = parser.disjunction()
    order = parser.order()
    if parser.peek() is not None:
        raise CannotParse(f"Could not parse cql : {cql} : unexpected {parser.peek()!r}")
    return Query(test, order)


def sort(pages: Iterable[Page], order: tuple[str, bool] | None) -> list[Page]:
    """The pages in the order of a query; without one, newest first, where Confluence takes the best match."""
    if order is None:
        return list(pages)
    field, descending = order
    return sorted(pages, key=lambda page: page.title if field == "title" else page.created, reverse=descending)


class _Parser:
    def __init__(self, cql: str) -> None:
        self._cql = cql
        self._tokens: list[str] = []
        position = 0
        while cql[position:].strip():
            match = _TOKEN.match(cql, position)
            if match is None:
                raise CannotParse(f"Could not parse cql : {cql} : at position {position}")
            self._tokens.append(match[0].strip())
            position = match.end()
        if not self._tokens:
            raise CannotParse("Could not parse cql : the query is empty")

    def peek(self) -> str | None:
        return self._tokens[0] if self._tokens else None

    def _take(self) -> str:
        if not self._tokens:
            raise CannotParse(f"Could not parse cql : {self._cql} : unexpected end of query")
        return self._tokens.pop(0)

    def _accept(self, *words: str) -> bool:
        if [token.lower() for token in self._tokens[: len(words)]] != list(words):
            return False
        del self._tokens[: len(words)]
        return True

    def disjunction(self) -> Test:
        tests = [self._conjunction()]
        while self._accept("or"):
            tests.append(self._conjunction())
        return lambda page: any(test(page) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._clause()]
        while self._accept("and"):
            tests.append(self._clause())
        return lambda page: all(test(page) for test in tests)

    def _clause(self) -> Test:
        if self._accept("not"):
            inner = self._clause()
            return lambda page: not inner(page)
        if self._accept("("):
            inner = self.disjunction()
            if not self._accept(")"):
                raise CannotParse(f"Could not parse cql : {self._cql} : a bracket is not closed")
            return inner
        field = self._take().lower()
        if field not in _OPERATORS:
            raise CannotParse(f"Could not parse cql : {self._cql} : no field exists with name {field!r}")
        operator = "not in" if self._accept("not", "in") else self._take().lower()
        if operator not in _OPERATORS[field]:
            raise CannotParse(f"Could not parse cql : {self._cql} : {field!r} does not support {operator!r}")
        values = self._values() if operator in ("in", "not in") else [self._value()]
        return _compare(field, operator, values)

    def _values(self) -> list[str]:
        if not self._accept("("):
            raise CannotParse(f"Could not parse cql : {self._cql} : expected ( after in")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        if not self._accept(")"):
            raise CannotParse(f"Could not parse cql : {self._cql} : a bracket is not closed")
        return values

    def _value(self) -> str:
        token = self._take()
        if token[0] in "\"'":
            return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)
        if not re.fullmatch(r"\w+", token):
            raise CannotParse(f"Could not parse cql : {self._cql} : {token!r} needs quotes")
        return token

    def order(self) -> tuple[str, bool] | None:
        if not self._accept("order", "by"):
            return None
        field = self._take().lower()
        if field not in ("created", "lastmodified", "title"):
            raise CannotParse(f"Could not parse cql : {self._cql} : cannot order by {field!r}")
        descending = self._accept("desc")
        if not descending:
            self._accept("asc")
        return field, descending


def _compare(field: str, operator: str, values: list[str]) -> Test:
    if field in ("created", "lastmodified"):
        return _compare_dates(operator, _date(values[0]))
    if operator in ("~", "!~"):
        contains = _contains(field, values[0])
        return contains if operator == "~" else lambda page: not contains(page)
    read: dict[str, Callable[[Page], list[str]]] = {
        "space": lambda _: [SPACE_KEY],
        "type": lambda _: ["page"],
        "label": lambda page: page.labels,
        "id": lambda page: [page.id],
        "ancestor": lambda page: [page.parent or ""],
        "title": lambda page: [page.title],
    }
    negated = operator in ("!=", "not in")
    return lambda page: bool(set(read[field](page)) & set(values)) != negated


def _contains(field: str, text: str) -> Test:
    if not text.strip() or _LUCENE.search(text):
        raise CannotParse(f"Could not parse cql : the text {text!r} holds characters that need escaping, or nothing")
    wanted = set(_split(text))
    return lambda page: wanted <= set(_split(page.title if field == "title" else f"{page.title} {words(page.storage)}"))


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _date(text: str) -> float:
    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise CannotParse(f"Could not parse cql : {text!r} is no date; there are yyyy-MM-dd HH:mm and yyyy-MM-dd")


def _compare_dates(operator: str, date: float) -> Test:
    compare: dict[str, Test] = {
        "=": lambda page: page.created == date,
        "!=": lambda page: page.created != date,
        ">": lambda page: page.created > date,
        ">=": lambda page: page.created >= date,
        "<": lambda page: page.created < date,
        "<=": lambda page: page.created <= date,
    }
    return compare[operator]
