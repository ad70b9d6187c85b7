#!/usr/bin/env python3
"""Keeps what bench_compare.sh measured, and shows it.

    compare.py merge JSON PART RAW [NAME=VALUE]...   a part's values are those in RAW now, measured on this machine, today
    compare.py table JSON                            on the terminal
    compare.py write JSON DIRECTORY                  DIRECTORY/measurements.md and DIRECTORY/measurements/*.svg

RAW has lines of PART, PROGRAM, CASE, NAME and VALUE between tabs; a VALUE "-" means never, within what was waited for.
No figure stands here: what is not in the file is "-", and a note says why.
"""
import datetime
import json
import math
import os
import platform
import subprocess
import sys

from compare_figures import matrix, panels

PROGRAMS = ("collective", "nebula", "nebula_unrelayed", "tinc", "wireguard", "serf")
MEETING = PROGRAMS[:4]
NAMES = {"collective": "collective", "nebula": "Nebula", "nebula_unrelayed": "Nebula, no relay", "tinc": "tinc", "wireguard": "WireGuard", "serf": "serf"}
PACKAGES = {"nebula": "nebula", "tinc": "tinc", "serf": "serf", "wireguard-go": "wireguard-go", "iperf3": "iperf3"}
NEVER = math.inf

# Why a program has no such figure, whatever is measured: by part, or by part and name.
ABSENT = {
    ("pairs", "wireguard"): "Finds nobody by itself: endpoints are typed in, so there is nothing to compare.",
    ("pairs", "serf"): "Carries no packets of others.",
    ("switch", "nebula"): "Cannot be told to go by the lighthouse and back.",
    ("switch", "tinc"): "Cannot be told to go by the hub and back.",
    ("news", "nebula"): "Has no gossip: a lighthouse answers who asks, certificates are handed over by hand, and an expulsion is a "
                        "line in everybody's configuration.",
    ("news", "wireguard"): "Has no news: whoever is to know of a peer is told by hand.",
    ("expelled", "serf"): "Expels nobody: a member leaves, or the key of all is changed.",
    ("carrier", "nebula"): "Is its own carrier: what it costs stands in the rows of the program.",
    ("carrier", "tinc"): "Is its own carrier: what it costs stands in the rows of the program.",
    ("program", "wireguard"): "Has no program of its own beside what carries: wireguard-go, or the kernel.",
}
for part in ("dies", "moves"):
    ABSENT[part, "nebula_unrelayed"] = "Without a relay nothing is left when the direct way is gone: Nebula is measured with one."
for part in ("idle", "speed", "news", "switch", "carrier", "program", "expelled"):
    ABSENT[part, "nebula_unrelayed"] = "As Nebula."
for part in ("direct", "dies", "moves", "switch"):
    ABSENT[part, "wireguard"], ABSENT[part, "serf"] = ABSENT["pairs", "wireguard"], ABSENT["pairs", "serf"]
ABSENT["speed", "serf"] = ABSENT["pairs", "serf"]


# What is to be known of a figure that is there, by name.
BESIDE = {
    ("bytes_s", "serf"): "With what WireGuard by hand carries it in: homes do not let each other's datagrams in.",
    ("record_ms", "tinc"): "Since the start of its daemon, which is when tinc 1.0 hears of its own networks.",
    ("record_ms", "serf"): "An event.",
}


class Row:
    """A line of the table. More is better with MORE; a difference of less than NOISE is none. NOISE None: no verdict, as
    another line has it."""

    def __init__(self, part, words, unit, name, case=None, more=False, kind=None, how=None, noise=0.05):
        self.part, self.words, self.unit, self.name, self.case = part, words, unit, name, case
        self.more, self.kind, self.how, self.noise = more, kind or part, how, noise

    def values(self, data, program):
        values = of(data, self.part, program, self.name, self.case)
        if self.how:
            return self.how(data, self, program, values)
        return values


