"""Files that Windows wrote of its event logs, read event by event: the binary form, and XML."""
