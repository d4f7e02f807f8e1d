"""Where servers publish their certificates: the protocol, its back ends, and the way from a URL to one."""
