"""files.*: the three steps of an upload, and reading files back.

Slack: files.getUploadURLExternal, a POST of exactly the announced number of bytes, then
files.completeUploadExternal, which shares the file as a message.
"""

from __future__ import annotations

import mimetypes
from typing import Any

from aiohttp import web

from sandbox.slack.limits import TIERS
from sandbox.slack.web_api.call import Call, Json, Refused, method
from sandbox.slack.web_api.chat import message_of, thread_of, writable
from sandbox.slack.web_api.content import Content, as_stored
from sandbox.slack.world import BOT_TOKEN, World

FILE_MOST_BYTES = 1_000_000_000  # Slack: files, "1 GB"


def file_record(world: World, name: str, content: bytes, mimetype: str, base_url: str) -> Json:
    """A stored file as messages show it; its bytes are kept apart under `files[id]`."""
    file_id = world.next_id("F")
    record = {
        "id": file_id,
        "name": name,
        "title": name,
        "mimetype": mimetype,
        "filetype": name.rpartition(".")[2] or "text",
        "size": len(content),
        "mode": "hosted",
        "url_private": f"{base_url}/files/{file_id}/{name}",
        "url_private_download": f"{base_url}/files/{file_id}/download/{name}",
        "permalink": f"{base_url}/files/{file_id}",
    }
    world.files[file_id] = {"record": record, "content": content, "expected": len(content), "shared": True}
    return record


@method(
    "files.getUploadURLExternal",
    per_minute=TIERS[4],
    required=("filename", "length"),
    optional=("alt_txt", "snippet_type"),
)
async def get_upload_url(call: Call) -> Json:
    """Announce a file and learn where to send it."""
    length = call.number("length", 0, 1, FILE_MOST_BYTES)
    world = call.workspace.world
    name = call.text("filename")
    record = file_record(world, name, b"", mimetypes.guess_type(name)[0] or "text/plain", call.base_url)
    world.files[record["id"]] |= {"content": None, "expected": length, "shared": False}
    return {"upload_url": f"{call.base_url}/upload/v1/{record['id']}", "file_id": record["id"]}


async def receive_upload(request: web.Request, world: World) -> web.Response:
    """`POST /upload/v1/<file>`: the bytes, raw or as a form's file; the size must be the announced one."""
    file = world.files.get(request.match_info["file"])
    if file is None or file["shared"]:
        return web.Response(status=404, text="unknown upload")
    content = await _bytes_of(request)
    if len(content) != file["expected"]:
        return web.Response(status=400, text=f"expected {file['expected']} bytes, got {len(content)}")
    file["content"] = content
    file["record"]["size"] = len(content)
    return web.Response(text=f"OK - {len(content)}")


async def _bytes_of(request: web.Request) -> bytes:
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    for part in (await request.post()).values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""


def send_file(request: web.Request, world: World) -> web.Response:
    """`GET /files/<file>/…`: the bytes, for the bot's token only, as url_private."""
    if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
        return web.Response(status=302, headers={"Location": "/?redir=login"})
    file = world.files.get(request.match_info["file"])
    if file is None or file["content"] is None:
        return web.Response(status=404)
    return web.Response(body=file["content"], content_type=file["record"]["mimetype"])


@method(
    "files.completeUploadExternal",
    per_minute=TIERS[4],
    required=("files",),
    optional=("channel_id", "channels", "initial_comment", "thread_ts", "blocks"),
)
async def complete_upload(call: Call) -> Json:
    """Share uploaded files in a channel or thread."""
    records = [_finished(call, wanted) for wanted in _wanted(call)]
    for target in ("channel_id", "channels"):
        if call.text(target):
            channel = writable(call, target)
            comment = as_stored(call.text("initial_comment"))
            content = Content(text=comment)
            message = message_of(call, channel, content)
            message.thread_ts, message.files, message.subtype = thread_of(call, channel), records, "file_share"
            call.workspace.post(message)
    return {"files": records}


def _wanted(call: Call) -> list[Json]:
    wanted: Any = call.structure("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, dict) for item in wanted):
        raise Refused("invalid_arguments", "files must be an array of {id, title}")
    return wanted


def _finished(call: Call, wanted: Json) -> Json:
    file = call.workspace.world.files.get(str(wanted.get("id")))
    if file is None or file["content"] is None:
        raise Refused("file_not_found")
    file["shared"] = True
    file["record"]["title"] = wanted.get("title") or file["record"]["name"]
    record: Json = file["record"]
    return record
