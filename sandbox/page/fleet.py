"""The fleet: its topology with health, its deployments, its env file, and what can be broken with a click."""

import hashlib
import re
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.page.chat import read_order
from sandbox.page.faults import FAULTS, Fault, find_fault
from sandbox.page.signals import CHARTED, answered, judge, read_catalog
from sandbox.page.upstream import Json, Refusal, Upstream

DEPLOYED = "api-server"  # the service that the env file belongs to
MOST_BYTES = 64 * 1024
DEPLOYMENTS = "20"


class Fleet:
    """The handlers below /api/fleet."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/api/fleet", self._show),
            web.get("/api/fleet/logs", self.logs),
            web.post("/api/fleet/deploy", self.deploy),
            web.post("/api/fleet/faults/{id}", self.fault),
        ]

    async def look(self) -> Json:
        """Everything that the page shows of the fleet."""
        figures, history, missing = await answered(self._upstream)
        catalog = read_catalog()
        services = [
            {"name": name, **_about(service), **judge(figures, name)} for name, service in catalog.services.items()
        ]
        env = read_env(self._upstream.parts.env_file)
        return {
            "services": services,
            "history": history,
            "missing": missing,
            "signals": {name: _limits(signal) for name, signal in catalog.signals.items()},
            "charted": CHARTED,
            "deployments": await self._deployments(),
            "env": env,
            "faults": [_seen(fault, env["text"]) for fault in FAULTS],
        }

    async def logs(self, request: web.Request) -> web.Response:
        """The newest lines that the fleet logged, oldest first."""
        known = {name: request.query[name] for name in ("service", "level", "limit") if request.query.get(name)}
        return web.json_response(await self._upstream.get("fleet", "logs", **known))

    async def deploy(self, request: web.Request) -> web.Response:
        """Write the env file, if it is still the one that was read (`hash`), and redeploy."""
        order = await read_order(request)
        text = order.get("text")
        if not isinstance(text, str) or len(text.encode()) > MOST_BYTES:
            raise Refusal(400, f"The env file is text of at most {MOST_BYTES} bytes.")
        self._write(text, str(order.get("hash", "")))
        return web.json_response(await self._redeploy(order, "edited in the sandbox page"))

    async def fault(self, request: web.Request) -> web.Response:
        """Break something, or with `{"mend": true}` put it right again."""
        order = await read_order(request)
        fault = find_fault(request.match_info["id"])
        if fault is None:
            raise Refusal(404, f"There is no such fault; there are {', '.join(fault.id for fault in FAULTS)}.")
        env = read_env(self._upstream.parts.env_file)
        settings = fault.healthy if order.get("mend") else fault.broken
        self._write(edited(env["text"], settings), env["hash"])
        changes = ", ".join(f"{name}={value}" for name, value in settings.items())
        return web.json_response(await self._redeploy(order, changes))

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response(await self.look())

    async def _redeploy(self, order: Json, reason: str) -> Any:  # noqa: ANN401  (JSON)
        body = {"author": str(order.get("author") or "somebody"), "reason": reason}
        return await self._upstream.post("fleet", f"redeploy/{DEPLOYED}", body)

    async def _deployments(self) -> list[Json]:
        try:
            return list((await self._upstream.get("fleet", "deployments", limit=DEPLOYMENTS))["deployments"])
        except Refusal:
            return []  # that the fleet does not answer is said by its figures

    def _write(self, text: str, known: str) -> None:
        path = self._upstream.parts.env_file
        if path is None or not path.exists():
            raise Refusal(503, "There is no env file in this sandbox.")
        if read_env(path)["hash"] != known:
            raise Refusal(409, "The env file was changed meanwhile. Look at what it says now, then deploy again.")
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Refusal(500, f"The env file could not be written: {error.strerror}.") from error


def read_env(path: Path | None) -> Json:
    """The env file as it is: {name, text, hash}; empty where there is none."""
    content = path.read_bytes() if path and path.exists() else b""
    digest = hashlib.sha256(content).hexdigest()
    return {"name": path.name if path else "", "text": content.decode("utf-8", "replace"), "hash": digest}


def edited(text: str, settings: dict[str, str]) -> str:
    """An env file with other values; a key that is not in it is added."""
    for name, value in settings.items():
        line = f"{name}={value}"
        found = re.compile(rf"^{re.escape(name)}=.*$", re.MULTILINE)
        text = found.sub(line.replace("\\", r"\\"), text) if found.search(text) else f"{text.rstrip()}\n{line}\n"
    return text


def _about(service: Json) -> Json:
    return {
        "purpose": service["purpose"],
        "owner": service["owner"],
        "escalation": service["escalation"],
        "depends_on": service["depends_on"],
    }


def _limits(signal: Json) -> Json:
    return {
        "title": signal["title"],
        "unit": signal["unit"],
        "warning": signal.get("warning"),
        "critical": signal.get("critical"),
    }


def _seen(fault: Fault, env: str) -> Json:
    written = dict(re.findall(r"^([A-Z_]+)=(.*)$", env, re.MULTILINE))
    return {
        "id": fault.id,
        "title": fault.title,
        "about": fault.about,
        "broken": fault.broken,
        "healthy": fault.healthy,
        "active": all(written.get(name, "").strip() == value for name, value in fault.broken.items()),
    }
