#!/bin/sh
# Makes .venv with the first Python that is new enough.  PYTHON=… chooses another.
set -eu
cd "$(dirname "$0")/.."

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))'
without_venv=
for python in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3 python}; do
    # A name may stand there and not work: pyenv's shims of versions that are not chosen.
    "$python" -c "$fits" > /dev/null 2>&1 || continue
    # Debian packs this part of Python apart.
    if ! "$python" -c 'import venv, ensurepip' > /dev/null 2>&1; then
        without_venv=${without_venv:-$python}
        continue
    fi
    echo "Making .venv with $("$python" --version)"
    exec "$python" -m venv --clear .venv
done
if [ -n "$without_venv" ]; then
    echo "$without_venv cannot make virtual environments: install its venv module (Debian: python3-venv)." >&2
elif [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is not a Python 3.11 to 3.14 that works." >&2
else
    echo "mailtrust needs Python 3.11 to 3.14, and none was found: install one, or name it with PYTHON=…" >&2
fi
exit 1
