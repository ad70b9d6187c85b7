#!/usr/bin/env python3
"""Somebody on the same machine who would like to command the agent, at its socket.

    client.py commands SOCKET       every kind of request and command there is and more; says how many were refused, and which not
    client.py noise SOCKET          bytes that are no request, requests cut short, sizes that cannot be; says what came back, by kind
    client.py many SOCKET COUNT FILE    so many connections at once, and more as they are closed; makes FILE when they are there,
                                    and says how many of them are open when it is ended
    client.py slow SOCKET           a request of a byte a second; says after how many milliseconds it was let go
    client.py deaf SOCKET COUNT FILE    so many that ask for everything and never read; FILE as above

A frame is a length of four bytes, the least first, and a map of numbered items (agent/control_message.h).
"""
import os
import random
import select
import signal
import socket
import struct
import sys
import time

COMMAND, STATUS, KINDS = 0, 1, 4
COMMANDS = 40  # more than there are
NOTHING, DONE, FAILED = 0, 2, 3
PATIENCE_S = 15
AT_MOST = 16  # of the group


def connect(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Where many wait before it this waits, too.
    sock.connect(path)
    sock.settimeout(PATIENCE_S)
    return sock


def frame(body):
    return struct.pack("<I", len(body)) + body


def request(kind, command=0, name=b""):
    body = b"\x84\x00\x01" + bytes([1, kind, 2, command, 3, 0xA0 + len(name)]) + name
    return frame(body)


def answers(sock):
    """All that comes until the other end closes, or nothing is said any more: kind and text of each."""
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    found = []
    while len(data) >= 4:
        size = struct.unpack("<I", data[:4])[0]
        body = data[4:4 + size]
        # The first item has the number 0, and is the kind.
        found.append((body[4 if body[0] == 0xDE else 2], body))
        data = data[4 + size:]
    return found


def ask(path, data):
    with connect(path) as sock:
        try:
            sock.sendall(data)
        except BrokenPipeError:
            pass
        return answers(sock)


def commands(path):
    refused, let = 0, []
    for command in range(COMMANDS):
        said = ask(path, request(COMMAND, command, b"bob"))
        if said and all(kind == FAILED and b"only root may do this" in body for kind, body in said):
            refused += 1
        elif not (said and said[-1][0] == FAILED and b"does not understand" in said[-1][1]):
            let.append(command)
    print(refused, *let)


def noise(path):
    chance = random.Random(5)
    counts = {}
    whole = request(STATUS)
    for each in range(300):
        size = chance.randint(1, 4000)
        kind = each % 5
        if kind == 0:
            data = chance.randbytes(size)
        elif kind == 1:
            data = frame(chance.randbytes(min(size, 4000)))
        elif kind == 2:
            data = struct.pack("<I", chance.choice((0, 4093, 4097, 65536, 1 << 31, (1 << 32) - 1))) + bytes(100)
        elif kind == 3:
            changed = bytearray(request(COMMAND, chance.randrange(30), b"bob"))
            changed[4 + chance.randrange(len(changed) - 4)] ^= 1 << chance.randrange(8)
            data = bytes(changed)
        else:
            # What is cut short has no answer: whoever sent it leaves.
            with connect(path) as sock:
                sock.sendall(whole[:chance.randrange(len(whole))])
            continue
        with connect(path) as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            said = answers(sock)
        last = said[-1][0] if said else NOTHING
        counts[last] = counts.get(last, 0) + 1
    print(*(f"{kind}:{count}" for kind, count in sorted(counts.items())))


def open_ones(socks):
    poll = select.poll()
    for sock in socks:
        poll.register(sock, select.POLLRDHUP | select.POLLHUP)
    gone = {descriptor for descriptor, _ in poll.poll(0)}
    return [sock for sock in socks if sock.fileno() not in gone]


def until_ended(file, meanwhile=lambda: None):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    with open(file + ".new", "w", encoding="ascii"):
        pass
    os.rename(file + ".new", file)
    while not ended:
        time.sleep(0.01)
        meanwhile()


def many(path, count, file):
    socks = [connect(path) for _ in range(int(count))]
    # Those that are kept have their time, and others take their places.
    held = [connect(path) for _ in range(AT_MOST)]

    def hold():
        held[:] = open_ones(held)
        held.extend(connect(path) for _ in range(AT_MOST - len(held)))

    until_ended(file, hold)
    # Whoever comes last hears that it is turned away when all before have heard it.
    with connect(path) as last:
        select.select([last], [], [], 1)
    print(len(open_ones(socks + held)))


def deaf(path, count, file):
    socks = []
    for _ in range(int(count)):
        sock = connect(path)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        try:
            sock.sendall(request(STATUS) + bytes(4000))
        except (BrokenPipeError, ConnectionResetError):
            pass
        socks.append(sock)
    until_ended(file)


def slow(path):
    data = request(STATUS) + bytes(40)
    start = time.monotonic()
    with connect(path) as sock:
        sock.sendall(struct.pack("<I", 4000))
        for each in range(40):
            ready, _, _ = select.select([sock], [], [], 1)
            if ready:
                break
            try:
                sock.sendall(data[each:each + 1])
            except (BrokenPipeError, ConnectionResetError):
                break
    print(int((time.monotonic() - start) * 1000))


def main():
    {"commands": commands, "noise": noise, "many": many, "deaf": deaf, "slow": slow}[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
