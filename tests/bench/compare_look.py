#!/usr/bin/env python3
"""How long news takes until it stands in everybody's log. For bench_compare.sh.

    compare_look.py SECONDS TEXT LOG... -- COMMAND...

Runs the command and looks on until a line with TEXT, a regular expression, has been added to every LOG. Prints two
numbers of milliseconds, "-" for never: from the command's start until the last one has it, and from the first one until then.
"""
import re
import subprocess
import sys
import time


def main():
    words = sys.argv[1:]
    cut = words.index("--")
    patience, text, logs, command = float(words[0]), re.compile(words[1].encode()), words[2:cut], words[cut + 1:]
    files = {name: open(name, "rb") for name in logs}
    parts = {}
    for name, file in files.items():
        file.seek(0, 2)
        parts[name] = b""
    times = {}
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    while len(times) < len(files) and time.monotonic() - start < patience:
        for name, file in files.items():
            if name in times:
                continue
            more = file.read()
            if more:
                parts[name] += more
                if text.search(parts[name]):
                    times[name] = time.monotonic()
        time.sleep(0.001)
    if len(times) < len(files):
        print("- -")
    else:
        last = max(times.values())
        print(f"{(last - start) * 1000:.1f} {(last - min(times.values())) * 1000:.1f}")
    child.wait(timeout=60)


if __name__ == "__main__":
    main()
