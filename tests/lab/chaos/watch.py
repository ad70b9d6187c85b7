#!/usr/bin/env python3
"""Looks at a small world from outside while it is in chaos, and says what must not be.

    watch.py DIRECTORY WORLD

DIRECTORY is the world's, WORLD how the names of its namespaces begin. What is written there by others:

    watched         a line for each site: NAME ADDRESS NETWORK, inside
    NAME/up         there while the agent of that site is meant to run and to answer; anew when it begins anew
    NAME/status     the words that ask it for its status
    out             a line for each member that is expelled: NAME KEY...; from when it was not in force any more

Every site sends to every other one, and answers. In `violations` comes a line for each of these, once:

- a route leads over the links' interface, and for so long nothing came back along it, though the agent runs;
- a route leads over it, and for so long the agent says that the path is not direct, or knows nobody there;
- somebody who was expelled and gone from a site is there again, as a member or as a peer;
- somebody who was expelled is a peer for so long after it was gone from the members.

`answers` says at the end how many of the packets between whom were answered. Ends by SIGTERM.
"""
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from probe import open_socket  # noqa: E402

PORT = 7
EVERY_S = 0.2
LOOK_S = 1.5
LIMIT_S = 5.0  # a direct way is left within 2.5 s, and what is asked takes its time
STALL_S = 0.5  # this program itself did not run


class Site:
    def __init__(self, directory, world, name, address, network):
        self.name, self.address, self.network = name, address, network
        self.directory = os.path.join(directory, name)
        self.socket = open_socket(f"/run/netns/{world}-{name}", "0.0.0.0", PORT)
        self.socket.setblocking(False)
        self.since = time.monotonic()  # that it sends
        self.sent = {}
        self.count = {}
        self.judged = 0
        self.answered = {}  # name: when
        self.routed = {}  # name: since when a route leads to it over links
        self.apart = {}  # name: since when that is not what the agent says
        self.gone = {}  # name: since when it is not among the members
        self.peerless = set()

    def up_since(self):
        try:
            return os.stat(os.path.join(self.directory, "up")).st_mtime_ns
        except FileNotFoundError:
            return None

    def run(self, words):
        return subprocess.run(words, capture_output=True, text=True, timeout=20, check=True, stdin=subprocess.DEVNULL).stdout

    def look(self):
        """What its agent says, what routes lead over links, what peers there are."""
        with open(os.path.join(self.directory, "status"), encoding="ascii") as file:
            words = file.read().splitlines()
        with open(os.path.join(self.directory, "holder"), encoding="ascii") as file:
            holder = file.read().strip()
        status = json.loads(self.run(words))
        there = self.run(["nsenter", "--target", holder, "--net", "--mount", "--", "sh", "-c",
                          "ip route show proto 110 | grep ' dev collective1 '; echo; wg show all peers"])
        routes, peers = there.split("\n\n", 1) if not there.startswith("\n") else ("", there[1:])
        return status, [line.split()[0] for line in routes.splitlines()], [line.split()[-1] for line in peers.splitlines()]


