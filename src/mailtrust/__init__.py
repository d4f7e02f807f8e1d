"""Direct trust between mail servers: one fact, three copies, and what to do when they disagree."""

__version__ = "0.1.0"
