"""
The durable queue: what was answered with 250 is on disk, and stays there until it is delivered.

One thread writes.  It takes everything that waits for it, commits it at once, and only then tells the
sessions; so under load twenty messages share the cost of one fsync (*group commit*).
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from mailtrust.errors import TransportUnavailable
from mailtrust.transports.hub.message import Message
from mailtrust.transports.hub.queue_file import LARGE_BYTES, QueueFiles

_BATCH = 500
# In one statement; old SQLites take 999 values in one.
_ROWS = 50
_RESERVE = 1 << 16


class QueueFull(TransportUnavailable):
    """The message could not be stored; the sender still has it."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """A recipient to be tried again."""

    position: int
    due: datetime
    reply: str
    why: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one message's recipients in one attempt.  Those not named stay as they were."""

    message: int
    done: tuple[int, ...] = ()
    """Delivered, or given up: they leave the queue."""
    postponed: tuple[Postponed, ...] = ()
    bounces: tuple[Message, ...] = ()
    """Stored in the same commit that lets the given-up ones go."""


@dataclass(slots=True)
class Job:
    """Some recipients of one message that go the same way, on their way."""

    message: int
    hop: str
    sender: str
    recipients: dict[int, str]
    """Address by position."""
    accepted_at: datetime
    attempts: int
    size_bytes: int
    eight_bit: bool
    content: bytes | None = field(default=None, repr=False)
    """None until it is needed; see `Queue.content`."""


_Write = Message | Settlement
_Batch = list[tuple[_Write, asyncio.Future[None]]]


