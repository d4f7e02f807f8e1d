"""What Microsoft Exchange itself would do with what we see of an organization, and what to type about it."""
