#!/usr/bin/env python3
"""A stranger, who is no member of anything, and what it sends to others' ports.

    stranger.py shout ADDRESS:PORT...           datagrams of every size: noise, WireGuard's heads, our own
    stranger.py knock ADDRESS PORT...           TCP's first packet; says how often somebody took it
    stranger.py replay FILE                     what was taken down (packets.py), from here and as if from where it came, as
                                                it was and mutated; says how many there were of each kind
    stranger.py pieces ADDRESS:PORT...          datagrams of up to 65,507 bytes, and fragments whose rest never comes

It sends no faster than those it sends to take it: HOLDERS has the ids of processes in their network namespaces. What their
kernels had no room for would say nothing.
"""
import os
import random
import socket
import struct
import sys
import time

from packets import MAGIC, fragment, mutations, raw_socket, read_file

SIZE_MAX = 1500
UDP_MAX = 65507
BATCH = 16
ROOM = 40000  # bytes that may wait at a socket
PATIENCE_S = 20
KIND_MAX = 12  # of one kind so many are said again
SEALED_TIMES = 5
MUTATIONS = 4
# Lengths of WireGuard's messages, by type; data has any.
HEADS = {1: 148, 2: 92, 3: 64, 4: None}


def waiting(holder):
    """Bytes at the fullest of a namespace's UDP sockets."""
    with open(f"/proc/{holder}/net/udp", encoding="ascii") as file, open(f"/proc/{holder}/net/udp6", encoding="ascii") as file_six:
        lines = file.read().splitlines()[1:] + file_six.read().splitlines()[1:]
    return max((int(line.split()[4].split(":")[1], 16) for line in lines), default=0)


class Sender:
    def __init__(self):
        self.raw = raw_socket()
        self.plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.holders = os.environ.get("HOLDERS", "").split()
        self.count = 0

    def paced(self):
        self.count += 1
        if self.count % BATCH == 0:
            self.wait(ROOM)

    def wait(self, room):
        end = time.monotonic() + PATIENCE_S
        while any(waiting(holder) > room for holder in self.holders):
            if time.monotonic() > end:
                sys.exit("somebody does not take what is sent")
            time.sleep(0.001)

    def send(self, payload, to):
        try:
            self.plain.sendto(payload, to)
        except ConnectionRefusedError:
            pass  # of what was sent before
        self.paced()

    def send_packet(self, packet, to):
        self.raw.sendto(packet, (to, 0))
        self.paced()


def places(words):
    for word in words:
        address, port = word.split(":")
        yield address, int(port)


def shout(words):
    sender, chance = Sender(), random.Random(1)
    for to in places(words):
        for size in range(SIZE_MAX + 1):
            kind = 1 + size % len(HEADS)
            head = bytes([kind, 0, 0, 0])
            sender.send(chance.randbytes(size), to)
            sender.send((head + chance.randbytes(size))[:size], to)
            # The names of sessions are random as well; the numbers are small.
            sender.send((MAGIC + chance.randbytes(8) + struct.pack(">Q", size) + chance.randbytes(size))[:size], to)
        for kind, size in HEADS.items():
            for _ in range(50):
                sender.send(bytes([kind, 0, 0, 0]) + chance.randbytes((size or 32 + 16 * chance.randrange(80)) - 4), to)
    sender.wait(0)
    print(sender.count)


def knock(address, *ports):
    taken = 0
    for port in ports:
        for _ in range(20):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                sock.settimeout(0.2)
                taken += sock.connect_ex((address, int(port))) == 0
    print(taken)


def kind_of(payload):
    if payload.startswith(MAGIC):
        return "sealed"
    if len(payload) >= 4 and payload[0] in HEADS and payload[1:4] == bytes(3) and HEADS[payload[0]] in (None, len(payload)):
        return f"wireguard-{payload[0]}"
    return "other"


def replay(path):
    sender, chance = Sender(), random.Random(2)
    counts, again = {}, []
    for datagram in read_file(path):
        kind = kind_of(datagram.payload)
        ends = (kind, datagram.source, datagram.destination)
        counts[ends] = counts.get(ends, 0) + 1
        if kind == "sealed" or (kind != "other" and counts[ends] <= KIND_MAX):
            again.append((kind, datagram))
    for kind, datagram in again:
        to = (datagram.destination, datagram.port)
        for _ in range(SEALED_TIMES if kind == "sealed" else 1):
            sender.send(datagram.payload, to)
            sender.send_packet(datagram.packet(), datagram.destination)
        for changed in mutations(datagram.payload, chance, MUTATIONS):
            sender.send(changed, to)
            sender.send_packet(datagram.packet(payload=changed), datagram.destination)
    sender.wait(0)
    for kind in sorted({kind for kind, _ in again}):
        print(kind, sum(each == kind for each, _ in again))


def pieces(words):
    sender, chance = Sender(), random.Random(3)
    for address, port in places(words):
        sender.plain.connect((address, port))
        here = sender.plain.getsockname()[0]
        for size in (1501, 4096, 9000, 32768, UDP_MAX - 1, UDP_MAX):
            for head in (b"", MAGIC + bytes(16), b"\4\0\0\0"):
                for _ in range(3):
                    try:
                        sender.plain.send((head + chance.randbytes(size))[:size])
                    except ConnectionRefusedError:
                        pass
                    sender.wait(0)
        for each in range(1000):
            # A beginning without an end, an end without a beginning, and one that overlaps itself.
            udp = struct.pack(">HHHH", 40000, port, 4096, 0) + MAGIC + chance.randbytes(1200)
            number = 1 + each % 0xFFFF
            if each % 3 == 0:
                sender.send_packet(fragment(here, address, udp[:1208], number, 0, True), address)
            elif each % 3 == 1:
                sender.send_packet(fragment(here, address, udp[:1200], number, 2400, False), address)
            else:
                sender.send_packet(fragment(here, address, udp[:800], number, 0, True), address)
                sender.send_packet(fragment(here, address, udp[:800], number, 400, True), address)
    sender.wait(0)
    print(sender.count)


def main():
    commands = {"shout": shout, "replay": lambda words: replay(*words), "knock": lambda words: knock(*words), "pieces": pieces}
    commands[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    main()
