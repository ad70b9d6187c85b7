#!/usr/bin/env python3
"""A member that has turned bad: its agent is gone, its tunnel is up, and this speaks in the agent's place.

    member.py replay FILE OWN ADDRESS...    messages that were taken down (packets.py), at every address: cut short, longer, or
                                            of another collective; none is to be answered. Says how many were sent, and the
                                            type of each answer
    member.py mutate FILE OWN ADDRESS...    as they were, and with bits turned: some of these may be answered
    member.py forge FILE OWN ADDRESS...     as they were, in the names of those who had sent them; says how many
    member.py mark FILE OWN ADDRESS...      the same in its own name
    member.py pieces FILE OWN ADDRESS...    datagrams of up to 65,507 bytes and fragments without an end, at the ports of gossip
                                            and of the join responder
    member.py flood FILE OWN SECONDS ADDRESS...     as fast as it goes, mostly what is well formed and dear to answer; says that it
                                                has begun, and at the end how many
    member.py call FILE OWN SECONDS ADDRESS...      asks in good form for so long; says how many answers there were
"""
import random
import socket
import struct
import sys
import time

from packets import Datagram, bin_of, collective_of, fragment, is_question, message, mutations, number, raw_socket, read_file, type_of

GOSSIP, JOIN = 51822, 51823
DEVICE = b"collective0"
TTL = 8 + 69  # of what is forged, to tell it from all else
SAMPLES = 2  # of each type
CUTS = 25
AT_ONCE = 50
FULL = 4000  # of a flood: by then whoever it comes to has more than it can take
PATIENCE_S = 20
BUDGET_S = 0.05  # until it is tried again whether there is an answer left for us
HELLO, SUMMARY, WANT, DELTA, PETITION, PROBE, PROBE_ANSWER, PRESENCE, OFFER, REFLECTION, WORD, WHY = 1, 2, 4, 6, 18, 21, 22, 23, 25, 27, 28, 29
RELAYED_OFFER = 31
UNASKED = {DELTA, PROBE, OFFER, REFLECTION, WORD, RELAYED_OFFER}  # what a member may be told without having asked


class Member:
    def __init__(self, path, own):
        self.own, self.chance = own, random.Random(4)
        self.samples = {}
        for datagram in read_file(path):
            kind = type_of(datagram.payload)
            if kind is not None and datagram.port in (GOSSIP, JOIN):
                self.samples.setdefault(kind, []).append(datagram)
        self.collective = next(collective_of(each.payload) for each in self.samples[HELLO])
        self.whole = next(collective_of(each.payload) for each in self.samples[PROBE])
        # They come every ten seconds, and have no more in them than this.
        hashed = bin_of(self.chance.randbytes(16))
        self.samples.setdefault(SUMMARY, [Datagram(own, GOSSIP, own, GOSSIP, message(
            SUMMARY, self.collective, b"\xc2", number(7), hashed, number(0), hashed, clock=int(time.time() * 1000)))])
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, DEVICE)
        self.sock.bind((own, GOSSIP))
        self.asked = 0
        self.answers = []

    def few(self):
        """Some of each type, spread over all there are."""
        for kind, found in sorted(self.samples.items()):
            for each in found[::max(1, len(found) // SAMPLES)][:SAMPLES]:
                yield kind, each

    def probe(self, to):
        self.asked += 1
        self.sock.sendto(message(PROBE, self.whole, number(self.asked)), (to, GOSSIP))

    def heard(self, timeout):
        self.sock.settimeout(timeout)
        data, (address, _) = self.sock.recvfrom(2048)
        return data, address

    def settle(self, to):
        """What was sent before has been read: what is asked now is answered. Others' answers are kept."""
        first = self.asked + 1
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            self.probe(to)
            again = time.monotonic() + BUDGET_S
            while (left := again - time.monotonic()) > 0:
                try:
                    data, address = self.heard(left)
                except TimeoutError:
                    break
                if type_of(data) != PROBE_ANSWER and not is_question(data):
                    self.answers.append((type_of(data), address))
                elif any(data.endswith(number(asked)) for asked in range(first, self.asked + 1)):
                    return
        sys.exit(f"{to} does not answer any more")

    def spoilt(self, data):
        """What is no message of this collective's, however it is read."""
        for size in sorted(self.chance.sample(range(len(data)), min(CUTS, len(data)))):
            yield data[:size]
        yield data + b"\0"
        yield data + self.chance.randbytes(20)
        of = collective_of(data)
        yield data.replace(of, bytes(each ^ 1 for each in of), 1)
        yield bytes([data[0] ^ 0x40]) + data[1:]


def replay(member, addresses):
    sent = 0
    for to in addresses:
        member.settle(to)
    member.answers.clear()
    for kind, sample in member.few():
        for to in addresses:
            for each, data in enumerate(member.spoilt(sample.payload)):
                for port in GOSSIP, JOIN:
                    member.sock.sendto(data, (to, port))
                    sent += 1
                if each % AT_ONCE == AT_ONCE - 1:
                    member.settle(to)
            member.settle(to)
    for kind, address in member.answers:
        if kind not in UNASKED:
            print("answered with", kind, "by", address)
    print("sent", sent)
    print("types", *sorted(member.samples))


def mutate(member, addresses):
    sent = 0
    for _, sample in member.few():
        for to in addresses:
            for data in [sample.payload, sample.payload, *mutations(sample.payload, member.chance, 20)]:
                for port in GOSSIP, JOIN:
                    member.sock.sendto(data, (to, port))
                    sent += 1
            # Offers are passed on by members only over links; what is passed on stands inside.
            for offer in member.samples.get(OFFER, [])[:1]:
                row = member.chance.randbytes(8)
                member.sock.sendto(message(RELAYED_OFFER, member.whole, bin_of(row), bin_of(offer.payload)), (to, GOSSIP))
            member.settle(to)
    print(sent)


def forge(member, addresses, own):
    raw, sent = raw_socket(), 0
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, DEVICE)
    for _, sample in member.few():
        for to in addresses:
            source = own or sample.source
            if source == to or (not own and source == member.own):
                continue
            raw.sendto(Datagram(source, GOSSIP, to, GOSSIP, sample.payload).packet(ttl=TTL), (to, 0))
            sent += 1
    for to in addresses:
        member.settle(to)
    print(sent)


def pieces(member, addresses):
    raw = raw_socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, DEVICE)
    sample = member.samples[DELTA][0].payload
    for to in addresses:
        for port in GOSSIP, JOIN:
            for size in (1232, 1233, 1234, 1500, 4096, 16384, 65507):
                member.sock.sendto((sample + bytes(size))[:size], (to, port))
                member.settle(to)
            for each in range(200):
                udp = struct.pack(">HHHH", GOSSIP, port, 4096, 0) + (sample + bytes(1200))[:1200]
                if each % 2:
                    raw.sendto(fragment(member.own, to, udp[:1208], 1 + each, 0, True), (to, 0))
                else:
                    raw.sendto(fragment(member.own, to, udp[:1200], 1 + each, 2400, False), (to, 0))
            member.settle(to)
    for kind, address in member.answers:
        if kind not in UNASKED:
            print("answered with", kind, "by", address)


