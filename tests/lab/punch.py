#!/usr/bin/env python3
"""Tries whether two sites meet: datagrams from one socket each, as the agents will send them.

    punch.py FAMILY INET NAMESPACE NAMESPACE [OUTPUT]
        FAMILY is 4 or 6; INET and NAMESPACE are files of namespaces; with an OUTPUT whatever was sent
        and received goes there. Prints fields of a table: meets (yes, no), how, and what was tried.

Each attempt has fresh ports. Both sites ask two reflectors in INET what is seen of them, are told
what the other learned, and send to that. Who receives a probe answers where it came from, and goes
on there; whose answer came has met. What was tried, with the number of probes until then:

    plain       they take turns: a begins / b begins
    open        both have sent openers, which die on the way but open the own router; then the same
    next        as open; a site whose ports count is sent to where it will be, instead of where it was

How is the simplest of these: any (whoever begins), a-first, b-first, openers, predict; - for none.
"""
import os
import socket
import sys

from probe import arrived, everywhere, open_socket, receive_until

INET = {"4": ("192.0.2.1", "192.0.2.2", "192.0.2.3"), "6": ("2001:db8::1", "2001:db8::2", "2001:db8::3")}
FIRST_PORT = 51820
OPENER_TTL = 4
FULL_TTL = 64
TURNS = 6
GUESSES = 3
STEP_MAX = 4
trace = open(os.devnull, "w", encoding="ascii")


class Site:
    def __init__(self, name, namespace, mark, port):
        self.name = name
        here = everywhere(mark.getsockname()[0])
        self.sock = open_socket(namespace, here, port)
        # What was sent before a word of this second conversation was, has been dealt with.
        self.mark = mark
        self.clock = open_socket(namespace, here)
        self.clock.sendto(b"open", mark.getsockname()[:2])
        self.way = mark.recvfrom(64)[1]
        self.seen = []
        self.targets = []
        self.met = False

    def reflect(self, reflectors):
        for reflector in reflectors:
            self.send(b"who am I", reflector.getsockname()[:2])
            source = reflector.recvfrom(64)[1][:2]
            reflector.sendto(repr(source).encode(), source)
            self.seen.append(source)
            self.sock.recvfrom(64)

    def candidates(self, predicts):
        """Where the others send to. The nth of them is for their nth packet, should ports of both count."""
        (address, before), (_, last) = self.seen
        step = last - before
        if predicts and 0 < step <= STEP_MAX:
            return [(address, last + step * n) for n in range(1, GUESSES + 1)]
        return [(address, last)]

    def send(self, text, target, ttl=FULL_TTL):
        if self.sock.family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        self.sock.sendto(text, target)
        print(f"  {self.name} sends {text.decode()} to {target[0]} {target[1]}"
              f"{' with TTL ' + str(ttl) if ttl != FULL_TTL else ''}", file=trace)

    def tick(self):
        self.clock.sendto(b"tick", self.mark.getsockname()[:2])
        self.mark.recvfrom(64)
        self.mark.sendto(b"tock", self.way)
        receive_until(self.clock, b"tock")

    def hear(self):
        """Answers probes; returns whether there was anything."""
        heard = arrived(self.sock)
        for text, source in heard:
            source = source[:2]
            print(f"  {self.name} hears {text.decode()} from {source[0]} {source[1]}", file=trace)
            self.targets = [source]
            if text == b"probe":
                self.send(b"answer", source)
            elif text == b"answer":
                self.met = True
        return bool(heard)


def settle(sites):
    """Until everything that was sent has arrived, or will not."""
    heard = True
    while heard:
        for site in sites:
            site.tick()
        heard = any([site.hear() for site in sites])


def attempt(addresses, inet, namespaces, port, first, openers, predicts):
    """Returns the number of probes until the two had met, or 0. FIRST is 0 or 1."""
    mark, *reflectors = [open_socket(inet, address) for address in addresses]
    sites = [Site(name, namespace, mark, port) for name, namespace in zip("ab", namespaces)]
    for site in sites:
        site.reflect(reflectors)
    for site, other in zip(sites, reversed(sites)):
        site.targets = other.candidates(predicts)
    order = [sites[first], sites[1 - first]]
    if openers:
        for site in order:
            for target in site.targets:
                site.send(b"opener", target, OPENER_TTL)
        settle(sites)
        if any(site.targets != other.candidates(predicts) for site, other in zip(sites, reversed(sites))):
            raise RuntimeError("an opener arrived")
    for turn in range(TURNS):
        site = order[turn % 2]
        for target in list(site.targets):
            site.send(b"probe", target)
        settle(sites)
        if any(site.met for site in sites):
            return turn + 1
    return 0


def main():
    global trace
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    family, inet, *namespaces = sys.argv[1:5]
    if len(sys.argv) > 5:
        trace = open(sys.argv[5], "w", encoding="ascii")
    results = {}
    port = FIRST_PORT
    for name, openers, predicts in (("plain", False, False), ("open", True, False), ("next", True, True)):
        for first in (0, 1):
            print(f"{name}, {'ab'[first]} first", file=trace)
            results[name, first] = attempt(INET[family], inet, namespaces, port, first, openers, predicts)
            port += 1
    if results["plain", 0] and results["plain", 1]:
        how = "any"
    elif results["plain", 0] or results["plain", 1]:
        how = "a-first" if results["plain", 0] else "b-first"
    elif results["open", 0] and results["open", 1]:
        how = "openers"
    elif results["next", 0] and results["next", 1]:
        how = "predict"
    else:
        how = "-"
    words = {True: "yes", False: "no"}
    tried = " ".join("/".join(str(results[name, first] or "-") for first in (0, 1)) for name in ("plain", "open", "next"))
    print(words[how != "-"], how, tried)


if __name__ == "__main__":
    main()
