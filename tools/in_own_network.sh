#!/bin/sh
# Runs a command in a network of its own: all ports of all loopback addresses are free there, the names in
# tests/own_network/hosts are such addresses, and nothing else can be reached.  Root may do that, and so may
# everybody where accounts may have namespaces.  Elsewhere the command does not run, and the exit status is 1.
#
#     tools/in_own_network.sh .venv/bin/python -m pytest -m own_network
set -eu
files=$(cd "$(dirname "$0")/../tests/own_network" && pwd)
PATH=$PATH:/usr/sbin:/sbin
KRB5_CONFIG=$files/krb5.conf
MAILTRUST_OWN_NETWORK=1
export KRB5_CONFIG MAILTRUST_OWN_NETWORK

# The mounts are seen in there alone: unshare makes them private.
inside='
    files=$1
    shift
    ip link set lo up
    for file in hosts resolv.conf; do
        mount --bind "$files/$file" "/etc/$file"
    done
    exec "$@"'

# -U: as somebody who is root in there alone.  Tried as a whole, for what may be made may not be used everywhere.
for how in -nm -Urnm; do
    if why=$(unshare "$how" sh -euc "$inside" sh "$files" true 2>&1); then
        exec unshare "$how" sh -euc "$inside" sh "$files" "$@"
    fi
done
echo "This account can make no network of its own: $why" >&2
echo "Become root, or allow it: in a container --cap-add SYS_ADMIN --security-opt apparmor=unconfined," >&2
echo "on Ubuntu sysctl kernel.apparmor_restrict_unprivileged_userns=0." >&2
exit 1
