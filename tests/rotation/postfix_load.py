"""
Continuous mail between Postfix instances, and the count of every single message at its end.

Each message has a recipient of its own, so that what became of it stands in the logs: it enters by a
listener for this machine's programs, leaves by the transport `hub`, comes in by the listener of direct trust,
and is discarded there, which is where it counts as delivered.
"""

from __future__ import annotations

import itertools
import re
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Mapping

from tests.loopback import LOOPBACK
from tests.postfix import Postfix
from tests.rotation.counted import Counted

_DELIVERED = re.compile(r"/discard\[\d+\]: \w+: to=<([\w-]+)@[\w.]+>, .*status=sent")
_DEFERRED = re.compile(r"status=deferred|NOQUEUE: reject(?:_warning)?: \w+ from \S+ 4\d\d ")
_REFUSED = re.compile(r"status=bounced|status=expired|NOQUEUE: reject: \w+ from \S+ 5\d\d ")
# Not "SSL_accept error … Connection reset": so ends an agent's look at its own listener, with the agent.  A
# session between servers that ends so is deferred, and counted there.
_NOT_TRUSTED = re.compile(r"not verified|Untrusted TLS connection established to|TLS library problem")
_SETTLE_SECONDS = 60.0


class PostfixLoad:
    """Each instance sends to each other one, *a_second* messages all together, until `settled`."""

    def __init__(self, instances: Mapping[str, Postfix], a_second: float) -> None:
        self._instances = instances
        self._ending = threading.Event()
        self._began = {name: len(one.log) for name, one in instances.items()}
        pairs = list(itertools.permutations(instances, 2))
        self._every = len(pairs) / a_second
        self._threads = [threading.Thread(target=self._send, args=pair) for pair in pairs]
        self.sent: set[str] = set()
        self.failed: list[str] = []
        for one in self._threads:
            one.start()

    def _send(self, sender: str, recipient: str) -> None:
        due = time.monotonic()
        label = f"{sender.partition('.')[0]}-{recipient.partition('.')[0]}"
        try:
            with smtplib.SMTP(LOOPBACK, self._instances[sender].port, timeout=60) as session:
                for number in itertools.count():
                    if self._ending.wait(max(0.0, due - time.monotonic())):
                        return
                    id_ = f"{label}-{number}"
                    session.sendmail(
                        f"load@{sender}", f"{id_}@{recipient}", "Subject: load\r\n\r\nA line.\r\n"
                    )
                    self.sent.add(id_)
                    due = max(due + self._every, time.monotonic() - 1)
        except (OSError, smtplib.SMTPException) as error:
            self.failed.append(f"{label}: {error}")

    def stop(self) -> None:
        """Send nothing more."""
        self._ending.set()
        for one in self._threads:
            one.join()

    def settled(self) -> Counted:
        """Send nothing more, and count when everything has arrived, or does not."""
        self.stop()
        assert not self.failed, self.failed
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (arrived := self.delivered()).keys() < self.sent and time.monotonic() < deadline:
            time.sleep(0.2)
        said = "\n".join(self._said())
        return Counted(
            len(self.sent),
            len(self.sent - arrived.keys()),
            sum(count - 1 for count in arrived.values()),
            len(_DEFERRED.findall(said)),
            len(_REFUSED.findall(said)),
            len(_NOT_TRUSTED.findall(said)),
        )

    def delivered(self) -> Counter[str]:
        """How often each message came to its end, by its id."""
        return Counter(id_ for said in self._said() for id_ in _DELIVERED.findall(said))

    def troubles(self) -> list[str]:
        """The lines that were counted, for whoever looks why."""
        lines = [line for said in self._said() for line in said.splitlines()]
        return [
            line for line in lines if any(one.search(line) for one in (_DEFERRED, _REFUSED, _NOT_TRUSTED))
        ]

    def _said(self) -> list[str]:
        return [one.log[self._began[name] :] for name, one in self._instances.items()]
