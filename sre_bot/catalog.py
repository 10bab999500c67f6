"""services.yaml as typed data: services, signals with their thresholds, owners, escalation and changeable settings.

It refuses unknown keys, dangling names, thresholds in the wrong order and settings without bounds, and says in which
file, on which line and under which key. Nothing here talks to a network.

    python -m sre_bot.catalog > config/services.schema.json     # after a change here: what editors check the file with
"""

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from sre_bot.errors import BadRequest, CatalogError

Unit = Literal["ratio", "ms", "per_second", "bytes", "count"]

# Names reach file names and argument vectors: none may look like an option or leave its folder.
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

PLAIN_VALUE = re.compile(r"[A-Za-z0-9._+:/@-]{1,200}")
"""What any written value consists of, whatever its type: nothing that a shell, a quote or a comment begins with."""


class Severity(IntEnum):
    """How bad a figure is; ordered, so that `max()` gives the worst. NO_DATA is never taken for healthy."""

    OK = 0
    NO_DATA = 1
    WARNING = 2
    CRITICAL = 3


class Entry(BaseModel):
    """One mapping of the catalog; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Pool(Entry):
    """Database connections a service may hold: `workers` times `per_worker`."""

    workers: PositiveInt
    per_worker: PositiveInt

    @property
    def size(self) -> int:
        """Connections of all workers together."""
        return self.workers * self.per_worker


class Setting(Entry):
    """One key of a service's env file that may be changed, and the values that it may take.

    A number has a minimum and a maximum, a text has `values` or a `pattern`: a key that could take anything is refused.
    `secret` is for a key whose value is never shown and never changed.
    """

    type: Literal["integer", "number", "text", "secret"]
    purpose: str
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        numeric = self.type in ("integer", "number")
        if numeric != (self.minimum is not None) or numeric != (self.maximum is not None):
            raise ValueError("minimum and maximum belong to integer and number, both of them")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum must not be above maximum")
        if (self.type == "text") != bool(self.values or self.pattern):
            raise ValueError("a text, and nothing else, has values or a pattern")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error
        return self

    @property
    def allowed(self) -> str:
        """The values it may take, in words: `integer 1 to 200`."""
        if self.minimum is not None and self.maximum is not None:
            return f"{self.type} {self.minimum:g} to {self.maximum:g}"
        if self.type == "secret":
            return "secret, never changed by a tool"
        return f"one of {', '.join(self.values)}" if self.values else f"text like {self.pattern}"

    def accepts(self, value: str) -> bool:
        """Whether `value`, as it would be written into the file, is allowed."""
        if self.type == "secret" or not PLAIN_VALUE.fullmatch(value):
            return False
        if self.minimum is not None and self.maximum is not None:
            shape = r"-?(0|[1-9][0-9]{0,14})" + (r"(\.[0-9]{1,15})?" if self.type == "number" else "")
            return bool(re.fullmatch(shape, value)) and self.minimum <= float(value) <= self.maximum
        return value in self.values if self.values else bool(re.fullmatch(self.pattern or "", value))


class Service(Entry):
    """One service: who owns it, what it calls, and which file configures it.

    `env_file` is a file's name in the folder of env files, which nothing leaves; `config` are its keys that are known.
    """

    purpose: str
    owner: str
    escalation: str = Field(pattern=r"^#[a-z0-9_-]+$")
    depends_on: tuple[str, ...] = ()
    db_pool: Pool | None = None
    max_connections: PositiveInt | None = None
    env_file: PlainName | None = None
    config: Mapping[VariableName, Setting] = {}
    unmeasured: tuple[str, ...] = ()
    """Signals that this service does not have; the absence of any other figure counts against its health."""

    @model_validator(mode="after")
    def _configured_somewhere(self) -> Self:
        if self.config and not self.env_file:
            raise ValueError("config describes keys of an env_file, and there is none")
        return self


class Signal(Entry):
    """One figure per service: its PromQL, its unit, and where it becomes a warning or critical.

    `critical_below` is for figures of which less is worse. A `vital` figure without thresholds has to be there all the
    same: without it a service is not known to be healthy.
    """

    title: str
    unit: Unit
    query: str
    warning: float | None = None
    critical: float | None = None
    critical_below: float | None = None
    vital: bool = False

    @property
    def decides(self) -> bool:
        """Whether this figure, or its absence, counts for a service's health; the others are context."""
        return self.vital or self.critical is not None or self.critical_below is not None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (self.warning is None) != (self.critical is None):
            raise ValueError("warning and critical belong together")
        if self.warning is not None and self.critical is not None and self.warning >= self.critical:
            raise ValueError("warning must be below critical")
        return self

    def judge(self, value: float | None) -> Severity:
        """Severity of `value` (in the signal's unit): strictly beyond a threshold breaches it; None is NO_DATA."""
        if value is None or math.isnan(value):
            return Severity.NO_DATA if self.decides else Severity.OK
        if self.critical is not None and value > self.critical:
            return Severity.CRITICAL
        if self.critical_below is not None and value < self.critical_below:
            return Severity.CRITICAL
        return Severity.WARNING if self.warning is not None and value > self.warning else Severity.OK


