#!/usr/bin/env python3
"""Sends datagrams between two network namespaces and says what became of them.

    probe.py classify INSIDE OUTSIDE PORT ADDRESS ADDRESS ADDRESS
        what the router before INSIDE does with a socket at PORT: O where nothing is translated or
        filtered, or mapping/filtering in the words of RFC 4787, whether the port is kept or one more
        than the last, and whether a packet to its own outside comes back in
    probe.py meet INSIDE OUTSIDE PORT ADDRESS WAN FIRST [REFLECTOR]
        INSIDE at PORT and OUTSIDE at ADDRESS send to each other, FIRST (peer, home) before the other:
        the port that the peer sees (kept, another, none), and its later packets to WAN (arrive, lost).
        With a REFLECTOR, another address of OUTSIDE, INSIDE has asked there what its port is; so it
        is this one that the peer sends to, and that is kept
    probe.py reach INSIDE OUTSIDE ADDRESS PORT
        whether a datagram to that port passes outward: yes, no
    probe.py forget INSIDE OUTSIDE PORT ADDRESS SECONDS ROUNDS
        whether an answer still comes in when so many rounds of question and answer, half a second
        apart, were followed by so much silence: yes, no
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
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.settimeout(PATIENCE_S)
    made.bind((address, port))
    return made


def everywhere(address):
    return "::" if ":" in address else ""


def receive_until(sock, last):
    """Everything that arrives up to that datagram."""
    seen = []
    while last not in seen:
        seen.append(sock.recvfrom(64)[0])
    return seen


def own_address(inside, towards):
    with open_socket(inside, everywhere(towards)) as sock:
        sock.connect((towards, 9))
        return sock.getsockname()[0]


def has_passed(inside, outside, address):
    """What was sent before, either way, has been dealt with: a connection took the same ways."""
    listener = open_socket(outside, address, kind=socket.SOCK_STREAM)
    listener.listen()
    with open_socket(inside, everywhere(address), kind=socket.SOCK_STREAM) as sock:
        sock.connect(listener.getsockname()[:2])
        listener.accept()[0].close()


def arrived(sock):
    """All that is there; None for what is known not to come."""
    seen = []
    sock.setblocking(False)
    try:
        while True:
            seen.append(sock.recvfrom(64))
    except BlockingIOError:
        return seen
    finally:
        sock.settimeout(PATIENCE_S)


def mapping_of(seen):
    if len(set(seen)) == 1:
        return "EIM"
    return "ADM" if seen[0] == seen[1] and seen[2] == seen[3] else "APDM"


def classify(inside, outside, port, *addresses):
    port = int(port)
    near, far, third = addresses
    home = open_socket(inside, everywhere(near), port)
    points = [open_socket(outside, address) for address in (near, near, far, far)]
    for point in points:
        home.sendto(b"who am I", point.getsockname()[:2])
    has_passed(inside, outside, near)
    seen = [source[:2] for point in points for _, source in arrived(point)]
    if len(seen) < len(points):
        return "no UDP"
    # From an address and from a port that the home never spoke to; then from where it did.
    open_socket(outside, third).sendto(b"address", seen[0])
    open_socket(outside, near).sendto(b"port", seen[0])
    points[0].sendto(b"pair", seen[0])
    texts = receive_until(home, b"pair")
    if b"address" in texts:
        filtering = "EIF"
    else:
        filtering = "ADF" if b"port" in texts else "APDF"
    if set(seen) == {(own_address(inside, near), port)}:
        return "O" if filtering == "EIF" else "O/" + filtering
    words = f"{mapping_of(seen)}/{filtering}"
    if all(there == port for _, there in seen):
        words += ", port kept"
    elif all(b[1] - a[1] == 1 for a, b in zip(seen, seen[1:])):
        words += ", step 1"
    open_socket(inside, everywhere(near)).sendto(b"hairpin", seen[0])
    has_passed(inside, outside, near)
    # By the outside, or the answer would not find back.
    if any(text == b"hairpin" and source[0] == seen[0][0] for text, source in arrived(home)):
        words += ", hairpin"
    return words


def meet(inside, outside, port, address, wan, first, reflector=None):
    port = int(port)
    home, peer = open_socket(inside, "", port), open_socket(outside, address)
    told = (wan, port)
    if reflector:
        mirror = open_socket(outside, reflector)
        home.sendto(b"who am I", mirror.getsockname())
        told = mirror.recvfrom(64)[1]
    # A second conversation that the router lets through: what was sent before it, has been dealt with.
    clock, mark = open_socket(inside, ""), open_socket(outside, address)
    clock.sendto(b"open", mark.getsockname())
    way = mark.recvfrom(64)[1]

    def dealt_with(text):
        mark.sendto(text, way)
        receive_until(clock, text)

    if first == "peer":
        peer.sendto(b"early", told)
        dealt_with(b"early")
    home.sendto(b"ours", peer.getsockname())
    has_passed(inside, outside, address)
    seen = [source for _, source in arrived(peer)]
    peer.sendto(b"later", told)
    dealt_with(b"later")
    texts = [text for text, _ in arrived(home)]
    port_seen = "none" if not seen else "kept" if seen[0] == told else "another"
    return f"{port_seen}, {'arrive' if b'later' in texts else 'lost'}"


def reach(inside, outside, address, port):
    there = open_socket(outside, address, int(port))
    open_socket(inside, "").sendto(b"hello", there.getsockname())
    has_passed(inside, outside, address)
    return "yes" if arrived(there) else "no"


def forget(inside, outside, port, address, seconds, rounds):
    home, peer = open_socket(inside, "", int(port)), open_socket(outside, address)
    home.sendto(b"question", peer.getsockname())
    way = peer.recvfrom(64)[1]
    for _ in range(int(rounds)):
        peer.sendto(b"answer", way)
        receive_until(home, b"answer")
        time.sleep(0.5)
        home.sendto(b"question", peer.getsockname())
        peer.recvfrom(64)
    time.sleep(float(seconds))
    peer.sendto(b"late", way)
    has_passed(inside, outside, address)
    return "yes" if arrived(home) else "no"


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
    commands = {"classify": classify, "meet": meet, "reach": reach, "forget": forget,
                "transfer": transfer}
    print(commands[sys.argv[1]](*sys.argv[2:]))


if __name__ == "__main__":
    main()
