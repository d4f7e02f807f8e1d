#!/bin/sh
# Makes .venv with the first Python that is new enough.  PYTHON=… chooses another.
set -eu
cd "$(dirname "$0")/.."

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))'
for python in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3 python; do
    # A name may stand there and not work: pyenv's shims of versions that are not chosen.
    "$python" -c "$fits" > /dev/null 2>&1 || continue
    echo "Making .venv with $("$python" --version)"
    if ! "$python" -c 'import venv, ensurepip' > /dev/null 2>&1; then
        echo "$python cannot make virtual environments: install its venv module (on Debian: python3-venv)." >&2
        exit 1
    fi
    exec "$python" -m venv --clear .venv
done
echo "mailtrust needs Python 3.11 to 3.14, and none was found: install one, or name it with PYTHON=…" >&2
exit 1
