"""The stand-in put together: one aiohttp application with everything that it holds."""

from __future__ import annotations

from aiohttp import web

from sandbox.confluence.control import Control
from sandbox.confluence.gate import Gate
from sandbox.confluence.pages import Pages
from sandbox.confluence.reading import Reading
from sandbox.confluence.search import Search
from sandbox.confluence.site import Site

_REQUEST_MOST_BYTES = 5 << 20  # Confluence Cloud: the body of a page


class StandIn:
    """A Confluence of one space and one account, in memory.

    Args:
        index_lag: seconds before a page that was made over the API can be searched.
    """

    def __init__(self, index_lag: float) -> None:
        self.site = Site(index_lag)
        self.gate = Gate()

    def application(self) -> web.Application:
        """The HTTP application, to be run on loopback."""
        app = web.Application(middlewares=[self.gate.middleware], client_max_size=_REQUEST_MOST_BYTES)
        app.add_routes(
            [
                *Pages(self.site).routes(),
                *Search(self.site).routes(),
                *Reading(self.site).routes(),
                *Control(self).routes(),
            ]
        )
        return app
