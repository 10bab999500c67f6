"""The way in for monitoring: PagerDuty's and Alertmanager's webhooks, verified, recorded durably, then answered.

    request ──▶ gate ──▶ body ──▶ verified ──▶ Delivery ──▶ inbox ──▶ 202
                429, 503  408, 413  401, 503     400          503

It refuses to answer 2xx before the delivery is on disk, to parse what is not verified, and to decide what a delivery
means: it says what is in it. Every refusal has a status that makes its sender do the right thing. PagerDuty drops an
event on a 4xx and gives the subscription up after three; so whatever is our own fault is a 5xx, which it repeats.
"""

from sre_bot.webhooks.limits import Limits
from sre_bot.webhooks.listener import Listener, Readiness
from sre_bot.webhooks.receiver import Inbox

__all__ = ["Inbox", "Limits", "Listener", "Readiness"]
