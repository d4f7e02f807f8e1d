"""
samba-tool for a system without POSIX ACLs, or an account that may not change owners.

For the system's Python, where Samba's modules are: provisioning wants to set the ACLs of the shared folder
sysvol, which some file systems have not and a user namespace does not allow.  Nobody serves that folder here.
"""

import sys

from samba.netcmd.main import cmd_sambatool

import samba.provision

samba.provision.setsysvolacl = lambda *_, **__: None
sys.exit(cmd_sambatool()._run("samba-tool", *sys.argv[1:]))
