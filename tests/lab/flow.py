#!/usr/bin/env python3
"""Numbered datagrams between two sites, both ways at once, until it is told to end.

    flow.py NAMESPACE ADDRESS NAMESPACE ADDRESS DIRECTORY RATE

NAMESPACE is a file of a network namespace, ADDRESS is the site's own there: each sends RATE datagrams
a second to the other. In DIRECTORY `running` comes to be there when one has arrived each way, and
`result` at SIGTERM, when what was still on its way has arrived or will not. One line for each way:

    SENT LOST HOLES TWICE LATE GAP

HOLES: in how many pieces they were lost; LATE: overtaken; GAP: the longest time without an arrival, in ms.
"""
import os
import select
import signal
import socket
import struct
import sys
import time

from probe import open_socket

SIZE = 200
SETTLE_S = 0.5
BUFFER = 4 << 20
SO_RCVBUFFORCE = 33


class Way:
    """From one to the other."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver, self.to = sender, receiver, receiver.getsockname()
        self.sent = 0
        self.seen = set()
        self.twice = self.late = 0
        self.newest = -1
        self.last_at = None
        self.gap = 0.0

    def send(self):
        number, self.sent = self.sent, self.sent + 1
        try:
            self.sender.sendto(struct.pack(">Q", number) + bytes(SIZE - 8), self.to)
        except OSError:
            pass  # it does not arrive, and is counted so

    def receive(self):
        while True:
            try:
                number = struct.unpack_from(">Q", self.receiver.recv(SIZE))[0]
            except BlockingIOError:
                return
            now = time.monotonic()
            if number in self.seen:
                self.twice += 1
                continue
            self.seen.add(number)
            if number < self.newest:
                self.late += 1
            self.newest = max(self.newest, number)
            self.wait_ends(now)
            self.last_at = now

    def wait_ends(self, now):
        if self.last_at is not None:
            self.gap = max(self.gap, now - self.last_at)

    def result(self):
        lost = [number for number in range(self.sent) if number not in self.seen]
        holes = sum(number - 1 not in lost for number in lost)
        return f"{self.sent} {len(lost)} {holes} {self.twice} {self.late} {self.gap * 1000:.0f}"


def main():
    near, near_address, far, far_address, directory, rate = sys.argv[1:]
    a, b = (open_socket(*end) for end in ((near, near_address), (far, far_address)))
    for sock in a, b:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        sock.setblocking(False)
    ways = [Way(a, b), Way(b, a)]
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    pause = 1 / int(rate)
    next_at = time.monotonic()
    running = False
    until = None
    while until is None or time.monotonic() < until:
        now = time.monotonic()
        if ended and until is None:
            until = now + SETTLE_S
            for way in ways:
                way.wait_ends(now)
        while until is None and next_at <= now:
            for way in ways:
                way.send()
            next_at += pause
        select.select([a, b], [], [], max(0.0, (until or next_at) - now))
        for way in ways:
            way.receive()
        if not running and all(way.seen for way in ways):
            running = True
            with open(os.path.join(directory, "running"), "w"):
                pass
    part = os.path.join(directory, "part")
    with open(part, "w") as file:
        for way in ways:
            print(way.result(), file=file)
    os.rename(part, os.path.join(directory, "result"))


if __name__ == "__main__":
    main()
