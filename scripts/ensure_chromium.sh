#!/bin/sh
# Chromium, for the tests of the sandbox page, with a font that has the emoji which cards begin with. It runs without a
# window and with an empty profile. It stays optional: without it those tests are skipped.
set -eu
cd "$(dirname "$0")/.."
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
scripts/apt_install.sh chromium fonts-noto-color-emoji || cat >&2 <<'TXT'
Chromium is not installed: the tests in a browser are skipped.
  Debian:     sudo apt-get install --no-install-recommends chromium
  elsewhere:  put `chromium` or `google-chrome` on PATH
TXT
