"""What Postfixes of tests have in main.cf and master.cf: a stranger's usual mail server, and direct trust."""

from __future__ import annotations

from tests.loopback import LOOPBACK

MAIN = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "inet_interfaces": LOOPBACK,
    "inet_protocols": "ipv4",
    # What a server of loopback has to do without: DNS.
    "smtp_dns_support_level": "disabled",
    "smtp_host_lookup": "native",
    "mydestination": "$myhostname, localhost",
    "local_recipient_maps": "",
    "local_transport": "discard:",
    "mynetworks": "",
    "alias_maps": "",
    "alias_database": "",
    "append_dot_mydomain": "no",
    "biff": "no",
    "smtpd_tls_security_level": "may",
    "smtpd_tls_chain_files": "{folder}/chain.pem",
    "smtpd_tls_loglevel": "1",
    "smtp_tls_security_level": "may",
    "smtp_tls_loglevel": "1",
    # A test asks more questions in one session than a polite client, and does not wait for the answers.
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "1000000",
    "smtpd_hard_error_limit": "1000000",
    # Recipients without a message count as messages that come faster than they are delivered.
    "in_flow_delay": "0",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "2s",
    "queue_run_delay": "1s",
}
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsproxy unix - - n - 0 tlsproxy
postlog unix-dgram n - n - 1 postlogd
"""
TRUSTING = """\
127.0.0.1:{inner} inet n - n - - smtpd
  -o syslog_name=postfix/inner
  -o smtpd_tls_security_level=may
  -o smtpd_tls_chain_files={tables}/chain.pem
  -o smtpd_tls_ask_ccert=yes
  -o smtpd_tls_fingerprint_digest=sha256
  -o smtpd_tls_CAfile=
  -o smtpd_tls_loglevel=1
  -o relay_clientcerts=lmdb:{tables}/relay_clientcerts
  -o smtpd_client_restrictions=permit_tls_clientcerts,defer
  -o smtpd_relay_restrictions=permit_tls_clientcerts,defer
  -o smtpd_data_restrictions=permit_tls_clientcerts,defer
  -o smtpd_recipient_restrictions=
hub unix - - n - - smtp
  -o syslog_name=postfix/hub
  -o smtp_tls_security_level=fingerprint
  -o smtp_tls_fingerprint_digest=sha256
  -o smtp_tls_fingerprint_cert_match=
  -o smtp_tls_policy_maps=lmdb:{tables}/tls_policy
  -o smtp_tls_chain_files={tables}/chain.pem
"""
