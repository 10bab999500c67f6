"""The part of LogQL that finds lines: a stream selector, line filters and label filters.

String literals are read as Go reads them and regular expressions are those that RE2 and Python share; anything else is
refused, as a parse error in Loki's form where Loki has one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Test = Callable[[str], bool]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOUBLE_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_RAW = re.compile(r"`([^`]*)`")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)")
_PLAIN_ESCAPES = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))
_MATCHERS = ("=~", "!~", "!=", "=")
_LINE_FILTERS = ("|=", "|~", "!=", "!~")
_SURROGATES = range(0xD800, 0xE000)
_LARGEST = 0x10FFFF
_NOT_RE2 = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:[=!]|<[=!]|P=|#)|\\[1-9ZG])")
_EMPTY_SELECTOR = (
    "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For "
    'instance, app=~".*" does not meet this requirement, but app=~".+" will'
)


class ParseError(Exception):
    """The query is not LogQL, or more of it than the stand-in knows."""


@dataclass(frozen=True)
class Matcher:
    """A condition on one label; an absent label is the empty string."""

    label: str
    test: Test
    positive: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it."""
        return self.test(labels.get(self.label, ""))


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    selector: tuple[Matcher, ...]
    lines: tuple[Test, ...]
    labels: tuple[Matcher, ...]

    def selects(self, stream: Mapping[str, str]) -> bool:
        """Whether the stream with these labels is searched."""
        return all(matcher.matches(stream) for matcher in self.selector)

    def keeps(self, line: str, labels: Mapping[str, str]) -> bool:
        """Whether a line passes the filters; `labels` are its stream's and its structured metadata."""
        return all(test(line) for test in self.lines) and all(matcher.matches(labels) for matcher in self.labels)


def parse(text: str) -> Query:
    """Parse a log query. Raises ParseError."""
    reader = _Reader(text)
    reader.expect("{")
    selector = [reader.matcher()]
    while reader.take(","):
        selector.append(reader.matcher())
    reader.expect("}")
    if not any(matcher.positive and not matcher.test("") for matcher in selector):
        raise ParseError(f"parse error : {_EMPTY_SELECTOR}")
    lines: list[Test] = []
    labels: list[Matcher] = []
    while not reader.ended():
        operator = next((each for each in _LINE_FILTERS if reader.take(each)), None)
        if operator:
            lines.append(_line_test(operator, reader.string()))
        else:
            reader.expect("|")
            labels.append(reader.matcher())
    return Query(tuple(selector), tuple(lines), tuple(labels))


class _Reader:
    """The query and how far it was read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def ended(self) -> bool:
        self._skip()
        return self._at == len(self._text)

    def take(self, token: str) -> bool:
        self._skip()
        found = self._text.startswith(token, self._at)
        self._at += len(token) if found else 0
        return found

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise self._unexpected(f"expecting {token}")

    def matcher(self) -> Matcher:
        """`name="value"`, in a selector or as a label filter; regular expressions match the whole value."""
        label = self._match(_NAME, "IDENTIFIER")[0]
        operator = next((each for each in _MATCHERS if self.take(each)), None)
        if operator is None:
            raise self._unexpected("expecting =, !=, =~ or !~")
        return Matcher(label, _label_test(operator, self.string()), operator in ("=", "=~"))

    def string(self) -> str:
        self._skip()
        if self._text.startswith("`", self._at):
            return self._match(_RAW, "STRING")[1]
        return _unquote(self._match(_DOUBLE_QUOTED, "STRING")[1])

    def _match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        self._skip()
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._unexpected(f"expecting {what}")
        self._at = found.end()
        return found

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1] in (" ", "\t", "\n", "\r"):
            self._at += 1

    def _unexpected(self, what: str) -> ParseError:
        found = self._text[self._at : self._at + 20] or "$end"
        return ParseError(f"parse error at line 1, col {self._at + 1}: syntax error: unexpected {found}, {what}")


def _unquote(text: str) -> str:
    """The value of a double-quoted literal of Go (Go specification: String literals)."""

    def read(escape: re.Match[str]) -> str:
        body = escape[1]
        if body in _PLAIN_ESCAPES:
            return _PLAIN_ESCAPES[body]
        if not re.fullmatch(r"[xuU][0-9a-fA-F]+|[0-7]{3}", body):
            raise ParseError(f"parse error : invalid char escape \\{body}")
        code = int(body, 8) if body.isdigit() else int(body[1:], 16)
        if code in _SURROGATES or code > _LARGEST:
            raise ParseError(f"parse error : escape \\{body} is no Unicode character")
        return chr(code)

    return _ESCAPE.sub(read, text)


def _compile(expression: str) -> re.Pattern[str]:
    if found := _NOT_RE2.search(expression):
        raise ParseError(f"parse error : error parsing regexp: invalid or unsupported Perl syntax: `{found[0]}`")
    try:
        return re.compile(expression)
    except re.error as error:
        raise ParseError(f"parse error : error parsing regexp: {error}") from error


def _label_test(operator: str, value: str) -> Test:
    if operator in ("=", "!="):
        return lambda label: (label == value) == (operator == "=")
    expression = _compile(value)
    return lambda label: bool(expression.fullmatch(label)) == (operator == "=~")


def _line_test(operator: str, value: str) -> Test:
    if operator in ("|=", "!="):
        return lambda line: (value in line) == (operator == "|=")
    expression = _compile(value)
    return lambda line: bool(expression.search(line)) == (operator == "|~")
