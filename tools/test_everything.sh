#!/bin/sh
# Runs all tests but the core's, which run before with their coverage.  Those with domain controllers run in a
# network of their own, at the same time as the others: they wait much and compute little.  What they say comes
# last.  Where there can be no such network they are left out by name, and under CI=true that is a failure.
set -eu
cd "$(dirname "$0")/.."
said=.venv/own-network.log

if tools/in_own_network.sh true; then
    tools/in_own_network.sh .venv/bin/python -m pytest -q --no-header -m own_network > "$said" 2>&1 &
    apart=$!
    trap 'kill "$apart" 2> /dev/null || true; exit 1' HUP INT TERM
else
    echo "Left out, for want of a network of its own: the tests with domain controllers" >&2
    [ "${CI:-}" != true ]
    apart=
fi

status=0
# More workers than processors: some tests wait for replicas for minutes.
.venv/bin/python -m pytest -q -n 4 --dist loadgroup --no-loadscope-reorder --no-header \
    -m "not own_network" --ignore tests/core || status=$?
if [ -n "$apart" ]; then
    echo "The tests with domain controllers, in a network of their own"
    wait "$apart" || status=$?
    cat "$said"
fi
exit "$status"
