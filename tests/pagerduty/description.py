"""PagerDuty's own OpenAPI description as the judge of what the client sends and the stand-in answers.

The description contradicts its own examples, its own words or itself in a few places. Those are corrected here, one by
one; a test holds that its examples are valid with the corrections and not without.
"""

import copy
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT4

from sre_bot.settings import ROOT

FILE = ROOT.parent / "shared" / "spec-data" / "pagerduty-openapi.json"

Json = dict[str, Any]
_URN = "urn:pagerduty"
_INCIDENT = ("components", "schemas", "Incident", "allOf", 1, "properties")
_ALERT_BODY = ("components", "schemas", "Alert", "allOf", 1, "properties", "body", "properties")
_OBJECT_OR_TEXT = ["object", "string"]

CORRECTIONS: dict[tuple[str | int, ...], Any] = {
    # Its examples, or its own words, say null.
    (*_INCIDENT, "resolved_at", "nullable"): True,
    (*_INCIDENT, "alert_grouping", "nullable"): True,
    (*_INCIDENT, "alert_grouping", "properties", "ended_at", "nullable"): True,
    ("components", "schemas", "ResolveReason", "nullable"): True,
    # Priorities are optional on an account, and then null.
    ("components", "schemas", "Priority", "nullable"): True,
    # Its words say object or string; its request example has a string.
    (*_ALERT_BODY, "details", "type"): _OBJECT_OR_TEXT,
    ("components", "schemas", "IncidentBody", "properties", "details", "type"): _OBJECT_OR_TEXT,
    # One entry has two types that exclude each other.
    ("components", "schemas", "AcknowledgeLogEntry", "allOf", 1, "properties", "type", "enum"): [
        "acknowledge_log_entry"
    ],
}
_CHANNEL = ("components", "schemas", "Channel")  # its oneOf has branches that all match, also its own example

_FORMATS = jsonschema.FormatChecker(formats=())
_FORMATS.checks("date-time", raises=ValueError)(lambda text: not isinstance(text, str) or datetime.fromisoformat(text))
_FORMATS.checks("email")(lambda text: not isinstance(text, str) or re.fullmatch(r"\S+@\S+", text) is not None)


class Description:
    """The description, with or without the corrections."""

    def __init__(self, *, corrected: bool = True) -> None:
        self.raw: Json = json.loads(FILE.read_text(encoding="utf-8"))
        document = copy.deepcopy(self.raw)
        if corrected:
            for path, value in CORRECTIONS.items():
                _dig(document, path[:-1])[path[-1]] = value
            channel = _dig(document, _CHANNEL)
            channel["anyOf"] = channel.pop("oneOf")
        self._document = _nullable(document)
        self._registry: Registry[Any] = Registry().with_resource(_URN, DRAFT4.create_resource(self._document))

    def judge(self, call: Json) -> list[str]:
        """What is wrong with one call as the stand-in wrote it down, request and answer."""
        template = next((path for path in self.raw["paths"] if _matches(path, call["path"])), None)
        operation = self.raw["paths"].get(template, {}).get(call["method"].lower())
        if operation is None:
            return [f"{call['method']} {call['path']} is not described"]
        findings = [*self._request(operation, template, call), *self._answer(operation, template, call)]
        return [f"{call['method']} {call['path']}: {finding}" for finding in findings]

    def examples(self) -> Iterator[tuple[str, list[str]]]:
        """Every example of a body in the description, with what is wrong with it."""
        for path, operations in self.raw["paths"].items():
            for method, operation in operations.items():
                if method == "description":
                    continue
                for place, content in _bodies(operation):
                    for example in content.get("examples", {}).values():
                        where = ("paths", path, method, *place, "content", "application/json", "schema")
                        yield f"{method} {path} {place[-1]}", self._check(where, example["value"])

    def _request(self, operation: Json, template: str | None, call: Json) -> Iterator[str]:
        parameters = {item["name"]: item for item in map(self._resolve, operation["parameters"])}
        headers = {name.lower(): value for name, value in call["headers"].items()}
        for name, parameter in parameters.items():
            if parameter["in"] == "header" and parameter.get("required") and name.lower() not in headers:
                yield f"header {name} is missing"
            elif parameter["in"] == "header":
                yield from self._value(parameter["schema"], headers.get(name.lower()))
        for name, value in call["query"]:
            if parameters.get(name, {}).get("in") != "query":
                yield f"query parameter {name} is not described"
            else:
                yield from self._value(parameters[name]["schema"], value)
        if "requestBody" in operation:
            place = ("paths", template, call["method"].lower(), "requestBody", "content", "application/json", "schema")
            yield from self._check(place, call["body"])
        elif call["body"] is not None:
            yield "a body is not described"

    def _answer(self, operation: Json, template: str | None, call: Json) -> list[str]:
        status = str(call["status"])
        if call["status"] is None:
            return []  # a fault: nothing was answered
        described = operation["responses"].get(status)
        if described is None:  # the description leaves out some errors; all have one shape
            where: tuple[Any, ...] = ("components", "responses", "Conflict")
            if call["status"] < 400:
                return [f"status {status} is not described"]
        elif "$ref" in described:
            where = tuple(described["$ref"].removeprefix("#/").split("/"))
        else:
            where = ("paths", template, call["method"].lower(), "responses", status)
        return self._check((*where, "content", "application/json", "schema"), call["answer"])

    def _value(self, schema: Json, text: str | None) -> list[str]:
        value: Any = text
        if schema.get("type") == "integer" and text is not None and text.isdecimal():
            value = int(text)
        elif schema.get("type") == "boolean":
            value = {"true": True, "false": False}.get(str(text), text)
        elif schema.get("type") == "array":
            value = [text]
        return [] if text is None else self._findings({"type": "string"} | schema, value)

    def _check(self, where: tuple[Any, ...], value: object) -> list[str]:
        pointer = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in where)
        return self._findings({"$ref": f"{_URN}#/{pointer}"}, value)

    def _findings(self, schema: Json, value: object) -> list[str]:
        validator = jsonschema.Draft4Validator(schema, registry=self._registry, format_checker=_FORMATS)
        return [
            f"{'.'.join(map(str, found.absolute_path))}: {found.message[:200]}"
            for found in validator.iter_errors(value)
        ]

    def _resolve(self, item: Json) -> Json:
        return _dig(self.raw, tuple(item["$ref"].removeprefix("#/").split("/"))) if "$ref" in item else item


def _bodies(operation: Json) -> Iterator[tuple[tuple[str, ...], Json]]:
    places: list[tuple[tuple[str, ...], Json]] = [(("requestBody",), operation.get("requestBody", {}))]
    places += [(("responses", status), answer) for status, answer in operation["responses"].items()]
    for place, body in places:
        if "application/json" in body.get("content", {}):
            yield place, body["content"]["application/json"]


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


def _dig(node: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        node = node[part]
    return node


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(node, list):
        return [_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _nullable(value) for key, value in node.items()}
    if made.get("nullable") is True and not isinstance(made["nullable"], dict):
        del made["nullable"]
        return {"anyOf": [made, {"type": "null"}]}
    return made
