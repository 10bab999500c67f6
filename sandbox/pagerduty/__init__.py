"""A strict PagerDuty on loopback: the part of REST API v2 that an incident responder uses.

`python -m sandbox.pagerduty [--host 127.0.0.1] [--port 0]` prints `pagerduty stand-in listening on http://…`.

REST, as PagerDuty documents it: GET and POST /incidents, GET and PUT /incidents/{id}, GET /incidents/{id}/alerts and
/log_entries, GET and POST /incidents/{id}/notes, POST /incidents/{id}/snooze, GET /services/{id}, GET /users. It is at
least as strict as the service: `Accept` with the version, `Authorization: Token token=…`, `From` of a known user on
writes, known query parameters and body fields with known values, pages of at most 100, one open incident per key and
service, 960 requests a minute.

The control API needs no token:

    GET  /sandbox/world                         keys, services, users
    GET  /sandbox/incidents                     every incident with alerts, notes and log, as REST shows them
    GET  /sandbox/violations                    what a careful client never does
    GET  /sandbox/calls                         every REST call with its answer
    POST /sandbox/incidents                     a monitoring tool reports: {title, service, severity, urgency, key,
                                                details (any JSON), links: [url], age (seconds)} -> {id, number}; an
                                                open one with the same key gets one more alert
    POST /sandbox/incidents/{id}/{action}       a person acts: acknowledge, unacknowledge, resolve, reopen, escalate,
                                                reassign with {to: e-mail}, priority with {to: P1, P2, P3 or null},
                                                or note with {text}; {user: e-mail}
    POST /sandbox/faults                        see `faults.py`; {"clear": true} forgets all
    POST /sandbox/limits                        {"per_minute": 960}

Webhooks (V3), as PagerDuty delivers them: see `webhooks.py`.

    POST /sandbox/webhooks                      subscribe: {url, secret or secrets, timeout, schedule, give_up} -> {id}
    GET  /sandbox/webhooks                      every subscription, and whether it was disabled
    POST /sandbox/webhooks/{id}/change          any field of a subscription, among them the faults: duplicates (how
                                                often each event is sent again), shuffle (hold so many back, then send
                                                them in any order), seed
    POST /sandbox/webhooks/{id}/{action}        ping, enable, or release what shuffle holds back
    GET  /sandbox/deliveries                    every attempt with its outcome, and how many events are still to be sent
    GET  /sandbox/events                        every event, as it is sent
"""