def middle(values):
    values = sorted(values)
    return values[(len(values) - 1) // 2]


def count_direct(_, __, ___, values):
    return [sum(value != NEVER for value in values)] if values else []


def count_either(data, row, program, values):
    """Direct if A begins, or else if B does. A pair of the same type is not tried again."""
    again = of(data, row.part, program, "direct_b_ms")
    return [sum(value != NEVER for value in values + again)] if values else []


def in_sum(_, __, ___, values):
    return [sum(values)] if values else []


def beside(data, row, program, values):
    """Each to what WireGuard by hand had in the same round: a machine that others use changes from one moment to the next."""
    if program == "wireguard":
        return [1.0] if values else []
    floor = of(data, row.part, "wireguard", row.name, f"beside {program}")
    return [value / before for value, before in zip(values, floor)]


ROWS = (
    Row("pairs", "pairs of routers that go direct, A begins", "pairs", "direct_ms", more=True, how=count_direct, noise=0),
    Row("pairs", "the same, or B begins in a second attempt", "pairs", "direct_ms", more=True, how=count_either, noise=0),
    Row("direct", "time to direct, home and home", "ms", "direct_ms", "home home"),
    Row("direct", "time to direct, public and home", "ms", "direct_ms", "public home"),
    Row("direct", "first answer, home and home", "ms", "answer_ms", "home home"),
    Row("direct", "lost while becoming direct, home and home", "packets", "lost", "home home", how=in_sum, noise=0),
    Row("switch", "lost when told to go by the hub and back", "packets", "lost", how=in_sum, noise=0),
    Row("switch", "asked for again, direct after", "ms", "again_ms"),
    Row("dies", "silence when the direct way dies", "ms", "outage_ms"),
    Row("dies", "direct again once it is mended", "ms", "again_ms"),
    Row("moves", "silence when a home gets a new address", "ms", "outage_ms"),
    Row("moves", "direct again after that", "ms", "again_ms"),
    Row("idle", "idle: a home's line, both ways", "B/s", "bytes_s"),
    Row("idle", "idle: memory of the program (VmRSS)", "KiB", "rss_kib", kind="program"),
    Row("idle", "idle: processor, the program", "ms/min", "cpu_ms_min", kind="program", noise=0.2),
    Row("idle", "idle: memory of wireguard-go beside it", "KiB", "wireguard_go_rss_kib", kind="carrier"),
    Row("idle", "idle: processor, wireguard-go beside it", "ms/min", "wireguard_go_cpu_ms_min", kind="carrier", noise=0.2),
    Row("speed", "throughput of the direct way", "Mbit/s", "mbits", more=True, noise=None),
    Row("speed", "throughput, of that of WireGuard by hand", "ratio", "mbits", more=True, how=beside),
    Row("speed", "round trip on the direct way", "ms", "rtt_ms", noise=None),
    Row("speed", "round trip, of that of WireGuard by hand", "ratio", "rtt_ms", how=beside),
    Row("news", "a new member known to all", "ms", "joined_ms"),
    Row("news", "a new record known to all", "ms", "record_ms"),
    Row("news", "an expulsion known to all", "ms", "expelled_ms", kind="expelled"),
)


# What is kept.

def of(data, part, program, name, case=None):
    rows = data["parts"].get(part, {}).get("values", [])
    return [NEVER if value is None else value
            for row in rows if row["program"] == program and row["name"] == name and case in (None, row["case"])
            for value in row["values"]]


def said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def surroundings():
    versions = {name: said("dpkg-query", "-W", "-f", "${Version}", package) or "-" for name, package in PACKAGES.items()}
    program = os.path.join(os.environ["BUILD"], "gcc/agent/collective")
    # The newest commit that changed the program itself.
    commit = said("git", "-c", f"safe.directory={os.getcwd()}", "log", "-1", "--abbrev=10", "--format=%h", "--",
                  "agent", "base", "config", "gossip", "nat", "site", "store")
    version = said(program, "--version").split("\n")[0].replace("collective", "").strip()
    versions["collective"] = f"{version} ({commit})" if commit else version
    has_kernel = subprocess.run(["unshare", "--net", "ip", "link", "add", "name", "wg0", "type", "wireguard"],
                                capture_output=True, check=False).returncode == 0
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": versions,
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "wireguard": "the kernel's" if has_kernel else "wireguard-go",
        "load": round(os.getloadavg()[1], 1),
    }


def merge(path, part, raw, settings):
    data = {"parts": {}}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    found = {}
    with open(raw, encoding="utf-8") as file:
        for line in file:
            measured, program, case, name, value = line.rstrip("\n").split("\t")
            if measured == part and value != "":
                found.setdefault((program, case, name), []).append(None if value == "-" else float(value))
    entry = surroundings()
    entry["settings"] = {key: float(value) for key, value in (word.split("=") for word in settings)}
    entry["values"] = [{"program": program, "case": case, "name": name, "values": values}
                       for (program, case, name), values in sorted(found.items())]
    # In one order, whatever was measured first.
    data["parts"] = dict(sorted({**data["parts"], part: entry}.items()))
    keep(path + ".part", data)
    os.rename(path + ".part", path)