class RootCause(Entry):
    """What a ranking of suspects reads: PromQL of rates over `$window`, and names of signals.

    The first three queries answer one sample per service (label `service`): requests, failures and seconds spent, each
    per second. Those of calls answer one per caller and callee (labels `service`, `target`), as the caller measured it.
    """

    requests: str
    failures: str
    seconds: str
    call_requests: str | None = None
    call_failures: str | None = None
    call_seconds: str | None = None
    usage: tuple[str, ...] = ()
    """Signals that are shares of a limit."""
    queue: str | None = None
    """The signal of requests that wait for something limited."""
    up: str | None = None
    """The signal that is 1 while a service runs."""

    @property
    def queries(self) -> dict[str, str]:
        """The queries that there are, by field."""
        named = {name: getattr(self, name) for name in ("requests", "failures", "seconds")}
        calls = {name: getattr(self, name) for name in ("call_requests", "call_failures", "call_seconds")}
        return named | {name: query for name, query in calls.items() if query}

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of all signals that are read."""
        return (*self.usage, *filter(None, (self.queue, self.up)))


class Catalog(Entry):
    """All services and signals, by name, in the order of the file."""

    services: Mapping[PlainName, Service]
    signals: Mapping[str, Signal]
    root_cause: RootCause | None = None

    def service(self, name: str) -> Service:
        """The service called `name`.

        Raises:
            BadRequest: there is none; the message lists those that exist.
        """
        if name not in self.services:
            raise BadRequest(f"No service {name!r} in the catalog. Services: {', '.join(self.services)}.")
        return self.services[name]

    def callers(self, name: str) -> tuple[str, ...]:
        """Services that depend on `name` directly."""
        return tuple(caller for caller, service in self.services.items() if name in service.depends_on)


def load_catalog(config_dir: Path) -> Catalog:
    """Read `services.yaml` in `config_dir`.

    Raises:
        CatalogError: file, line, key and what is wrong, for every finding.
    """
    path = config_dir / "services.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read ({error.strerror}). SRE_CONFIG_DIR names its folder.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: is not valid YAML: {error}") from error
    if repeated := list(_repeated(path, root)):
        raise CatalogError("\n".join(repeated))
    try:
        catalog = Catalog.model_validate(data)
    except ValidationError as error:
        findings = [(finding["loc"], finding["msg"]) for finding in error.errors(include_url=False)]
        raise CatalogError("\n".join(_locate(path, root, *finding) for finding in findings)) from error
    if dangling := list(_dangling(catalog)):
        raise CatalogError("\n".join(_locate(path, root, *finding) for finding in dangling))
    return catalog


def _dangling(catalog: Catalog) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Names of services and signals that do not exist, as (where, what)."""
    for name, service in catalog.services.items():
        for index, target in enumerate(service.depends_on):
            if target not in catalog.services:
                yield ("services", name, "depends_on", index), f"there is no service {target!r}"
        for index, signal in enumerate(service.unmeasured):
            if signal not in catalog.signals:
                yield ("services", name, "unmeasured", index), f"there is no signal {signal!r}"
    for signal in catalog.root_cause.signals if catalog.root_cause else ():
        if signal not in catalog.signals:
            yield ("root_cause",), f"there is no signal {signal!r}"


def _locate(path: Path, root: yaml.Node | None, loc: Iterable[Any], message: str) -> str:
    """`file:line: key.key: message`, the line being that of the deepest key which the file has."""
    line, node, keys = 1, root, []
    for key in loc:
        keys.append(str(key))
        node = _child(node, key)
        if node is None:
            break
        line = node.start_mark.line + 1
    where = f"{'.'.join(keys)}: " if keys else ""
    return f"{path}:{line}: {where}{message.removeprefix('Value error, ')}"


def _repeated(path: Path, node: yaml.Node | None, prefix: str = "") -> Iterator[str]:
    """Keys that a mapping has twice: YAML forbids them, and its reader would keep the last one in silence."""
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[str, int] = {}
    for key, value in node.value:
        name, line = prefix + str(key.value), key.start_mark.line + 1
        if name in first:
            yield f"{path}:{line}: {name}: is there twice, first on line {first[name]}"
        first.setdefault(name, line)
        yield from _repeated(path, value, f"{name}.")


def _child(node: yaml.Node | None, key: object) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None


def editor_schema() -> str:
    """The JSON Schema of services.yaml, with which editors complete and check it."""
    return json.dumps(Catalog.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(editor_schema())
