#!/usr/bin/env python3
"""Whether what stands at each site is what its members and its links demand, and nothing else.

    demanded.py DIRECTORY INVITES SITE...

The first site is the hub, which was asked to let in so many INVITES that were used. Of each site there are in
DIRECTORY/NAME: `status.json`, `peers` (wg show all dump) and `routes` (ip route show table all proto 110, of both
families). Says what is too much and what is missing.
"""
import ipaddress
import json
import os
import sys

HUB, LINKS = "collective0", "collective1"
TABLE = " table 11010"


def lines_of(*path):
    with open(os.path.join(*path), encoding="ascii") as file:
        return [line.strip() for line in file if line.strip()]


class Site:
    def __init__(self, directory, name):
        self.name = name
        with open(os.path.join(directory, name, "status.json"), encoding="utf-8") as file:
            self.status = json.load(file)
        self.members = {other["name"]: other for other in self.status["sites"]}
        self.keys = {}
        self.peers = []  # interface, key, networks
        for line in lines_of(directory, name, "peers"):
            words = line.split("\t")
            if len(words) == 5:
                self.keys[words[0]] = words[2]
            else:
                self.peers.append((words[0], words[1], frozenset(words[4].split(","))))
        self.routes = lines_of(directory, name, "routes")


def routes_demanded(site):
    own = site.members[site.name]
    supernet = site.status["collective"]["supernet"]
    ours = [net for net in own["subnets"]]
    demanded = {f"unreachable default{TABLE}", f"unreachable default dev lo{TABLE}",
                f"{supernet} dev {HUB}{TABLE}", f"{supernet} dev {HUB}", f"unreachable {supernet}"}
    for net in ours:
        demanded |= {f"throw {net}{TABLE}", f"unreachable {net}"}
    allowed = set()
    for other in site.members.values():
        for net in other["subnets"]:
            if other["path"] == "direct":
                demanded |= {f"{net} dev {LINKS}{TABLE}", f"{net} dev {LINKS}"}
            elif other["path"] != "self" and ipaddress.ip_network(net).prefixlen > ipaddress.ip_network(supernet).prefixlen:
                # Where there is a link, or was one, the way to the hub has a route of its own.
                allowed |= {f"{net} dev {HUB}{TABLE}", f"{net} dev {HUB}"}
    return demanded, allowed


def route_words(line):
    """Without what says nothing of where it leads."""
    words = line.split()
    kept, i = [], 0
    while i < len(words):
        if words[i] in ("proto", "scope", "src", "metric", "pref"):
            i += 2
            continue
        kept.append(words[i])
        i += 1
    line = " ".join(kept)
    # The table stands last, wherever it stood.
    if TABLE in line:
        line = line.replace(TABLE, "") + TABLE
    return line


def peers_demanded(site, sites, invites):
    """Interface, key, networks; those that may be there; and how many more that nobody but the hub knows."""
    demanded, allowed = set(), set()
    if site is sites[0]:
        for other in sites[1:]:
            demanded.add((HUB, other.keys.get(HUB), frozenset(site.members[other.name]["subnets"])))
        return demanded, allowed, invites
    demanded.add((HUB, sites[0].keys.get(HUB), frozenset([site.status["collective"]["supernet"]])))
    for other in sites[1:]:
        if other is site:
            continue
        state = site.members[other.name]["link"]["state"]
        peer = (LINKS, other.keys.get(LINKS), frozenset(site.members[other.name]["subnets"]))
        # A link lives, whether traffic takes it or the hub's way is faster just now.
        if state in ("direct", "hub"):
            demanded.add(peer)
        elif state in ("meeting", "ending"):
            allowed.add(peer)
    return demanded, allowed, 0


def compare(site, what, demanded, there, allowed=frozenset()):
    bad = False
    for each in sorted(demanded - there, key=str):
        print(f"{site.name}: {what} is missing: {each}")
        bad = True
    for each in sorted(there - demanded - allowed, key=str):
        print(f"{site.name}: {what} too much: {each}")
        bad = True
    return bad


def main():
    directory, invites, *names = sys.argv[1:]
    sites = [Site(directory, name) for name in names]
    bad = False
    for site in sites:
        if set(site.members) != set(names):
            print(f"{site.name}: knows {sorted(site.members)}, not {sorted(names)}")
            bad = True
    if bad:
        return 1
    for site in sites:
        demanded, allowed = routes_demanded(site)
        there = [route_words(line) for line in site.routes]
        bad |= compare(site, "a route", demanded, set(there), allowed)
        if len(there) != len(set(there)):
            print(f"{site.name}: a route stands twice")
            bad = True
        demanded, allowed, temporary = peers_demanded(site, sites, int(invites))
        guests = {peer for peer in site.peers if all(net.startswith("169.254.77.") for net in peer[2])}
        bad |= compare(site, "a peer", demanded, set(site.peers) - guests, allowed)
        if len(guests) != temporary:
            print(f"{site.name}: {len(guests)} peers of invites, not {temporary}")
            bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
