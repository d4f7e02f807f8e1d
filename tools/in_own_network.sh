#!/bin/sh
# Runs a command in a network of its own: the ports below 1024 of all loopback addresses are free there, names of
# corp.example stand for such addresses, and nothing else can be reached.  Needs no root where accounts may make
# user namespaces.  The command does not run, and the exit status is 1, where that is not allowed.
#
#     tools/in_own_network.sh .venv/bin/python -m pytest -m own_network
set -eu
files=$(cd "$(dirname "$0")/../tests/own_network" && pwd)
PATH=$PATH:/usr/sbin:/sbin

how=-nm
[ "$(id -u)" = 0 ] || how=-Urnm
if ! why=$(unshare $how true 2>&1); then
    echo "This account may make no network of its own (unshare $how: $why)." >&2
    echo "Become root, or allow user namespaces: in a container --cap-add SYS_ADMIN," >&2
    echo "on Ubuntu sysctl kernel.apparmor_restrict_unprivileged_userns=0." >&2
    exit 1
fi

KRB5_CONFIG=$files/krb5.conf
MAILTRUST_OWN_NETWORK=1
export KRB5_CONFIG MAILTRUST_OWN_NETWORK
# The mounts are seen by nobody else: unshare makes them private.
exec unshare $how sh -euc '
    files=$1
    shift
    ip link set lo up
    for file in hosts resolv.conf; do
        mount --bind "$files/$file" "/etc/$file"
    done
    exec "$@"
' sh "$files" "$@"
