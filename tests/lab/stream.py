#!/usr/bin/env python3
"""A TCP transfer between two network namespaces that goes on until it is told to end.

    stream.py INSIDE OUTSIDE ADDRESS RESULT RATE

INSIDE and OUTSIDE are files of namespaces; INSIDE sends to ADDRESS, RATE pieces of 1 KiB a second,
each with its number. RESULT is a directory: `running` comes to be there with the first piece, and
`result` at SIGTERM or when the transfer breaks: "PIECES received, N retransmitted, GAP ms at most
between two", or what went wrong.
"""
import os
import signal
import socket
import struct
import sys
import threading
import time

from probe import open_socket

SIZE = 1024
TCP_INFO_TOTAL_RETRANS = 100  # where it stands in struct tcp_info


class Stream:
    def __init__(self, inside, outside, address, rate):
        self.pause = 1 / int(rate)
        listener = open_socket(outside, address, kind=socket.SOCK_STREAM)
        listener.listen()
        self.sender = open_socket(inside, "", kind=socket.SOCK_STREAM)
        self.sender.connect(listener.getsockname())
        self.receiver = listener.accept()[0]
        # Whoever sends must not wait for what it sent, or no gap would be seen.
        self.sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sender.settimeout(None)
        # Blocking, with a bound: one that polls would give MSG_WAITALL no time.
        self.receiver.settimeout(None)
        self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 30, 0))
        self.ended = threading.Event()
        self.count = 0
        self.gap = 0.0
        self.error = None

    def send(self):
        number = 0
        try:
            while not self.ended.is_set():
                self.sender.sendall(struct.pack(">Q", number) * (SIZE // 8))
                number += 1
                time.sleep(self.pause)
            self.sender.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = f"sending: {error}"
        self.sent = number

    def receive(self, running):
        last = None
        while True:
            # A signal ends a wait for all of it with what there is.
            piece = b""
            while len(piece) < SIZE:
                part = self.receiver.recv(SIZE - len(piece), socket.MSG_WAITALL)
                if not part:
                    break
                piece += part
            now = time.monotonic()
            if not piece:
                return
            if piece != struct.pack(">Q", self.count) * (SIZE // 8):
                raise OSError(f"piece {self.count} is not what was sent")
            if last is not None:
                self.gap = max(self.gap, now - last)
            else:
                open(running, "w").close()
            last = now
            self.count += 1

    def result(self):
        info = self.sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        retransmitted = struct.unpack_from("I", info, TCP_INFO_TOTAL_RETRANS)[0]
        if self.error is None and self.sent != self.count:
            self.error = f"{self.sent} sent, {self.count} received"
        if self.error is not None:
            return self.error
        return f"{self.count} received, {retransmitted} retransmitted, {self.gap * 1000:.0f} ms at most between two"


def main():
    inside, outside, address, directory, rate = sys.argv[1:]
    stream = Stream(inside, outside, address, rate)
    signal.signal(signal.SIGTERM, lambda *_: stream.ended.set())
    thread = threading.Thread(target=stream.send, daemon=True)
    thread.start()
    try:
        stream.receive(os.path.join(directory, "running"))
    except OSError as error:
        stream.error = f"receiving: {error}"
    stream.ended.set()
    thread.join(10)
    part = os.path.join(directory, "part")
    with open(part, "w") as file:
        print(stream.result(), file=file)
    os.rename(part, os.path.join(directory, "result"))


if __name__ == "__main__":
    main()
