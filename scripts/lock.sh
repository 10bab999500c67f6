#!/bin/sh
# Pins every dependency with its hashes. The files carry no download addresses, so any index or mirror serves.
set -eu
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header "$@"
}
compile pyproject.toml -o requirements.txt
compile -c requirements.txt pyproject.toml --group dev -o requirements-dev.txt
