#!/bin/sh
# PostgreSQL's programs, for the tests and the measurements, which run a server of their own on a free port: no cluster
# is made, and Debian's service is neither started nor used. It stays optional: without it their PostgreSQL half is
# skipped.
set -eu
cd "$(dirname "$0")/.."
command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 && exit 0
for initdb in /usr/lib/postgresql/*/bin/initdb; do
    [ -x "$initdb" ] && exit 0
done
scripts/apt_install.sh postgresql || cat >&2 <<'TXT'
PostgreSQL is not installed: the tests that need it are skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends postgresql
  elsewhere:       put `initdb` and `postgres` on PATH
TXT
