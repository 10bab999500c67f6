"""A tool is one decorated async method of a group class; everything else about it is derived here.

From the signature: the arguments' validation and their JSON schema, flat and small because every conversation pays for
it. From the docstring: the description, which is prompt text. Around the call: a deadline, a limit on the result, and
errors in words. Nothing here connects to anything or knows MCP.
"""

import asyncio
import inspect
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from sre_bot.errors import BadRequest, SreBotError
from sre_bot.tools.masking import mask_secrets

SOFT_LIMIT = 12_000
"""Characters of a result where the tool asks for no other limit."""

HARD_LIMIT = 40_000
"""Characters that no result exceeds: Claude Code replaces results of more than 50,000 by a 2 KB preview."""

_ERROR_LIMIT = 2_000
_SUBJECT_LIMIT = 120  # characters of one argument inside a status line

_log = logging.getLogger(__name__)


class Access(Enum):
    """What a call may do; the bot allows READ by itself and gates the others."""

    READ = "read"
    NOTIFY = "notify"
    CHANGE = "change"


@dataclass(frozen=True)
class Answer:
    """What the model gets: one text, well-formed Unicode, bounded, its secrets masked, and with it perhaps a PNG."""

    text: str
    is_error: bool = False
    image: bytes = b""


@dataclass(frozen=True)
class ToolSpec:
    """All that is known of a tool without connecting anything."""

    name: str
    title: str
    description: str
    access: Access
    schema: Mapping[str, Any]
    progress: str
    timeout: float
    limit: int
    check: str
    arguments: type[BaseModel]
    method: Callable[..., Awaitable[str | Answer]]

    @property
    def annotations(self) -> dict[str, bool]:
        """MCP's hints, where they differ from its defaults (MCP specification: ToolAnnotations)."""
        if self.access is Access.READ:
            return {"readOnlyHint": True}  # what lets Claude Code run calls in parallel
        if self.access is Access.NOTIFY:
            return {"destructiveHint": False, "idempotentHint": True}
        return {}

    def describe_call(self, arguments: Mapping[str, Any]) -> str:
        """One line of Markdown that says what a call does.

        `{service|all services}` is the argument, as code since the model wrote it, or else the words after the bar.
        """

        def subject(match: re.Match[str]) -> str:
            given = arguments.get(match[1])
            if given in (None, ""):
                return match[2] or ""
            return f"`{shorten(str(given), _SUBJECT_LIMIT).replace('`', '')}`"

        return re.sub(r"\{(\w+)(?:\|([^}]*))?\}", subject, self.progress).strip()


M = TypeVar("M", bound=Callable[..., Awaitable[str | Answer]])


def tool(
    access: Access, *, title: str, progress: str, timeout: float = 20.0, limit: int = SOFT_LIMIT, check: str = ""
) -> Callable[[M], M]:
    """Mark an async method as a tool.

    Args:
        access: what the call may do.
        title: its name for people.
        progress: the line that Slack shows meanwhile, see `ToolSpec.describe_call`.
        timeout: seconds, below the client's own.
        limit: characters of the result, at most HARD_LIMIT.
        check: for a tool that writes, the tools that tell what it did when its answer is lost.
    """

    def mark(method: M) -> M:
        method.__dict__["tool"] = {
            "access": access,
            "title": title,
            "progress": progress,
            "timeout": timeout,
            "limit": min(limit, HARD_LIMIT),
            "check": check,
        }
        return method

    return mark


def specs_of(group: type) -> tuple[ToolSpec, ...]:
    """The tools of a group class, in the order of its text."""
    return tuple(_derive(method, method.tool) for method in vars(group).values() if hasattr(method, "tool"))


@dataclass(frozen=True)
class Tool:
    """A tool that can be called: its spec and the group object that holds its connections."""

    spec: ToolSpec
    group: object

    async def call(self, arguments: Mapping[str, Any], sealed: Mapping[str, Any] | None = None) -> Answer:
        """Validate and run. Every failure is an Answer; only cancellation is raised.

        Args:
            arguments: the model's.
            sealed: code's own, for keyword-only parameters, from the plan that a person approved.
        """
        spec = self.spec
        try:
            values = read_arguments(spec, arguments)
            async with asyncio.timeout(spec.timeout):
                own = {name: getattr(values, name) for name in spec.arguments.model_fields}
                given = await spec.method(self.group, **own, **(sealed or {}))
            answer = given if isinstance(given, Answer) else Answer(given)
            return replace(answer, text=_bound(answer.text, spec.limit))
        except SreBotError as error:
            return _failure(str(error))
        except TimeoutError:
            return _failure(f"{spec.name} timed out after {spec.timeout:g} s and was stopped. {_after_deadline(spec)}")
        except Exception as error:  # noqa: BLE001  (top level of a call: nothing may end the server)
            reference = secrets.token_hex(4)
            _log.error("%s failed, reference %s", spec.name, reference, exc_info=error)
            return _failure(
                f"{spec.name} failed: {type(error).__name__} (reference {reference}; the details are in the tool "
                f"server's log). This is a defect of the tool, not a finding about the services."
            )


