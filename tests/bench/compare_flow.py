#!/usr/bin/env python3
"""What packets meet between two homes, whatever program carries them; seen from outside of it. For bench_compare.sh.

    compare_flow.py SCENARIO WORLD WAIT A ADDRESS OUTSIDE B ADDRESS OUTSIDE [// COMMAND...]...

WORLD is how the names of its namespaces begin, A and B are two sites in it; each has its ADDRESS inside and is
seen by inet at OUTSIDE. Datagrams of a size that nothing else has flow between them, and in inet it is seen from
whom to whom they go: from home to home, or by the hub. No program is asked what it believes. A way counts from its
first packet on, once STREAK packets in a row have taken it. What is printed is NAME VALUE, milliseconds, "-" for never:

    direct   A sends, B answers; ends when it is direct both ways, or after WAIT seconds:
             answer_ms, first_ms (either way), direct_ms (both), sent, lost
    dies     both send, directly; the first command breaks the direct way, the second one mends it:
             outage_ms (the longest silence of either direction), again_ms (from the mending until it is direct both ways)
    moves    both send, directly; the command gives A's home the address that is the second one of OUTSIDE, "old,new":
             outage_ms, again_ms (from the command)
    switch   both send, directly; the first command leads them by the hub, the second one back: sent, lost, away_ms, again_ms
"""
import ctypes
import select
import socket
import struct
import subprocess
import sys
import time

STREAK = 5
PAYLOAD = 611  # of UDP, inside
OUTER_LEAST, OUTER_MOST = 660, 760  # of the same outside, with what any of the programs adds
FRESH_S = 0.3
SETTLE_S = 0.6
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
PACKET_OUTGOING = 4
PORT = 40001
BUFFER = 8 << 20
libc = ctypes.CDLL(None, use_errno=True)


def enter(file):
    if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns", file.name)


def in_space(world, node, make):
    """A socket stays in the namespace in which it was made."""
    with open("/proc/self/ns/net", "rb") as home, open(f"/run/netns/{world}-{node}", "rb") as there:
        enter(there)
        try:
            return make()
        finally:
            enter(home)


def prepare(sock):
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setblocking(False)
    return sock


def open_end(address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, PORT))
    return prepare(sock)


def open_watch():
    return prepare(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)))


def arrivals(sock):
    """What has come, and when it did, which may be long before it is read."""
    while True:
        try:
            data, extra, _, source = sock.recvmsg(256, 128)
        except BlockingIOError:
            return
        at = time.time()
        for level, kind, value in extra:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", value[:16])
                at = seconds + nanoseconds / 1e9
        yield data, at, source


