"""The thresholds of an organization: how long replication may take, what is soon, what is weak."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """Numbers that an administrator may change; the defaults are those of the documentation."""

    latency: timedelta = timedelta(minutes=15)
    """How long a publication may take to reach every replica before it counts as overdue."""
    expires_soon: timedelta | None = None
    """Warn that long before the end; None: 90 days, or a third of the certificate's life if shorter."""
    spread: timedelta = timedelta(minutes=30)
    """Hold still that long after every replica has it; at least as long as a peer may keep a snapshot."""
    settle: timedelta = timedelta(hours=1)
    """Hold still that long after every listener presents it, before the old one is withdrawn."""
    snapshot_max_age: timedelta = timedelta(minutes=30)
    """A trust snapshot older than this is stale."""
    every_replica_takes_writes: bool = True
    """Whether a late replica can be mended by writing to it directly (embedded, Active Directory)."""
    replicates_itself: bool = False
    """Whether the directory carries its values about, and not `mailtrust directory replicate`."""
    pulls: bool = False
    """Whether a late replica can be told to fetch one entry (Active Directory)."""
    rotates_when_due: bool = True
    """Whether a rotation begins by itself in time before a certificate ends, or only when asked for."""
    minimum_rsa_bits: int = 2048
    """RSA below this is weak (NIST SP 800-131A)."""

    def soon(self, life: timedelta) -> timedelta:
        """How long before the end of a certificate of that *life* we begin to warn."""
        return self.expires_soon if self.expires_soon is not None else min(timedelta(days=90), life / 3)
