"""The embedded hub: an SMTP server and relay whose peers the directory vouches for."""

from mailtrust.transports.hub.hub import Hub
from mailtrust.transports.hub.queue_file import QueueRow, queue_view
from mailtrust.transports.hub.settings import HubSettings

__all__ = ["Hub", "HubSettings", "QueueRow", "queue_view"]