def keep(path, data):
    """A line for each thing that was measured."""
    parts = []
    for part, entry in data["parts"].items():
        values = ",\n".join(json.dumps(row) for row in entry["values"])
        around = json.dumps({key: value for key, value in entry.items() if key != "values"})
        parts.append(f'{json.dumps(part)}: {around[:-1]}, "values": [\n{values}\n]}}')
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"parts": {\n' + ",\n".join(parts) + "\n}}\n")


# In words.

def figure(value, unit):
    if value == NEVER:
        return "never"
    if unit == "ratio":
        return f"{value:.2f}"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}"


class Cells:
    """Rows of words, and the notes that they refer to."""

    def __init__(self, data):
        self.data, self.notes = data, []

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1

    def absent(self, row, program):
        part = self.data["parts"].get(row.part)
        reason = ABSENT.get((row.kind, program)) or ABSENT.get((row.part, program))
        if not part:
            reason = reason or f"The part {row.part} has not been measured."
        elif not reason and row.kind == "carrier":
            reason = "The kernel carries."
        return f"- [{self.note(reason or 'The measurement failed.')}]"

    def cell(self, row, program):
        values = row.values(self.data, program)
        if not values:
            return self.absent(row, program)
        value, words = middle(values), ""
        words = figure(value, row.unit)
        if row.part == "pairs":
            words += f" of {len(of(self.data, row.part, program, row.name))}"
        if value == NEVER:
            words += f" [{self.note(self.patience(row))}]"
        elif row.unit == "packets":
            words += f" of {sum(of(self.data, row.part, program, 'sent', row.case)):,.0f}"
        elif program != "collective" and row.unit not in ("ratio", "pairs"):
            own = row.values(self.data, "collective")
            if own and middle(own) not in (0, NEVER):
                words += f" ({value / middle(own):.2g}x)" if value / middle(own) < 10 else f" ({value / middle(own):,.0f}x)"
        beside = BESIDE.get((row.name, program))
        return words + (f" [{self.note(beside)}]" if beside else "")

    def patience(self, row):
        settings = self.data["parts"][row.part]["settings"]
        return f"Not within {settings['wait_s' if row.part in ('pairs', 'direct') else 'fault_s']:.0f} s, in at least half of all attempts."

    def count(self, row):
        values = of(self.data, row.part, "collective", row.name, row.case)
        return str(len(values)) if values else "-"

    def rows(self):
        for row in ROWS:
            yield [row.words, self.count(row), row.unit] + [self.cell(row, program) for program in PROGRAMS]


def better(data):
    """Where another program is ahead, in words."""
    for row in ROWS:
        if row.noise is None:
            continue
        own = row.values(data, "collective")
        for program in PROGRAMS[1:]:
            values = row.values(data, program)
            # What carries for serf is WireGuard by hand.
            if not own or not values or (row.kind, program) == ("carrier", "serf"):
                continue
            a, b = middle(own), middle(values)
            if (b > a * (1 + row.noise)) if row.more else (b < a * (1 - row.noise)):
                unit = "" if row.unit == "ratio" else " " + row.unit
                yield f"{NAMES[program]} is better: {row.words}: {figure(b, row.unit)}{unit} instead of {figure(a, row.unit)}."
    pairs = by_pair(data)
    for program in MEETING[1:]:
        only = [case for case, times in pairs.items() if times.get(program, NEVER) < times.get("collective", NEVER) == NEVER]
        if only:
            yield f"{NAMES[program]} is better: these pairs go direct by it alone: {', '.join(only)}."
        sooner = [case for case, times in pairs.items() if times.get(program, NEVER) < times.get("collective", NEVER) < NEVER]
        if sooner:
            yield f"{NAMES[program]} is better: these pairs go direct sooner by it, in one attempt each: {', '.join(sooner)}."


def by_pair(data, name="direct_ms"):
    pairs = {}
    for row in data["parts"].get("pairs", {}).get("values", []):
        if row["name"] == name:
            value = row["values"][0]
            pairs.setdefault(row["case"].replace(" ", " and "), {})[row["program"]] = NEVER if value is None else value
    order = {}
    with open("tests/lab/pairs.txt", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                order[" and ".join(line.split()[:2])] = len(order)
    return dict(sorted(pairs.items(), key=lambda item: order.get(item[0], len(order))))


def table(data):
    cells = Cells(data)
    lines = [["", "", ""] + [NAMES[program] for program in PROGRAMS]] + list(cells.rows())
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(word.ljust(width) if i == 0 else word.rjust(width) for i, (word, width) in enumerate(zip(line, widths))))
    print("\nMedians, of packets the sum; in parentheses, how many times that of the collective.")
    for i, note in enumerate(cells.notes, 1):
        print(f"[{i}] {note}")
    for sentence in better(data):
        print(sentence)


# As documents.

