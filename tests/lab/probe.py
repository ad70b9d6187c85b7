#!/usr/bin/env python3
"""Sends datagrams between two network namespaces and says what became of them.

    probe.py classify INSIDE OUTSIDE PORT ADDRESS ADDRESS ADDRESS
        what the router before INSIDE does with a socket at PORT: O where nothing is translated or
        filtered, or mapping/filtering in the words of RFC 4787, and whether the port is kept
    probe.py meet INSIDE OUTSIDE PORT ADDRESS WAN FIRST
        INSIDE at PORT and OUTSIDE at ADDRESS send to each other, FIRST (peer, home) before the other:
        the port that the peer sees (kept, another), and its later packets to WAN (arrive, lost)
    probe.py transfer INSIDE OUTSIDE ADDRESS BYTES
        the seconds it takes to send so many bytes over TCP to OUTSIDE

INSIDE and OUTSIDE are files of namespaces; the process has a socket in each, so nobody has to agree
on anything. What does not arrive is known without waiting: a datagram that is sent later, the same
way, has arrived. For that everything happens on one processor, where packets do not overtake.
"""
import ctypes
import os
import socket
import sys
import threading
import time

CLONE_NEWNET = 0x40000000
PATIENCE_S = 10
libc = ctypes.CDLL(None, use_errno=True)


def open_socket(namespace, address, port=0, kind=socket.SOCK_DGRAM):
    """A socket stays in the namespace in which it was made."""
    with open(namespace, "rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns", namespace)
    made = socket.socket(socket.AF_INET, kind)
    made.settimeout(PATIENCE_S)
    made.bind((address, port))
    return made


def receive_until(sock, last):
    """Everything that arrives up to that datagram."""
    seen = []
    while last not in seen:
        seen.append(sock.recvfrom(64)[0])
    return seen


def own_address(inside, towards):
    with open_socket(inside, "") as sock:
        sock.connect((towards, 9))
        return sock.getsockname()[0]


def classify(inside, outside, port, *addresses):
    port = int(port)
    near, far, third = addresses
    home = open_socket(inside, "", port)
    points = [open_socket(outside, address) for address in (near, near, far, far)]
    seen = []
    for point in points:
        home.sendto(b"who am I", point.getsockname())
        seen.append(point.recvfrom(64)[1])
    if len(set(seen)) == 1:
        mapping = "EIM"
    elif seen[0] == seen[1] and seen[2] == seen[3]:
        mapping = "ADM"
    else:
        mapping = "APDM"
    # From an address and from a port that the home never spoke to; then from where it did.
    open_socket(outside, third).sendto(b"address", seen[0])
    open_socket(outside, near).sendto(b"port", seen[0])
    points[0].sendto(b"pair", seen[0])
    arrived = receive_until(home, b"pair")
    if b"address" in arrived:
        filtering = "EIF"
    else:
        filtering = "ADF" if b"port" in arrived else "APDF"
    if set(seen) == {(own_address(inside, near), port)}:
        return "O" if filtering == "EIF" else "O/" + filtering
    kept = ", port kept" if all(there == port for _, there in seen) else ""
    return f"{mapping}/{filtering}{kept}"


def meet(inside, outside, port, address, wan, first):
    port = int(port)
    home, peer = open_socket(inside, "", port), open_socket(outside, address)
    # A second conversation that the router lets through: what was sent before it, has been dealt with.
    clock, mark = open_socket(inside, ""), open_socket(outside, address)
    clock.sendto(b"open", mark.getsockname())
    way = mark.recvfrom(64)[1]

    def dealt_with(text):
        mark.sendto(text, way)
        receive_until(clock, text)

    if first == "peer":
        peer.sendto(b"early", (wan, port))
        dealt_with(b"early")
    home.sendto(b"ours", peer.getsockname())
    seen = peer.recvfrom(64)[1]
    peer.sendto(b"later", (wan, port))
    dealt_with(b"later")
    home.setblocking(False)
    try:
        arrives = b"later" in receive_until(home, b"later")
    except BlockingIOError:
        arrives = False
    return f"{'kept' if seen == (wan, port) else 'another'}, {'arrive' if arrives else 'lost'}"


def transfer(inside, outside, address, size):
    size = int(size)
    listener = open_socket(outside, address, kind=socket.SOCK_STREAM)
    listener.listen()
    sender = open_socket(inside, "", kind=socket.SOCK_STREAM)
    sender.connect(listener.getsockname())
    receiver = listener.accept()[0]
    receiver.settimeout(PATIENCE_S)
    start = time.monotonic()
    thread = threading.Thread(target=sender.sendall, args=(bytes(size),), daemon=True)
    thread.start()
    while size > 0:
        size -= len(receiver.recv(65536))
    return f"{time.monotonic() - start:.3f}"


def main():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    commands = {"classify": classify, "meet": meet, "transfer": transfer}
    print(commands[sys.argv[1]](*sys.argv[2:]))


if __name__ == "__main__":
    main()
