#!/usr/bin/env python3
"""Datagrams as they pass an interface: taken down, taken apart, and made anew.

    packets.py DIRECTORY PREFIX

Takes down every UDP datagram that comes in by an interface whose name begins with PREFIX, in this namespace. In
DIRECTORY `running` comes to be there when it has begun; `datagrams` grows meanwhile, a line for each one that was not seen
before: SOURCE PORT DESTINATION PORT BYTES. Ends by SIGTERM.
"""
import os
import signal
import socket
import struct
import sys

ETH_P_IP = 0x0800
BUFFER = 8 << 20
SO_RCVBUFFORCE = 33
MORE_FRAGMENTS = 0x2000
MAGIC = bytes.fromhex("c06c6c6563747601")


class Datagram:
    def __init__(self, source, source_port, destination, port, payload):
        self.source, self.source_port = source, int(source_port)
        self.destination, self.port = destination, int(port)
        self.payload = payload

    def packet(self, ttl=64, payload=None):
        """As an IPv4 packet, without UDP's checksum, which may be left out. The kernel adds that of IP."""
        payload = self.payload if payload is None else payload
        udp = struct.pack(">HHHH", self.source_port, self.port, 8 + len(payload), 0) + payload
        return fragment(self.source, self.destination, udp, ttl=ttl)


def fragment(source, destination, payload, number=0, offset=0, more=False, ttl=64):
    flags = offset // 8 | (MORE_FRAGMENTS if more else 0)
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, flags, ttl, socket.IPPROTO_UDP, 0,
                       socket.inet_aton(source), socket.inet_aton(destination)) + payload


def raw_socket():
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def read_packet(packet):
    """A whole UDP datagram, or None."""
    head = (packet[0] & 15) * 4
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP or struct.unpack_from(">H", packet, 6)[0] & 0x3FFF:
        return None
    source_port, port, size = struct.unpack_from(">HHH", packet, head)
    return Datagram(socket.inet_ntoa(packet[12:16]), source_port, socket.inet_ntoa(packet[16:20]), port,
                    packet[head + 8:head + size])


def read_file(path):
    with open(path, encoding="ascii") as file:
        for line in file:
            source, source_port, destination, port, data = line.split(" ")
            yield Datagram(source, source_port, destination, port, bytes.fromhex(data))


def mutations(payload, chance, count):
    """What is nearly the same: cut short, longer, and with bits turned."""
    yield payload[:chance.randrange(len(payload))] if payload else b"\0"
    yield payload + chance.randbytes(chance.randint(1, 40))
    for _ in range(count):
        changed = bytearray(payload or b"\0")
        for _ in range(chance.choice((1, 1, 2, 8))):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        yield bytes(changed)


def capture(directory, prefix):
    # A socket for one protocol sees nothing of what goes out.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    sock.settimeout(0.1)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    seen = set()
    with open(os.path.join(directory, "datagrams"), "w", encoding="ascii", buffering=1) as file:
        with open(os.path.join(directory, "running"), "w", encoding="ascii"):
            pass
        while not ended:
            try:
                packet, (device, *_) = sock.recvfrom(65536)
            except TimeoutError:
                continue
            datagram = read_packet(packet) if device.startswith(prefix) else None
            if not datagram:
                continue
            line = f"{datagram.source} {datagram.source_port} {datagram.destination} {datagram.port} {datagram.payload.hex()}\n"
            if line not in seen:
                seen.add(line)
                file.write(line)


# The wire form, as far as it is needed to make messages and to see what somebody's are.


def number(value):
    if value < 0x80:
        return bytes([value])
    for tag, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if value < 1 << 8 * size:
            return bytes([tag]) + value.to_bytes(size, "big")
    raise ValueError(value)


def bin_of(data):
    return (b"\xc4" + bytes([len(data)]) if len(data) < 256 else b"\xc5" + struct.pack(">H", len(data))) + data


def message(kind, collective, *items, clock=0):
    """Items are encoded already."""
    assert len(items) < 12
    return bytes([0x94 + len(items)]) + number(kind) + number(1) + bin_of(collective) + number(clock) + b"".join(items)


def head_of(payload):
    """The size of what stands before the type; 0 where that is no message."""
    if payload[:1] == b"\xdc" and payload[1:2] == b"\0":
        return 3
    return 1 if payload and 0x94 <= payload[0] <= 0x9F else 0


def type_of(payload):
    """Of a message, or None."""
    head = head_of(payload)
    return payload[head] if head and len(payload) > head and payload[head] < 0x80 else None


def collective_of(payload):
    """The item behind type and version, where it stands as it does in ours."""
    rest = payload[head_of(payload) + 1:]
    return rest[3:3 + rest[2]] if rest[:2] == b"\1\xc4" else b""


def is_question(payload):
    """One of gossip's that is sent now and then, and not in answer to another one."""
    if type_of(payload) not in (1, 2):
        return False
    rest = payload[head_of(payload) + 4 + len(collective_of(payload)):]
    clock = {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}.get(rest[0], 1)
    return rest[clock:clock + 1] == b"\xc2"


if __name__ == "__main__":
    capture(*sys.argv[1:])
