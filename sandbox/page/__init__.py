"""The sandbox page: Slack as people know it, the fleet, PagerDuty and Confluence in a browser, on one loopback address.

    async with show(stack) as url: ...

serves the page of a `Stack` from the process that calls it, before the parts are up as well as after. The page holds
no state and knows no bot: it shows what the stand-ins' control APIs, the fleet and Prometheus say, and orders what a
person could do. What a browser gets is in `assets/`: plain modules and style sheets, no build step, nothing from
elsewhere.

A page on the web must not drive it: it listens on 127.0.0.1, answers its own host names only, and whatever changes
something needs the page's origin and a token that stands in the page alone (`guard`). Nothing that is shown can become
a script: the policy allows no inline code, and Trusted Types forbid markup made of text.

    parts.py          where the parts are, joined.py: those of a stack
    upstream.py       asking them, with errors for the reader
    guard.py          who may ask
    events.py         one stream of server-sent events for everything that changes
    chat.py           Slack         fleet.py, signals.py, faults.py   the fleet
    pagerduty.py      PagerDuty     confluence.py, storage_tree.py    Confluence
    server.py         all of it together
"""

from sandbox.page.joined import show
from sandbox.page.parts import Parts
from sandbox.page.server import serve

__all__ = ["Parts", "serve", "show"]