def dear(member):
    """Well formed, as far as whoever reads it can tell before it looks closer."""
    chance = member.chance
    clock = int(time.time() * 1000)
    fresh = [message(REFLECTION, member.whole, bin_of(chance.randbytes(32)), clock=clock) for _ in range(200)]
    offers = [message(OFFER, member.whole, bin_of(chance.randbytes(32)), bin_of(chance.randbytes(600))) for _ in range(50)]
    wants = [message(WANT, member.collective, b"\xdc\x00\x40" + b"".join(bin_of(chance.randbytes(18)) for _ in range(64)), clock=clock) for _ in range(20)]
    probes = [message(PROBE, member.whole, number(chance.getrandbits(60))) for _ in range(20)]
    presence = [message(PRESENCE, member.whole, bin_of(bytes(8)), clock=clock)]
    whys = [message(WHY, member.whole, number(chance.getrandbits(60)), bin_of(chance.randbytes(8))) for _ in range(10)]
    spoilt = []
    # The signature stands at the end of a petition, and of the facts in a DELTA.
    for kind in PETITION, DELTA:
        for sample in member.samples.get(kind, [])[:10]:
            for _ in range(10):
                data = bytearray(sample.payload)
                data[-1 - chance.randrange(60)] ^= 1 << chance.randrange(8)
                spoilt.append(bytes(data))
    whole = [sample.payload for _, sample in member.few()]
    mixed = fresh + offers + wants + probes + presence + whys + spoilt + whole
    chance.shuffle(mixed)
    return mixed


def flood(member, seconds, addresses):
    mixed, sent = dear(member), 0
    end = time.monotonic() + seconds
    begun = False
    while time.monotonic() < end:
        if sent > FULL and not begun:
            begun = True
            print("begun", flush=True)
        for data in mixed:
            for to in addresses:
                try:
                    member.sock.sendto(data, (to, GOSSIP))
                    sent += 1
                except OSError:
                    pass
    print(sent)


def call(member, seconds, addresses):
    end = time.monotonic() + seconds
    heard = 0
    while time.monotonic() < end:
        for to in addresses:
            member.probe(to)
            member.sock.sendto(member.samples[HELLO][0].payload, (to, GOSSIP))
            member.sock.sendto(member.samples[HELLO][0].payload, (to, JOIN))
        try:
            while True:
                member.heard(0.05)
                heard += 1
        except TimeoutError:
            pass
    print(heard)


def main():
    command, path, own, *rest = sys.argv[1:]
    member = Member(path, own)
    if command in ("flood", "call"):
        {"flood": flood, "call": call}[command](member, float(rest[0]), rest[1:])
    elif command in ("forge", "mark"):
        forge(member, rest, own if command == "mark" else None)
    else:
        {"replay": replay, "mutate": mutate, "pieces": pieces}[command](member, rest)


if __name__ == "__main__":
    main()
