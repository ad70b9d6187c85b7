#!/usr/bin/env python3
"""What a process has open, a line each: of files their names, of sockets what they are.

    descriptors.py ID
"""
import os
import sys

# In which column of /proc/ID/net/FILE a socket's number stands, and in which one what tells it from others.
TABLES = {"udp": (9, 1), "udp6": (9, 1), "tcp": (9, 1), "raw": (9, 1), "raw6": (9, 1), "packet": (8, 3), "netlink": (9, 1), "unix": (6, 7)}


def sockets_of(process):
    found = {}
    for name, (number, detail) in TABLES.items():
        try:
            with open(f"/proc/{process}/net/{name}", encoding="ascii") as file:
                lines = file.read().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            words = line.split()
            if len(words) > number:
                found[words[number]] = f"{name} {words[detail] if len(words) > detail else ''}".strip()
    return found


def main():
    process = sys.argv[1]
    sockets = sockets_of(process)
    lines = []
    for each in os.listdir(f"/proc/{process}/fd"):
        try:
            target = os.readlink(f"/proc/{process}/fd/{each}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            target = sockets.get(target[8:-1], "socket")
        lines.append(target.split(":[")[0])
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
