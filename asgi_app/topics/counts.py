"""How many, and who, listen to a topic in the other processes. One on which nobody moves costs nothing.

Each process keeps one hash, and writes to it what has changed. Beside the numbers the hash has the last
changes, so that others ask for those only. A process that dies is forgotten when its hash expires.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

from asgi_app import limits, tasks
from asgi_app.topics import keys
from asgi_app.topics.people import NOBODY, Share


class Counts:
    """Shares the numbers of this process, and learns those of the others for the topics that it has."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._me = secrets.token_hex(6)
        self._version = 0  # rises with each change
        self._is_known = False  # to the others, as far as we know
        self._unsaid: set[str] = set()  # topics whose number in Redis is not, or may not be, that of here
        self._seen: dict[str, int] = {}  # process -> the version up to which its changes are known
        self._known: set[str] = set()  # topics for which all of them were asked
        self._unasked: set[str] = set()  # topics for which they were not
        self._others: dict[str, dict[str, Share]] = {}  # topic -> process -> what it has; none without

    def elsewhere(self, topic: str) -> Collection[Share]:
        """What other processes have of the topic."""
        return self._others[topic].values() if topic in self._others else ()

    async def exchange(self, here: Mapping[str, Share], moved: set[str], repeat: bool) -> set[str]:
        """Says what is here of each topic, and returns the topics of which it has changed elsewhere.

        `moved` are the topics of which it may have changed here since the last call. Without any it says
        nothing, unless it is to `repeat`.

        Raises:
            RedisError: Redis is not responding. The next call makes good for it.
        """
        self._unsaid |= moved
        self._unasked |= (moved & here.keys()) - self._known
        for name in moved - here.keys():
            self._known.discard(name)
            self._unasked.discard(name)
            self._others.pop(name, None)
        processes = await self._share(here, repeat)
        touched = self._forget(processes)
        new = set(self._unasked)
        for process, version in processes.items():
            if process == self._me:
                continue
            changes = await self._changes(process, version)
            for name, share in (changes or {}).items():
                if name in here and self._note(process, name, share):
                    touched.add(name)
            touched |= await self._ask(process, here if changes is None else new)
            self._seen[process] = version
        self._known |= new
        self._unasked -= new
        return touched

    async def _share(self, here: Mapping[str, Share], repeat: bool) -> dict[str, int]:
        # Returns the versions of all processes.
        answer: Any
        if self._unsaid or repeat:
            answer = await self._say(here)
        else:
            answer = await self._redis.hvals(keys.PROCESSES)
        processes = {}
        for said in answer:
            process, _, version = said.decode().partition(" ")
            processes[process] = int(version)
        if self._me not in processes:
            # Expired while this process stood still or Redis was away, or lost: all of it, and to everybody.
            self._unsaid.update(here)
            self._version += limits.PRESENCE_CHANGES
        return processes

    async def _say(self, here: Mapping[str, Share]) -> list[bytes]:
        # Returns who was known just before.
        names = self._unsaid & here.keys()
        changed = {name: bytes(here[name]) async for name in tasks.in_turns(names, limits.PRESENCE_TOPICS)}
        gone = self._unsaid - here.keys()
        mine = keys.counts(self._me)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hvals(keys.PROCESSES)
            if self._unsaid:
                self._version += 1
                changes = self._changed(changed, gone)
                if len(changes) <= limits.PRESENCE_CHANGE_BYTES:
                    pipe.hset(mine, _slot(self._version), changes)
            if changed:
                pipe.hset(mine, mapping=changed)  # type: ignore[arg-type]
            if gone:
                pipe.hdel(mine, *gone)
            pipe.expire(mine, limits.FORGET_SECONDS)
            pipe.hset(keys.PROCESSES, self._me, f"{self._me} {self._version}")
            # The field expires by itself, and the hash with its last field.
            pipe.hexpire(keys.PROCESSES, limits.FORGET_SECONDS, self._me)
            before, *_ = await pipe.execute()
        self._unsaid.clear()
        found: list[bytes] = before
        return found

    def _changed(self, changed: Mapping[str, bytes], gone: Iterable[str]) -> bytes:
        shares = {**changed, **dict.fromkeys(gone, bytes(NOBODY))}
        lines = [b"%b %b" % (name.encode(), share) for name, share in shares.items()]
        return b"\n".join([b"%d" % self._version, *lines])

    def _forget(self, processes: Mapping[str, int]) -> set[str]:
        # Processes that are gone. Returns the topics that are concerned.
        touched = set()
        for process in self._seen.keys() - processes.keys():
            del self._seen[process]
            touched |= {name for name in tuple(self._others) if self._note(process, name, NOBODY)}
        return touched

    async def _changes(self, process: str, version: int) -> dict[str, Share] | None:
        # What has changed up to this version; None when that is no longer known.
        seen = self._seen.get(process)
        if seen == version:
            return {}
        if seen is None or not 0 < version - seen <= limits.PRESENCE_CHANGES:
            return None
        wanted = range(seen + 1, version + 1)
        found: dict[str, Share] = {}
        texts: Any = await self._redis.hmget(keys.counts(process), [_slot(number) for number in wanted])
        for number, text in zip(wanted, texts, strict=True):
            head, *lines = (text or b"").split(b"\n")
            if head != b"%d" % number:  # overwritten meanwhile, or too much
                return None
            async for line in tasks.in_turns(lines, limits.PRESENCE_TOPICS):
                name, _, share = line.partition(b" ")
                found[name.decode()] = Share.parse(share)
        return found

    async def _ask(self, process: str, names: Iterable[str]) -> set[str]:
        # Returns the topics whose number was another.
        touched, names = set(), list(names)
        for start in range(0, len(names), limits.LOOK_TOPICS):
            some = names[start : start + limits.LOOK_TOPICS]
            shares: Any = await self._redis.hmget(keys.counts(process), some)
            touched |= {
                name
                for name, share in zip(some, shares, strict=True)
                if self._note(process, name, Share.parse(share) if share else NOBODY)
            }
        return touched

    def _note(self, process: str, name: str, share: Share) -> bool:
        # Whether it is news.
        if self._others.get(name, {}).get(process, NOBODY) == share:
            return False
        if share.listeners:
            self._others.setdefault(name, {})[process] = share
            return True
        del self._others[name][process]
        if not self._others[name]:
            del self._others[name]
        return True


def _slot(version: int) -> str:
    # No topic begins with a number sign.
    return f"#{version % limits.PRESENCE_CHANGES}"
