#!/bin/sh
# Writes requirements/*.txt anew: every package that is installed, by version and hash, for every Python and
# system that pyproject.toml names.  No registry's address stands in them: pip asks the one it is set up for.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

lock() {
    output=requirements/$1.txt
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@" --output-file "$output.new"
    {
        echo "# Made by \`make lock\` from pyproject.toml; do not edit."
        cat "$output.new"
    } > "$output"
    rm "$output.new"
}

# Everything first; what runs is then a part of it, so that tests and users meet the same versions.
lock dev pyproject.toml --extra web --group build --group dev
lock run pyproject.toml --extra web --extra evtx --group build --constraints requirements/dev.txt
lock lock --group lock