class Queue:
    """
    Opened by `open`, closed by `close`; everything else is for the event loop that runs in between.

    *hop_of* says where mail for an address goes: ``local``, a next hop, or nothing.
    """

    def __init__(self, files: QueueFiles, database: sqlite3.Connection, hop_of: Callable[[str], str]) -> None:
        self._files = files
        self._database = database
        self._reading = files.connect()
        self._reading_lock = threading.Lock()
        self._hop_of = hop_of
        self._loop = asyncio.get_running_loop()
        self._gathered: _Batch = []
        self._waiting: SimpleQueue[_Batch | None] = SimpleQueue()
        self._reserved = int(database.execute("select highest from reserved").fetchone()[0])
        self._last_id = self._reserved
        self.waiting = int(database.execute("select count(*) from message").fetchone()[0])
        """Messages with a recipient that is not settled yet."""
        self._thread = threading.Thread(target=self._write_forever, name="mailtrust-queue", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, store: Path, hop_of: Callable[[str], str]) -> Queue:
        """The queue below *store*, made where there is none.  Raises: TransportUnavailable."""
        files = await asyncio.to_thread(QueueFiles, store)
        try:
            database = await asyncio.to_thread(files.connect)
            await asyncio.to_thread(_tidy, files, database, hop_of)
            return cls(files, database, hop_of)
        except BaseException:
            files.close()
            raise

    async def close(self) -> None:
        """Commit what waits, and let go."""
        self._hand_over()
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._reading.close()
        self._database.close()
        self._files.close()

    def next_id(self) -> int:
        """An id that this queue never gave before and never gives again."""
        self._last_id += 1
        return self._last_id

    def put(self, message: Message) -> asyncio.Future[None]:
        """Done when the message is on disk; QueueFull when it is not and will not be."""
        if len(message.content) > LARGE_BYTES:
            return asyncio.ensure_future(self._put_large(message))
        return self._write(message)

    def settle(self, settlement: Settlement) -> asyncio.Future[None]:
        """Done when the outcome is on disk; QueueFull: the queue still thinks as before."""
        return self._write(settlement)

    async def due(self, now: datetime, limit: int, without: Collection[str]) -> list[Job]:
        """Jobs for what is due, oldest first; hops in *without* left out.  Raises: QueueFull."""
        return await asyncio.to_thread(self._due, now, limit, without)

    async def next_due(self, after: datetime) -> datetime | None:
        """When the next recipient becomes due."""
        row = await asyncio.to_thread(
            self._select, "select min(due) from recipient where due > ?", (after.timestamp(),)
        )
        return None if row[0][0] is None else datetime.fromtimestamp(row[0][0], UTC)

    async def content(self, job: Job) -> bytes | None:
        """The job's message; None where it cannot be read now."""
        return job.content if job.content is not None else await asyncio.to_thread(self._content, job.message)

    async def make_due(self, now: datetime) -> None:
        """Try everything again now."""
        await asyncio.to_thread(
            self._select, "update recipient set due = ? where due > ?", (now.timestamp(),) * 2
        )

    # The reader's side, in a pool thread

    def _select(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            with self._reading_lock:
                return self._reading.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise QueueFull("the queue cannot be read or written") from error

    def _due(self, now: datetime, limit: int, without: Collection[str]) -> list[Job]:
        marks = ", ".join("?" * len(without))
        query = (
            "select message, position, address, hop, attempts, sender, accepted_at, size, eight_bit"  # noqa: S608
            f" from recipient join message on id = message where due <= ? and hop not in ({marks})"
            " order by due limit ?"
        )
        jobs: dict[tuple[int, str, int], Job] = {}
        for id_, position, address, hop, attempts, sender, at, size, eight_bit in self._select(
            query, (now.timestamp(), *without, limit)
        ):
            accepted_at = datetime.fromtimestamp(at, UTC)
            job = Job(id_, hop, sender, {}, accepted_at, attempts, size, bool(eight_bit))
            jobs.setdefault((id_, hop, attempts), job).recipients[position] = address
        return list(jobs.values())

    def _content(self, message: int) -> bytes | None:
        rows = self._select("select content from message where id = ?", (message,))
        if not rows or rows[0][0] is not None:
            return bytes(rows[0][0]) if rows else None
        try:
            return self._files.body(message).read_bytes()
        except OSError:
            return None

    # The writer's side

    def _write(self, what: _Write) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append((what, done))
        return done

    def _hand_over(self) -> None:
        # Once a turn of the loop: the writer, woken at once, would wait for the interpreter that we hold.
        if self._gathered:
            self._waiting.put(self._gathered)
            self._gathered = []

    async def _put_large(self, message: Message) -> None:
        try:
            await asyncio.to_thread(self._files.write_body, message.id, message.content)
        except OSError as error:
            raise QueueFull("the message cannot be written to disk") from error
        try:
            await self._write(message)
        except QueueFull:
            await asyncio.to_thread(self._files.remove_body, message.id)
            raise

    def _write_forever(self) -> None:
        running = True
        while running:
            batch: _Batch = []
            more = self._waiting.get()
            while more is not None:
                batch += more
                if len(batch) >= _BATCH:
                    break
                try:
                    more = self._waiting.get_nowait()
                except Empty:
                    break
            else:
                running = False
            if batch:
                outcome = self._commit_all(batch)
                self._loop.call_soon_threadsafe(_tell, outcome)

    def _commit_all(self, batch: _Batch) -> list[tuple[asyncio.Future[None], QueueFull | None]]:
        error = self._commit([what for what, _ in batch])
        if error is None or len(batch) == 1:
            return [(done, error) for _, done in batch]
        # One that cannot be stored must not take the others with it.
        return [(done, self._commit([what])) for what, done in batch]

    def _commit(self, writes: Sequence[_Write]) -> QueueFull | None:
        settled = [one for one in writes if isinstance(one, Settlement)]
        arrived = [one for one in writes if isinstance(one, Message)]
        arrived += [bounce for one in settled for bounce in one.bounces]
        try:
            self._reserve(arrived)
            gone = self._store(arrived, settled)
        except (sqlite3.Error, OverflowError) as error:
            if self._database.in_transaction:
                self._database.rollback()
            full = QueueFull("the queue cannot be written; the disk may be full")
            full.__cause__ = error
            return full
        self.waiting += len(arrived) - len(gone)
        for message in gone:
            self._files.remove_body(message)
        return None

    def _reserve(self, messages: Sequence[Message]) -> None:
        highest = max((message.id for message in messages), default=0)
        if highest > self._reserved:
            # Ids name Maildir files: one that was ever used must not return after a restart.
            self._reserved = highest + _RESERVE
            self._database.execute("update reserved set highest = ?", (self._reserved,))

    def _store(self, arrived: Sequence[Message], settled: Sequence[Settlement]) -> list[int]:
        """All or nothing; the messages that are gone."""
        rows = [
            (m.id, m.sender, m.peer, m.eight_bit, m.accepted_at.timestamp(), len(m.content),
             m.content if position == 0 and len(m.content) <= LARGE_BYTES else None,
             position, address, self._hop_of(address))
            for m in arrived
            for position, address in enumerate(m.recipients)
        ]  # fmt: skip
        if not settled and len(rows) <= _ROWS:
            # A statement alone is a transaction.  More of them cost more than the writing itself: around
            # each sqlite3 hands the interpreter to the loop and takes it back, several times.
            self._insert(rows)
            return []
        self._database.execute("begin immediate")
        for start in range(0, len(rows), _ROWS):
            self._insert(rows[start : start + _ROWS])
        gone = self._apply(settled)
        self._database.execute("commit")
        return gone

    def _insert(self, rows: Sequence[tuple[object, ...]]) -> None:
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        query = "insert into arriving values " + marks  # noqa: S608
        self._database.execute(query, [*chain.from_iterable(rows)])

    def _apply(self, settled: Sequence[Settlement]) -> list[int]:
        if not settled:
            return []
        database = self._database
        database.executemany(
            "update recipient set due = ?, attempts = attempts + 1, reply = ?, why = ?"
            " where message = ? and position = ?",
            [
                (p.due.timestamp(), p.reply, p.why, one.message, p.position)
                for one in settled
                for p in one.postponed
            ],
        )
        database.executemany(
            "delete from recipient where message = ? and position = ?",
            [(one.message, position) for one in settled for position in one.done],
        )
        # Two settlements of one message may share a commit: it goes once.
        return [message for message in {one.message for one in settled if one.done} if self._remove(message)]

    def _remove(self, message: int) -> bool:
        """Remove a message unless a recipient still waits for it."""
        cursor = self._database.execute(
            "delete from message where id = ? and not exists (select 1 from recipient where message = ?)",
            (message, message),
        )
        return cursor.rowcount > 0


def _tell(outcome: list[tuple[asyncio.Future[None], QueueFull | None]]) -> None:
    for done, error in outcome:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _tidy(files: QueueFiles, database: sqlite3.Connection, hop_of: Callable[[str], str]) -> None:
    """Remove what a crash left over, and send what waits along the routes of today."""
    try:
        files.sweep(database)
        rows = database.execute("select message, position, address, hop from recipient").fetchall()
        moved = [
            (hop_of(address), message, position)
            for message, position, address, hop in rows
            if hop_of(address) != hop
        ]
        database.execute("begin immediate")
        database.executemany("update recipient set hop = ? where message = ? and position = ?", moved)
        database.execute("commit")
    except (sqlite3.Error, OSError) as error:
        raise TransportUnavailable(f"the queue in {files.folder} cannot be read") from error
