#!/bin/sh
# Prometheus and promtool on PATH. The sandbox runs them as processes of its own, on free ports; Debian's service on port
# 9090 is neither started nor used. With --alertmanager, Alertmanager too: the demo and tests use it, and it stays optional.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --alertmanager ] && ! command -v prometheus-alertmanager >/dev/null 2>&1 && ! command -v alertmanager >/dev/null 2>&1; then
    scripts/apt_install.sh prometheus-alertmanager || echo "Alertmanager is not installed: the demo goes without it, and the tests that need it are skipped." >&2
fi
command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 && exit 0
scripts/apt_install.sh prometheus && exit 0
cat >&2 <<'TXT'
Prometheus is needed and was not found on PATH, and it cannot be installed with apt here (not Debian or Ubuntu, or
neither root nor sudo without a password).
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends prometheus
  elsewhere:       put `prometheus` and `promtool` of the official release on PATH
Then run this again.
TXT
exit 1