def conditions(data):
    """Each part's surroundings, those that are the same said once."""
    seen = {}
    for part, entry in data["parts"].items():
        versions = entry["versions"]
        words = (f"{entry['cpus']} processors, Linux {entry['kernel']}, WireGuard: {entry['wireguard']}; collective {versions['collective']}, "
                 + ", ".join(f"{name} {versions[name]}" for name in PACKAGES))
        seen.setdefault(words, []).append((part, entry["date"], entry["load"]))
    for words, parts in seen.items():
        yield f"{words}.\n\nMeasured (load of the machine behind it): " + ", ".join(f"{part} {date} ({load})" for part, date, load in parts) + "."


TEXT = """# Beside others

Made by `tools/bench compare --write`, which measures all of it on one machine: the collective, and what Debian 12 has of
others, in the same small worlds of network namespaces, with the same routers and the same faults. **Absolute times are noise on shared
machines: read the ratios.** Every figure is a median of as many as stand in the second column, of packets the sum, of pairs their number; all values stand in [measurements.json](measurements/measurements.json).

"""

HOW = """
How it is seen: datagrams of a size that nothing else has flow between two homes, 100 a second (250 for what is lost by a switch), and where
homes meet it is seen from whom to whom they go. No program is asked what it believes. The time to direct runs from the first packet,
with the programs up and connected to the hub, until both directions go from home to home; A sends, B answers. A pair has {wait:.0f} s, and where
nothing came of that, as long once more, in which B begins. What breaks has {fault:.0f} s to come back. The direct way dies by dropping what goes
between both homes' addresses, the hub being reached as before. A new address makes the router forget its flows, too.

Idle is the hub and {homes:.0f} homes for {window:.0f} s, no flow, no direct links; B/s are of a home's line with IP headers. News is known when it stands in
everybody's store (collective) or log (tinc, serf), since its command. Throughput and round trip are those of the direct way, beside WireGuard
by hand through the same routers, in turns, in an order that is drawn in each round.

Settings are those of each program's own sample or manual, but for what lets it do better here: Nebula's lighthouse relays, and
`punchy.respond` is on; its firewall passes everything of members. A relay lets Nebula's packets flow at once, but keeps it from looking on for
the direct way; so it is tried without one, too. serf has no way through routers and runs over WireGuard. The collective
makes links at the first traffic (`links.when: traffic`).
"""


def hours(long):
    """What tests/long.sh left, as tests/bench/long.py put it."""
    parts = long["parts"]
    out = ["## The long run\n\n`tools/test long`: what takes hours, on the same kind of machine; each part stands by itself.\n\n",
           "| part | what | passed | failed | skipped | minutes | begun (UTC) | state |\n|---|---|--:|--:|--:|--:|---|---|\n"]
    for part in parts:
        out.append(f"| {part['name']} | {part['words']} | {part['passed']:,} | {len(part['failed'])} | {part['skipped']} "
                   f"| {part['seconds'] / 60:,.1f} | {part['when']} | {part['state'][:10] or 'not committed'} |\n")
    out.append(f"| | **all of it** | {sum(p['passed'] for p in parts):,} | {sum(len(p['failed']) for p in parts)} "
               f"| {sum(p['skipped'] for p in parts)} | {sum(p['seconds'] for p in parts) / 60:,.1f} | | |\n\n")
    if long["missing"]:
        out.append(f"Not run yet: {', '.join(long['missing'])}.\n\n")
    failed = [f"- {part['name']}: {case}\n" for part in parts for case in part["failed"]]
    return "".join(out + (["What failed:\n\n"] + failed + ["\n"] if failed else []))


def bounds(links):
    """What tests/bench/links.py kept of bench_links.sh."""
    out = ["## Direct links, and what they have to hold\n\n`tools/bench links --write`: with the WireGuard of the machine, and `--kernel` with the "
           "kernel's on an emulated processor, 20 ms on every line.\n\n"]
    for lane, words in (("native", "On the machine itself"), ("kernel", "With the kernel's WireGuard, 20 ms on every line")):
        if lane not in links:
            continue
        out.append(f"{words}, {links[lane]['date']}, at {links[lane]['commit']}:\n\n| what | measured | goal | |\n|---|---|---|---|\n")
        out += [f"| {' | '.join(row)} |\n" for row in links[lane]["rows"]]
        out.append("\n")
    return "".join(out)


