"""Pages as a browser shows them, for a person who looks into the sandbox. No credentials: it is loopback."""

from __future__ import annotations

import html
from datetime import UTC, datetime

from aiohttp import web

from sandbox.confluence.site import SPACE_KEY, SPACE_NAME, Page, Site
from sandbox.confluence.storage import as_html

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
header { border-bottom: 1px solid #8884; margin-bottom: 1.5rem; }
nav, .facts { color: #777; font-size: .85rem; }
.label { background: #8882; border-radius: 3px; padding: .1rem .4rem; margin-right: .3rem; }
pre, .structured-macro { background: #8881; border-radius: 4px; padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; } th, td { border: 1px solid #8886; padding: .3rem .6rem; text-align: left; }
"""
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Reading:
    """The handlers below `/wiki/spaces`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/", self.index),
            web.get("/wiki/spaces/{key}", self.index),
            web.get("/wiki/spaces/{key}/pages/{id}", self.page),
            web.get("/wiki/spaces/{key}/pages/{id}/{title}", self.page),
        ]

    async def index(self, _: web.Request) -> web.Response:
        """The space's pages, newest first."""
        items = "".join(
            f'<li><a href="/wiki{html.escape(page.webui)}">{html.escape(page.title)}</a></li>'
            for page in self._site.visible()
        )
        return _document(SPACE_NAME, f"<header><h1>{SPACE_NAME}</h1></header><ul>{items}</ul>")

    async def page(self, request: web.Request) -> web.Response:
        """One page."""
        page = self._site.pages.get(request.match_info["id"])
        if page is None or page.hidden:
            raise web.HTTPNotFound(text="There is no such page, or you may not see it.")
        return _document(page.title, _header(page) + as_html(page.storage))


def _header(page: Page) -> str:
    created = datetime.fromtimestamp(page.created, UTC).strftime("%Y-%m-%d %H:%M UTC")
    labels = "".join(f'<span class="label">{html.escape(label)}</span>' for label in page.labels)
    return (
        f'<header><nav><a href="/wiki/spaces/{SPACE_KEY}">{SPACE_NAME}</a></nav><h1>{html.escape(page.title)}</h1>'
        f'<p class="facts">{created}, version {page.version} {labels}</p></header>'
    )


def _document(title: str, body: str) -> web.Response:
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )
    return web.Response(text=text, content_type="text/html", headers=_HEADERS)
