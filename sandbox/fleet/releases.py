"""The releases of api-server that carry a defect: what a bad deploy looks like from outside.

Deploying one is an edit of APP_VERSION and a redeploy. A version that is not listed has no defect.
A defect changes how a request behaves, never a metric: the symptom has to follow by itself.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """How the requests of one release differ from those of a sound one."""

    error_share: float = 0.0
    """Share of the requests that hit a fault in the code and end with a 500."""
    error: str = ""
    """What the log says of that."""
    cpu_factor: float = 1.0
    """CPU time of a request, as a multiple of the sound release's."""
    leak_mib: float = 0.0
    """Memory that each request never gives back, in MiB."""


RELEASES = {
    # A crawler asks for carts that are gone: lines in the log, and no incident.
    "2.14.1": Release(error_share=0.003, error="CartGone: no cart for this session (cart.py:41)"),
    # A discount without a coupon is not handled.
    "2.15.0": Release(error_share=0.12, error="KeyError: 'coupon' in apply_discount (pricing.py:88)"),
    "2.15.1": Release(cpu_factor=3.4),  # prices are rounded one by one in a loop
    "2.16.0": Release(leak_mib=0.15),  # the cache of rendered carts has no limit
}


def release_of(version: str) -> Release:
    """The release called `version`; a sound one when the name is not known."""
    return RELEASES.get(version, Release())