class Watch:
    def __init__(self, directory, world):
        self.directory, self.world = directory, world
        self.sites = {}
        self.out = {}
        self.told = set()
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.stalled = self.began
        self.ended = False

    def violation(self, key, words):
        with self.lock:
            if key in self.told:
                return
            self.told.add(key)
            with open(os.path.join(self.directory, "violations"), "a", encoding="ascii") as file:
                print(f"{time.time():.3f} {words}", file=file)
        print(f"{time.time():.3f} VIOLATION {words}", flush=True)

    def read(self):
        try:
            with open(os.path.join(self.directory, "watched"), encoding="ascii") as file:
                lines = [line.split() for line in file]
        except FileNotFoundError:
            return
        for name, address, network in lines:
            if name not in self.sites:
                site = self.sites[name] = Site(self.directory, self.world, name, address, network)
                threading.Thread(target=self.follow, args=(site,), daemon=True).start()
        try:
            with open(os.path.join(self.directory, "out"), encoding="ascii") as file:
                self.out = {line.split()[0]: set(line.split()[1:]) for line in file}
        except FileNotFoundError:
            pass

    # Looking.

    def follow(self, site):
        # Who looks no more sees nothing bad.
        try:
            self.look_on(site)
        except Exception as problem:  # pylint: disable=broad-exception-caught
            self.violation((site.name, "", "unseen"), f"{site.name}: is not looked at any more: {problem!r}")
            raise

    def look_on(self, site):
        fresh = None
        begun = 0.0
        while not self.ended:
            start = time.monotonic()
            since = site.up_since()
            if since is None or since != fresh:
                fresh, begun = since, start
                site.routed, site.apart = {}, {}
            if since is not None and site.name not in self.out:
                try:
                    seen = site.look()
                    # What was seen while it was ended, or stopped, says nothing.
                    if site.up_since() == since:
                        self.judge(site, begun, start, *seen)
                        site.judged += 1
                except (subprocess.SubprocessError, ValueError) as problem:
                    print(f"{time.time():.3f} {site.name} does not answer: {problem}", flush=True)
            time.sleep(max(0.1, LOOK_S - (time.monotonic() - start)))

    def judge(self, site, begun, start, status, routes, peers):
        now = time.monotonic()
        paths = {other["name"]: other["path"] for other in status["sites"]}
        shown = " ".join(f"{name}:{path}" for name, path in sorted(paths.items()) if path != "self")
        print(f"{time.time():.3f} {site.name} {status['state']} {shown} links {' '.join(routes) or '-'} peers {len(peers)}", flush=True)
        owners = {network: other["name"] for other in status["sites"] for network in other["subnets"]}
        led = {owners.get(network, network) for network in routes}
        for known in site.routed, site.apart:
            for name in set(known) - led:
                del known[name]
        for name in led:
            other = self.sites.get(name)
            since = site.routed.setdefault(name, start)
            last = max(site.answered.get(name, 0.0), since, begun, self.stalled, site.since)
            if other and now - max(last, other.since) > LIMIT_S:
                self.violation((site.name, name, "dead"), f"{site.name}: packets to {name} have gone over a link and come to nothing for {now - last:.1f} s ({paths.get(name)})")
            if paths.get(name) == "direct":
                site.apart.pop(name, None)
            elif now - max(site.apart.setdefault(name, start), self.stalled) > LIMIT_S:
                self.violation((site.name, name, "apart"), f"{site.name}: the route to {name} has led over a link for {now - site.apart[name]:.1f} s, and the agent says {paths.get(name)}")
        for name, keys in self.out.items():
            if name in paths:
                if name in site.gone:
                    self.violation((site.name, name, "back"), f"{site.name}: {name} is a member again")
                continue
            gone = site.gone.setdefault(name, start)
            if not keys & set(peers):
                site.peerless.add(name)
            elif name in site.peerless:
                self.violation((site.name, name, "peer"), f"{site.name}: {name} is a peer again")
            elif now - max(gone, begun, self.stalled) > LIMIT_S:
                self.violation((site.name, name, "stays"), f"{site.name}: {name} is no member and still a peer after {now - gone:.1f} s")

    # Sending.

    def send(self):
        for site in self.sites.values():
            for other in self.sites.values():
                if site is other or {site.name, other.name} & set(self.out):
                    continue
                site.sent[other.name] = site.sent.get(other.name, 0) + 1
                try:
                    site.socket.sendto(b"?" + bytes(99), (other.address, PORT))
                except OSError:
                    pass  # there is no way

    def receive(self, site):
        by_address = {other.address: other.name for other in self.sites.values() if other.name not in self.out}
        while True:
            try:
                data, sender = site.socket.recvfrom(200)
            except OSError:
                return
            if data[:1] == b"?":
                try:
                    site.socket.sendto(b"!" + data[1:], sender)
                except OSError:
                    pass
            elif sender[0] in by_address:
                name = by_address[sender[0]]
                site.answered[name] = time.monotonic()
                site.count[name] = site.count.get(name, 0) + 1

    def turn(self):
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "ended", True))
        at = time.monotonic()
        while not self.ended:
            now = time.monotonic()
            if now - at > STALL_S:
                self.stalled = now
                print(f"{time.time():.3f} this program stood still for {now - at:.1f} s", flush=True)
            if now >= at:
                self.read()
                self.send()
                at = max(at + EVERY_S, now)
            sockets = {site.socket: site for site in list(self.sites.values())}
            ready, _, _ = select.select(list(sockets), [], [], max(0.0, at - time.monotonic()))
            for each in ready:
                self.receive(sockets[each])
        with open(os.path.join(self.directory, "judged"), "w", encoding="ascii") as file:
            for site in self.sites.values():
                print(site.name, site.judged, file=file)
        with open(os.path.join(self.directory, "answers"), "w", encoding="ascii") as file:
            for site in self.sites.values():
                for name, sent in site.sent.items():
                    print(site.name, name, sent, site.count.get(name, 0), file=file)


def main():
    Watch(*sys.argv[1:]).turn()


if __name__ == "__main__":
    main()
