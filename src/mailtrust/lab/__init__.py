"""A whole organization on loopback, in a folder of its own: real hubs, real TLS, replicas that lag."""
