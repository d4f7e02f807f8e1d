"""Looks at servers from outside: what a peer would see on the wire, and nothing that changes it."""
