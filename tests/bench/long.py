#!/usr/bin/env python3
"""long.py FOLDER JSON PART... - what the parts of tests/long.sh left in FOLDER, in short.

Of a part that left nothing there, what JSON says stays: each has its own day and commit.
"""
import json
import re
import sys

folder, path, *names = sys.argv[1:]
try:
    with open(path, encoding="utf-8") as file:
        before = {part["name"]: part for part in json.load(file)["parts"]}
except FileNotFoundError:
    before = {}
parts, missing = [], []
for name in names:
    try:
        with open(f"{folder}/{name}.tap", encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        if name in before:
            parts.append(before[name])
        else:
            missing.append(name)
            print(f"there is nothing of {name} yet: tests/long.sh {name}", file=sys.stderr)
        continue
    said = dict(re.findall(r"^# (words|when|seconds|state): (.*)$", text, re.M))
    verdicts = re.findall(r"^((?:not )?ok)\b(.*)$", text, re.M)
    parts.append({
        "name": name, "words": said["words"], "when": said["when"], "seconds": int(said["seconds"]), "state": said["state"],
        "passed": sum(verdict == "ok" and "# SKIP" not in rest for verdict, rest in verdicts),
        "failed": [re.sub(r"^ \d+ - ", "", rest).strip() for verdict, rest in verdicts if verdict == "not ok"],
        "skipped": sum(verdict == "ok" and "# SKIP" in rest for verdict, rest in verdicts),
    })
with open(path, "w", encoding="utf-8") as file:
    json.dump({"parts": parts, "missing": missing}, file, indent=1)
    file.write("\n")
