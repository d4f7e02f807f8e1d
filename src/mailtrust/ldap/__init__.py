"""LDAP version 3 as pure values: bytes in, events out."""
