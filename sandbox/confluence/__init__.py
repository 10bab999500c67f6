"""A strict Confluence Cloud on loopback: pages, search and labels of one space, in a process of its own.

    python -m sandbox.confluence [--host 127.0.0.1] [--port 0] [--index-lag 0.2]

prints `confluence stand-in listening on http://127.0.0.1:PORT` when it is ready. The app under test gets
`http://127.0.0.1:PORT/wiki` as its base URL, and e-mail, token, space and parent page from `GET /sandbox/world`. It
refuses what Confluence refuses, in Confluence's shapes; what a careful app never sends is noted as a violation, and
every test asserts that there is none. As in Confluence, a stored body comes back rewritten (ids, named entities), and
a page can be searched only some time after it was made. State is in memory and ends with the process.

    GET  /wiki/api/v2/spaces?keys=            GET  /wiki/api/v2/pages?title=&space-id=&body-format=&limit=&cursor=
    POST /wiki/api/v2/pages                   GET  /wiki/api/v2/pages/{id}?body-format=
    GET  /wiki/rest/api/search?cql=&limit=&cursor=&expand=&excerpt=
    POST /wiki/rest/api/content/{id}/label    GET  /wiki/spaces/{key}/pages/{id}[/{title}]   (as a browser sees it)

Control API (JSON, no token):

    GET  /sandbox/world                       {site, email, token, space: {id, key, name}, parent}
    GET  /sandbox/pages[?label=]              {pages: [{id, title, parent, labels, version, created, hidden, url, text,
                                              storage}]}, newest first; text: the words that a reader sees, storage:
                                              the body as it was sent
    GET  /sandbox/pages/{id}                  one of them
    POST /sandbox/pages {title, storage, labels?, created?, parent?, hidden?} -> the page; can be searched at once;
                                              hidden: the account may not see it, and its title is taken nevertheless
    POST /sandbox/pages/edit {id, storage}    somebody edits a page
    POST /sandbox/pages/delete {id}
    POST /sandbox/faults {kind, count?, method?, path?, status?, retry_after?}; kind: status, html (success with a login
                                              page), half_body, nothing, hang, drop_after (applied, no answer);
                                              method: GET, POST or *; path: a part of it; {clear: true} forgets all
    GET  /sandbox/calls                       {calls: [{method, path, query, body, status, fault, time}]}
    GET  /sandbox/violations                  {violations: [{kind, detail, call, time}]}

A wrong order is answered with 400 and {error}.
"""
