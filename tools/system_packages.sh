#!/bin/sh
# Installs the programs that tests ask for a second opinion, where it may: as root or with sudo that asks for no
# password, and with apt-get.  Only missing ones; no service is started, Samba's and Prometheus' will not start
# with the machine either, and its kernel is not tuned for 389 DS; no other package is removed or configured.  Exim
# is unpacked below /usr/local/lib/mailtrust-tests and not installed: it would push out Postfix.
# Otherwise it names what is left out; under CI=true a missing program is a failure, or nobody would notice.
# SYSTEM_PACKAGES=no installs nothing.
set -eu
PATH=$PATH:/usr/sbin:/sbin

# program, or file with its path:package:the tests that need it
programs='openssl:openssl:the handshakes with another TLS client
swaks:swaks libnet-ssleay-perl:the conversations with another SMTP client
posttls-finger:postfix:the second opinion of Postfix on what we present
/usr/lib/postfix/postfix-lmdb.so:postfix-lmdb:the tables of Postfix
/usr/local/lib/mailtrust-tests/exim4/usr/sbin/exim4:exim4-daemon-light:the mail flow with Exim
journalctl:systemd:the log of Postfix in the journal of systemd
/lib/systemd/systemd-journal-remote:systemd-journal-remote:the log of Postfix in the journal of systemd
/lib/systemd/systemd-journald:systemd:what we write into the journal of systemd
localedef:libc-bin:what the journal of systemd explains in Chinese
/usr/share/i18n/locales/zh_CN:locales:what the journal of systemd explains in Chinese
unshare:util-linux:a journal of systemd that nobody else sees
setpriv:util-linux:the part that runs as root, with few rights
ps:procps:what a command line shows to others
ss:iproute2:which addresses are listened on
gcc:gcc:the benchmark beside a prober in C
chromium:chromium:the page as a browser shows it
promtool:prometheus:the metrics and the alert rules as Prometheus reads them
slapd:slapd:the conversations with another LDAP server
ns-slapd:389-ds-base:the conversations with 389 Directory Server
certutil:libnss3-tools:the conversations with 389 Directory Server
dsconf:python3-lib389:the page on 389 Directory Server, followed
ldapsearch:ldap-utils:the second opinion on what an LDAP server holds
ip:iproute2:the tests in a network of their own
samba:samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind:the tests with domain controllers
samba-tool:samba-common-bin:the tests with domain controllers
ldbmodify:ldb-tools:the tests with domain controllers
adcli:adcli:the page on Active Directory, followed
kinit:krb5-user:the tests with domain controllers, and signing in by Kerberos
krb5kdc:krb5-kdc:signing in by Kerberos
kadmin.local:krb5-admin-server:signing in by Kerberos
/usr/lib/*/sasl2/libgssapiv2.so:libsasl2-modules-gssapi-mit:signing in to OpenLDAP by Kerberos
systemd-analyze:systemd:the units of the agent
systemd-sysusers:systemd:the account of the Debian package
dpkg-deb:dpkg:the Debian package
faketime:faketime:the clocks that differ
mandoc:mandoc:the manual pages
zsh:zsh:the completions of zsh
fish:fish:the completions of fish'

present() {
    case $1 in
        # shellcheck disable=SC2086  # a pattern, that the shell is to fill in
        /*) ls $1 > /dev/null 2>&1 ;;
        *) command -v "$1" > /dev/null ;;
    esac
}

missing() {
    echo "$programs" | while IFS=: read -r program package tests; do
        present "$program" || echo "$program:$package:$tests"
    done
}

may_install() {
    [ "${SYSTEM_PACKAGES:-yes}" != no ] || return 1
    command -v apt-get > /dev/null || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null
}

install() {
    echo "Installing system packages for the tests: $(missing | cut -d: -f2 | sort -u | xargs)"
    log=$(mktemp)
    packages=$(missing | cut -d: -f2 | sort -u | xargs)
    as_root=
    [ "$(id -u)" = 0 ] || as_root='sudo -n'
    # shellcheck disable=SC2086  # both are lists of words
    $as_root sh -s -- $packages > "$log" 2>&1 << 'ROOT' || { tail -n 20 "$log" >&2; rm "$log"; return 1; }
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
aside=$policy.before-mailtrust

# One run at a time: another would take our policy for the machine's own, and remove or restore it too early.
exec 9> /var/lock/mailtrust-system-packages
flock 9

restore() {
    rm -f "$policy"
    [ ! -e "$aside" ] || mv "$aside" "$policy"
}
# A mail server that a test run starts on port 25 is a bad surprise: 101 forbids every start.  A policy that
# forbids it already (containers have one) is left alone.
denied=0
[ ! -x "$policy" ] || "$policy" postfix start || denied=$?
if [ "$denied" != 101 ]; then
    trap restore EXIT
    trap 'exit 1' HUP INT TERM
    [ ! -e "$policy" ] || mv "$policy" "$aside"
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi

apt-get update -q
case " $* " in *" postfix "*)
    # Another installation may hold the answers' lock for a while, as it may apt's below.
    for _ in 1 2 3 4 5 6; do
        echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections && break
        sleep 10
    done
esac
# Nor may what is new here start with the machine: nobody asked for a file server, or for a database.
new_services=
for one in samba-ad-dc smbd nmbd winbind prometheus prometheus-node-exporter; do
    [ -e "/lib/systemd/system/$one.service" ] || new_services="$new_services $one"
done
# Nor may 389 DS set the kernel's limits when the machine starts: a file of that name in /etc counts instead.
tuning=sysctl.d/70-dirsrv.conf
case " $* " in *" 389-ds-base "*)
    [ -e "/usr/lib/$tuning" ] || [ -e "/etc/$tuning" ] || ln -s /dev/null "/etc/$tuning"
esac
# Exim stands in Postfix's way, so only its libraries are installed; the program is unpacked beside.
case " $* " in *" exim4-daemon-light "*)
    libraries=$(apt-cache depends -i exim4-daemon-light | sed -n 's/^ *Depends: \(lib.*\)/\1/p')
    unpacked=$(mktemp -d)
    (cd "$unpacked" && apt-get download -q exim4-daemon-light)
    mkdir -p /usr/local/lib/mailtrust-tests/exim4
    dpkg -x "$unpacked"/exim4-daemon-light_*.deb /usr/local/lib/mailtrust-tests/exim4
    # It needs no rights but those of whoever runs it.
    chmod u-s /usr/local/lib/mailtrust-tests/exim4/usr/sbin/exim4
    rm -r "$unpacked"
    # shellcheck disable=SC2086  # a list of words
    set -- $(printf '%s\n' "$@" | grep -vx exim4-daemon-light) $libraries
esac
# --no-remove: Postfix would push out another mail server that is installed here.
apt-get install -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 "$@" < /dev/null
for one in $new_services; do
    ! command -v systemctl > /dev/null || systemctl disable "$one" || true
done
ROOT
    rm "$log"
}

if [ -n "$(missing)" ] && may_install; then
    install || echo "Some of them could not be installed; going on without." >&2
fi

left_out=$(missing)
[ -n "$left_out" ] || exit 0
echo "$left_out" | while IFS=: read -r program package tests; do
    echo "Left out, for want of $program (package $package): $tests" >&2
done
[ "${CI:-}" != true ]
