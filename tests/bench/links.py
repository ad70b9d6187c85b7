#!/usr/bin/env python3
"""links.py OUTPUT JSON LANE - what bench_links.sh printed, kept with its day and commit; and docs/measurements.md anew."""
import datetime
import json
import os
import re
import subprocess
import sys

output, path, lane = sys.argv[1:]
lanes = {}
if os.path.exists(path):
    with open(path, encoding="utf-8") as file:
        lanes = json.load(file)
rows = []
with open(output, encoding="utf-8") as file:
    for line in file:
        if line.startswith("| "):
            rows.append([word.strip() for word in re.split(r" \| ", line.strip().strip("|"))])
commit = subprocess.run(["git", "-c", f"safe.directory={os.getcwd()}", "rev-parse", "--short=10", "HEAD"],
                        capture_output=True, text=True, check=True).stdout.strip()
lanes[lane] = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit,
               "rows": [row for row in rows if row[0] != "what"]}
with open(path, "w", encoding="utf-8") as file:
    json.dump(lanes, file, indent=1)
    file.write("\n")
os.execvp("python3", ["python3", "tests/bench/compare.py", "write", "docs/measurements/measurements.json", "docs"])
