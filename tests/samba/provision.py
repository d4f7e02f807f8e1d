"""
samba-tool for a system without POSIX ACLs, or an account that may not change owners.

    /usr/bin/python3 provision.py /usr/bin/samba-tool domain provision …

Provisioning wants to set the ACLs of the shared folder sysvol, which some file systems do not have and a user
namespace does not allow; nobody serves that folder here.  The system's Python has Samba's modules, ours not.
"""

import runpy
import sys

import samba.provision

samba.provision.setsysvolacl = lambda *_, **__: None
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
