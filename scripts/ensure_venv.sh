#!/bin/sh
# Makes .venv with the locked dependencies of the file given. Needs Python 3.11 or newer; installs Debian's venv module
# where it is missing and may be installed.
set -eu
cd "$(dirname "$0")/.."
requirements=$1

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
python=
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$new_enough"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed and was not found on PATH. Install it, or name it: make demo PYTHON=/path/to/python3.11" >&2
    exit 1
fi

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -c "$new_enough" || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        scripts/apt_install.sh "python$version-venv" || {
            echo "Python's venv module is missing. Install the package python$version-venv, then run this again." >&2
            exit 1
        }
    fi
    echo "Making .venv …"
    "$python" -m venv --clear .venv
fi
echo "Installing the locked dependencies of $requirements (the Claude Code CLI is among them, about 100 MB) …"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements" || {
    echo "The dependencies could not be installed; pip says why above. Where it could not connect, this machine needs a network or a" >&2
    echo "package index that it reaches (PIP_INDEX_URL). Nothing is lost: run this again." >&2
    exit 1
}
