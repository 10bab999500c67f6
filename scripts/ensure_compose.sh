#!/bin/sh
# docker-compose, for the test that lets it read config/docker-compose.yml; no Docker engine is needed for that. It stays
# optional: without it that test is skipped.
set -eu
cd "$(dirname "$0")/.."
command -v docker-compose >/dev/null 2>&1 && exit 0
scripts/apt_install.sh docker-compose || cat >&2 <<'TXT'
docker-compose is not installed: the test of config/docker-compose.yml is skipped.
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends docker-compose
TXT