def read_arguments(spec: ToolSpec, arguments: Mapping[str, Any]) -> BaseModel:
    """The arguments of a call, validated.

    Raises:
        BadRequest: they cannot be used; says which can.
    """
    # Models send null for what they leave out; a parameter that has a default means that by it.
    given = {key: value for key, value in arguments.items() if value is not None}
    _refuse_half_characters(spec, given)
    try:
        return spec.arguments.model_validate(given)
    except ValidationError as error:
        raise BadRequest(_explain(spec, error)) from error


def shorten(text: str, limit: int) -> str:
    """`text` on one line, at most `limit` characters, without control characters: others may have written it."""
    head = text[: 4 * limit]  # runs of blanks shrink; a text of megabytes need not be walked through
    line = " ".join("".join(char if char.isprintable() else " " for char in head).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def excerpt(text: str, limit: int) -> str:
    """The words of others as `shorten` has them; secrets are masked before anything is cut, which could hide them."""
    return shorten(mask_secrets(text[: 10 * limit]), limit)


def _derive(method: Callable[..., Awaitable[str | Answer]], mark: Mapping[str, Any]) -> ToolSpec:
    name = method.__name__
    hints = get_type_hints(method, include_extras=True)
    # What stands after `*` is not the model's to give: it is neither in the schema nor taken from a call.
    given = list(inspect.signature(method).parameters.values())[1:]
    parameters = [parameter for parameter in given if parameter.kind is not parameter.KEYWORD_ONLY]
    fields: dict[str, Any] = {
        parameter.name: (
            hints[parameter.name],
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in parameters
    }
    # Numbers are taken for text, so that a time may be sent as a number.
    config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    arguments = create_model(name, __config__=config, **fields)
    return ToolSpec(
        name=name,
        description=" ".join((method.__doc__ or "").split()),
        schema=_flatten(arguments.model_json_schema()),
        arguments=arguments,
        method=method,
        **mark,
    )


def _flatten(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without titles and null branches, which say nothing to a model and are a third of the bytes."""
    properties = {}
    for name, given in schema.get("properties", {}).items():
        described = {key: value for key, value in given.items() if key not in ("title", "anyOf")}
        branches = [branch for branch in given.get("anyOf", []) if branch != {"type": "null"}]
        if branches:
            described |= branches[0]
        if described.get("default", ...) is None:
            del described["default"]
        properties[name] = described
    flat: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return flat | ({"required": schema["required"]} if "required" in schema else {})


def _explain(spec: ToolSpec, error: ValidationError) -> str:
    """Pydantic's findings as advice, without its addresses."""
    lines = []
    for finding in error.errors(include_url=False, include_input=False)[:5]:
        name = shorten(".".join(map(str, finding["loc"])), 60)
        if finding["type"] == "extra_forbidden":
            lines.append(f"there is no argument {name!r}")
        elif finding["type"] == "missing":
            lines.append(f"{name} is required")
        else:
            lines.append(f"{name}: {finding['msg'].removeprefix('Value error, ')}")
    known = ", ".join(
        f"{name} (required)" if field.is_required() else name for name, field in spec.arguments.model_fields.items()
    )
    return f"{spec.name} was not run: {'; '.join(lines)}. Arguments: {known or 'none'}."


def _refuse_half_characters(spec: ToolSpec, given: Mapping[str, Any]) -> None:
    """Refuse text that no system can be sent; to replace it would change what was meant."""
    for name, value in given.items():
        if name in spec.arguments.model_fields and isinstance(value, str) and _well_formed(value) != value:
            raise BadRequest(f"{spec.name} was not run: {name}: holds half of a character (a lone surrogate).")


def _after_deadline(spec: ToolSpec) -> str:
    if spec.access is Access.READ:
        return "Ask for less: a shorter range, a narrower query or one service."
    look = f"look with {spec.check}" if spec.check else "look at what it would have changed"
    return f"Its outcome is UNKNOWN: it may have taken effect, wholly or in part. Before you repeat it, {look}."


def _failure(text: str) -> Answer:
    return Answer(mask_secrets(_well_formed(text))[:_ERROR_LIMIT], is_error=True)


def _bound(text: str, limit: int) -> str:
    """`text`, its secrets masked, cut at a line's end where it exceeds `limit`, and then saying so."""
    text = mask_secrets(_well_formed(text))
    if len(text) <= limit:
        return text
    notice = f"\n[cut: {limit:,} of {len(text):,} characters; ask for less to see the rest]"
    return text[: limit - len(notice)].rpartition("\n")[0] + notice


def _well_formed(text: str) -> str:
    # A lone surrogate from a log line or an argument cannot be sent as UTF-8.
    return text.encode("utf-8", "replace").decode()
