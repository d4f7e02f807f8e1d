"""Postfix as the transport: its tables compiled from the snapshot, its settings checked, its queue read."""
