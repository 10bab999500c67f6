"""A strict Slack on loopback: Web API, Socket Mode and a control API, in a process of its own.

    python -m sandbox.slack [--host 127.0.0.1] [--port 0] [--clock-rate 1]

prints `slack stand-in listening on http://127.0.0.1:PORT` when it is ready. The app under test gets
`http://127.0.0.1:PORT/api/` as its base URL, and everything else (sockets, response_url, uploads) from there.
It refuses what Slack refuses, in Slack's words; what Slack lets pass and a careful app never does is noted
as a violation, and every test asserts that there is none. State is in memory and ends with the process.

Control API (JSON, no token):

    GET  /sandbox/world                                  ids of team, app, bot, users, channels, dms; tokens; sockets;
                                                         people and conversations in full; feed: id of its newest event
    POST /sandbox/messages  {channel, user | bot, text, thread_ts?, attachments?, blocks?, files?, subtype?} -> {ts}
                                                         channel: id, #name, or a person's id for the DM with the bot;
                                                         user: id or name; bot: any name, such as "Alertmanager";
                                                         text: as typed, `@SRE Bot` becomes a mention;
                                                         files: [{name, content | base64, mimetype?}]
    POST /sandbox/messages/edit    {channel, ts, text}   and /sandbox/messages/delete {channel, ts} -> {ts}
    POST /sandbox/reactions        {channel, ts, user, name, remove?} -> {changed}
    POST /sandbox/actions          {channel, ts, user, action_id, value?} -> {delivered}; 409 if no such control;
                                                         {view: home, user, action_id, value?} for one on the App Home
    POST /sandbox/modals           {user, values?: {block_id: text}} -> {delivered}: submits the modal open for them
    POST /sandbox/modals/close     {user}                -> {delivered}: closes it; the app hears of it if it asked to
    POST /sandbox/home             {user, tab: home | messages}; GET /sandbox/home?user= -> {view}
    GET  /sandbox/thread?channel=&ts=                    {messages, status}; a message has user, name, bot, ts,
                                                         text (as on screen), notification (the text argument),
                                                         markdown (what the app sent), blocks, attachments, files,
                                                         edited, reactions, metadata, subtype, stream (open, ended,
                                                         stopped_by_user, or null), ephemeral_to?
    GET  /sandbox/channel?channel=                       the same for a channel's top level, oldest first, with
                                                         replies: {ts: [{ts, name}]} and prompts, where offered
    GET  /sandbox/violations                             {violations: [{kind, detail, method, time}]}
    GET  /sandbox/pings                                  {pings: [{channel, ts, how, kind, target, notified}]}
    GET  /sandbox/calls?method=                          {calls: [{method, time, args, status, ok, error?, fault?,
                                                         duration_ms, before_retry_after?}]}
    GET  /sandbox/acks                                   {acks, unacked, redelivered}: envelope_id, event_id,
                                                         kind, type, retry_attempt, socket, latency_ms, given_up?
    GET  /sandbox/feed?after=                            server-sent events: message.posted, message.changed,
                                                         message.deleted, message.ephemeral, reaction.added,
                                                         reaction.removed, status, prompts, click, home, modal;
                                                         resumes after Last-Event-ID
    POST /sandbox/faults    {method, kind, count?, retry_after?, delay?, error?, limit?}; kind: drop_before,
                            drop_after, ratelimited, http_500, slow, hold_after (it takes effect, its answer
                            comes after delay), error, error_after (it took effect), too_long (only above limit
                            characters), bad_blocks (only with blocks); method may be "*"; {clear: true} forgets all
    GET  /sandbox/faults                                 {held: [method]}: calls that took effect, not answered yet
    POST /sandbox/outage    {seconds}                    all of Slack is down, sockets are reset
    POST /sandbox/sockets/disconnect {reason, count?}    warning, refresh_requested, link_disabled,
                                                         too_many_websockets; close, reset, half_open
    POST /sandbox/streams   {most_bytes?, lifetime?, read_back?}  what a stream holds; read_back of an open one: live,
                                                         first (its first text only), hidden
    POST /sandbox/streams/stop {channel, ts, user}       somebody stops a stream
    POST /sandbox/clock     {rate?, ack_within?, trigger_lives?}  the clock of limits and streams; the patience for an
                                                         ack, and for what opens a modal
    POST /sandbox/scopes    {without: [scope]}           the app lacks scopes that its manifest asks for
    POST /sandbox/people    {user, deleted?, guest?}     an account is deactivated, or becomes a guest's
    POST /sandbox/usergroups {usergroup, users}          who is in a user group from now on
    POST /sandbox/envelopes {payload} -> {delivered}     an interaction as Slack would never send it

A wrong order is answered with 400 or 409 and {error}.
"""