def markdown(data, links=None, long=None):
    cells = Cells(data)
    setting = {}
    for entry in data["parts"].values():
        setting.update(entry["settings"])

    def wait(part):
        return data["parts"].get(part, {}).get("settings", {}).get("wait_s", 0)

    out = [TEXT + "\n\n".join(conditions(data)) + "\n\n"]
    lines = [["what", "of", "unit"] + [NAMES[program] for program in PROGRAMS], ["---", "--:", "---"] + ["--:"] * len(PROGRAMS)] + list(cells.rows())
    out += ["| " + " | ".join(line) + " |\n" for line in lines]
    out.append("\nIn parentheses: how many times that of the collective.\n\n")
    out += [f"- [{i}] {note}\n" for i, note in enumerate(cells.notes, 1)]
    out.append("\n## Where others are better\n\nLess than 5 % is no difference, nor are 20 % of processor time.\n\n")
    out += [f"- {sentence}\n" for sentence in better(data)] or ["Nowhere, in these rows.\n"]
    out.append("\n## How it was measured\n" + HOW.format(wait=wait("pairs"), fault=setting.get("fault_s", 0),
                                                      homes=setting.get("homes", 0), window=setting.get("window_s", 0)))
    out.append("\n## Figures\n\n")
    out += [f"![{title}](measurements/{name}.svg)\n\n" for name, title in FIGURES if figure_of(data, name)]
    pairs, again = by_pair(data), by_pair(data, "direct_b_ms")
    if pairs:
        out.append("## Every pair of routers\n\nTime to direct in ms, A having begun. \"B: \" is by the second attempt, in which B begins, where the "
                   "first came to nothing; \"-\": neither.\n\n")
        out.append(f"| A | B | {' | '.join(NAMES[program] for program in MEETING)} |\n|---|---|{'--:|' * len(MEETING)}\n")
        for case, times in pairs.items():
            words = case.split(" and ")
            for program in MEETING:
                time, other = times.get(program, NEVER), again.get(case, {}).get(program, NEVER)
                words.append(f"{time:,.0f}" if time != NEVER else f"B: {other:,.0f}" if other != NEVER else "-")
            out.append(f"| {' | '.join(words)} |\n")
        out.append("\n")
    if links:
        out.append(bounds(links))
    if long:
        out.append(hours(long))
    return "".join(out).rstrip("\n") + "\n"


FIGURES = (("pairs", "Which routers let whom meet"), ("direct", "Time to direct"), ("faults", "When something breaks"),
           ("idle", "At rest"), ("speed", "Speed, beside WireGuard by hand"), ("news", "Until everybody knows"))
SHOWN = {"direct": ("direct",), "faults": ("dies", "moves", "switch"), "idle": ("idle",), "speed": ("speed",), "news": ("news",)}


def figure_of(data, name):
    title = dict(FIGURES)[name]
    if name == "pairs":
        pairs = by_pair(data)
        words = "Seconds until direct, both ways, where A begins, that of the column; B: only if that of the row does; empty: neither."
        return matrix(title, words, [(NAMES[p], p) for p in MEETING], pairs, by_pair(data, "direct_b_ms")) if pairs else None
    shown = []
    for row in ROWS:
        if row.part not in SHOWN[name] or row.unit == "packets":
            continue
        lines = [(NAMES[program], program, row.values(data, program)) for program in PROGRAMS]
        lines = [line for line in lines if line[2]]
        if lines:
            shown.append((row.words, row.unit, name in ("direct", "faults", "news"), lines))
    if name == "direct":
        lines = [(NAMES[program], program, of(data, "pairs", program, "direct_ms")) for program in PROGRAMS]
        lines = [line for line in lines if line[2]]
        if lines:
            shown.append(("time to direct, every pair of routers", "ms", True, lines))
    return panels(title, "Each dot is one measurement, the line is the median.", shown) if shown else None


def write(data, directory):
    figures = os.path.join(directory, "measurements")
    os.makedirs(figures, exist_ok=True)
    for name, _ in FIGURES:
        drawn = figure_of(data, name)
        path = os.path.join(figures, name + ".svg")
        if drawn:
            with open(path, "w", encoding="utf-8") as file:
                file.write(drawn)
        elif os.path.exists(path):
            os.remove(path)
    keep(os.path.join(figures, "measurements.json"), data)
    others = [None, None]
    for i, name in enumerate(("links.json", "long.json")):
        if os.path.exists(os.path.join(figures, name)):
            with open(os.path.join(figures, name), encoding="utf-8") as file:
                others[i] = json.load(file)
    with open(os.path.join(directory, "measurements.md"), "w", encoding="utf-8") as file:
        file.write(markdown(data, *others))


def main():
    command, path, *words = sys.argv[1:]
    if command == "merge":
        merge(path, words[0], words[1], words[2:])
        return
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    if command == "table":
        table(data)
    else:
        write(data, words[0])


if __name__ == "__main__":
    main()