class Way:
    """From one to the other."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver, self.to = sender, receiver, receiver.getsockname()
        self.sent, self.seen = 0, set()
        self.begins_anew()
        self.watches(float("inf"))

    def begins_anew(self):
        self.path = self.streak = None
        self.count = 0
        self.started_at = self.fresh_at = None
        self.changes = {}

    def watches(self, since):
        """For silence, from then on."""
        self.last_at, self.gap, self.since = since, 0.0, since

    def send(self):
        number, self.sent = self.sent, self.sent + 1
        try:
            self.sender.sendto(struct.pack(">Q", number) + bytes(PAYLOAD - 8), self.to)
        except OSError:
            pass  # it does not arrive, and is counted so

    def takes(self, number, at):
        self.seen.add(number)
        if at > self.last_at:
            self.gap = max(self.gap, at - self.last_at)
        if at >= self.since:
            self.last_at = max(self.last_at, at)

    def goes(self, path, at):
        """A packet of this size was passed on by inet."""
        if path != self.streak:
            self.streak, self.count, self.started_at = path, 0, at
        self.count += 1
        self.fresh_at = at
        if self.count >= STREAK and self.path != path:
            self.path = path
            self.changes.setdefault(path, self.started_at)

    def is_by(self, path):
        return self.path == path and time.time() - self.fresh_at < FRESH_S

    def lost(self):
        return self.sent - len(self.seen)


class Flow:
    def __init__(self, world, a, b, rate, echo):
        self.outside = [a[2].split(","), b[2].split(",")]
        self.here = [self.outside[0][0], self.outside[1][0]]
        ends = [in_space(world, end[0], lambda end=end: open_end(end[1])) for end in (a, b)]
        self.watch = in_space(world, "inet", open_watch)
        self.there, self.back = Way(*ends), Way(*reversed(ends))
        self.ways = (self.there, self.back)
        self.echo, self.pause = echo, 1 / rate
        self.first_answer = None
        self.poll = select.poll()
        for sock in (*ends, self.watch):
            self.poll.register(sock, select.POLLIN)
        self.start = self.next_at = time.time()

    def receive(self):
        for way in self.ways:
            for data, at, _ in arrivals(way.receiver):
                number = struct.unpack_from(">Q", data)[0]
                way.takes(number, at)
                if self.echo and way is self.there:
                    self.back.send()
                elif way is self.back and self.first_answer is None:
                    self.first_answer = at
        for data, at, source in arrivals(self.watch):
            # Passed on, not come in: what a filter drops does not count.
            if source[2] != PACKET_OUTGOING or len(data) < 20 or data[0] >> 4 != 4:
                continue
            if not OUTER_LEAST <= struct.unpack_from(">H", data, 2)[0] <= OUTER_MOST:
                continue
            origin, target = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
            if (origin, target) == (self.here[0], self.here[1]):
                self.there.goes("direct", at)
            elif (origin, target) == (self.here[1], self.here[0]):
                self.back.goes("direct", at)
            elif target == self.here[1] and origin not in self.outside[0]:
                self.there.goes("hub", at)
            elif target == self.here[0] and origin not in self.outside[1]:
                self.back.goes("hub", at)

    def runs(self, seconds, until=lambda: False, silent=False):
        end = time.time() + seconds
        while True:
            now = time.time()
            if until():
                return True
            if now >= end:
                return False
            while not silent and self.next_at <= now:
                self.there.send()
                if not self.echo:
                    self.back.send()
                self.next_at += self.pause
            self.poll.poll(max(0.0, min(end, self.next_at if not silent else end) - time.time()) * 1000 + 0.2)
            self.receive()

    def are_by(self, path):
        return all(way.is_by(path) for way in self.ways)

    def ends(self):
        self.runs(SETTLE_S, silent=True)

    def changed(self, path, since):
        """When both went that way, in milliseconds since then."""
        times = [way.changes.get(path) for way in self.ways]
        return "-" if None in times else f"{max(0.0, (max(times) - since) * 1000):.1f}"

    def does(self, command):
        for way in self.ways:
            way.begins_anew()
        at = time.time()
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        return at

    def silence(self):
        return f"{max(max(way.gap, time.time() - way.last_at) for way in self.ways) * 1000:.0f}"

    def flows_since(self, at):
        """Both ways for a second and a half, after what was broken at that moment."""
        now = time.time()
        return now - at > 3 and all(now - way.last_at < FRESH_S and self.steady(way, now) for way in self.ways)

    def steady(self, way, now):
        if getattr(way, "steady_last", None) is None or way.last_at - way.steady_last > FRESH_S:
            way.steady_since = now
        way.steady_last = way.last_at
        return now - way.steady_since > 1.5


def say(**values):
    for name, value in values.items():
        print(name, value)


def number(seconds, since):
    return "-" if seconds is None else f"{max(0.0, (seconds - since) * 1000):.1f}"


def direct(flow, wait, _):
    flow.runs(wait, lambda: flow.are_by("direct"))
    first = [at for at in (way.changes.get("direct") for way in flow.ways) if at is not None]
    whole = flow.changed("direct", flow.start)
    # What else is lost is lost while it changes.
    if whole != "-":
        flow.runs(1)
    flow.ends()
    say(direct_ms=whole, first_ms=number(min(first, default=None), flow.start), answer_ms=number(flow.first_answer, flow.start),
        sent=flow.there.sent + flow.back.sent, lost=flow.there.lost() + flow.back.lost())


def begins_directly(flow):
    if not flow.runs(5, lambda: flow.are_by("direct")):
        sys.exit("it does not begin directly")
    flow.runs(1)


def dies(flow, wait, commands):
    begins_directly(flow)
    at = flow.does(commands[0])
    for way in flow.ways:
        way.watches(at)
    back = flow.runs(wait, lambda: flow.flows_since(at))
    say(outage_ms=flow.silence() if back else "-")
    at = flow.does(commands[1])
    flow.runs(wait, lambda: flow.are_by("direct"))
    say(again_ms=flow.changed("direct", at))


def moves(flow, wait, commands):
    begins_directly(flow)
    flow.here[0] = flow.outside[0][1]
    at = flow.does(commands[0])
    for way in flow.ways:
        way.watches(at)
    back = flow.runs(wait, lambda: flow.flows_since(at))
    say(outage_ms=flow.silence() if back else "-")
    flow.runs(wait, lambda: flow.are_by("direct"))
    say(again_ms=flow.changed("direct", at))


def switch(flow, wait, commands):
    begins_directly(flow)
    times = []
    for path, command in zip(("hub", "direct"), commands):
        at = flow.does(command)
        flow.runs(wait, lambda path=path: flow.are_by(path))
        times.append(flow.changed(path, at))
        flow.runs(1)
    flow.ends()
    say(sent=flow.there.sent + flow.back.sent, lost=flow.there.lost() + flow.back.lost(), away_ms=times[0], again_ms=times[1])


RATES = {direct: 100, dies: 100, moves: 100, switch: 250}


def main():
    words, commands = sys.argv[1:], []
    while "//" in words:
        last = len(words) - 1 - words[::-1].index("//")
        commands.insert(0, words[last + 1:])
        del words[last:]
    name, world, wait, *ends = words
    scenario = {"direct": direct, "dies": dies, "moves": moves, "switch": switch}[name]
    scenario(Flow(world, ends[:3], ends[3:], RATES[scenario], scenario is direct), float(wait), commands)


if __name__ == "__main__":
    main()
