#!/bin/bash
# page.sh - prints docs/conformance.md, as the table of rows and the simulator have it.
#
#   SOURCE=... BUILD=... tests/conformance/page.sh >docs/conformance.md
#
# What the simulator does is asked of it. What real WireGuard does is held to the table, by the lab and in the virtual
# machine: a row that they do not agree on makes those red, so here stands the table's word.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"

rows=tests/conformance/rows.txt
model=$("$BUILD/gcc/tests/conformance-model" "$rows") || exit 1

cat <<'PAGE'
# The simulator beside reality

Made by `tests/conformance/page.sh`. What routers and WireGuard were measured to do, replayed three times: on the
simulator's models, on real routers with wireguard-go 0.0.20220316, and on real routers with the kernel's WireGuard (6.12). What
is done, when, and how it is judged is one program for all three (`tests/conformance/play.c`), and the rows are one table
(`tests/conformance/rows.txt`). Compared are classes of outcome, not times. What the simulator does is asked of it; for both kinds of
WireGuard stands what the table demands of them, and a row that does otherwise is red where it is played: the unit tests play all on the
models, CI those that the last column names on real routers (the lab with wireguard-go, the virtual machine with the kernel's, or both;
"none" takes too long), and `tools/test long` all of them in both, five times.

A handshake comes about *at once* (in a round trip, as soon as the last end has begun), *after the retry* of 5 s, or *never* (in
12 s, so not by two retries either; in 30 s where there was a silence). Initiations go out *each time* or *one in 5 s*. Packets on
a way that is changed lose *nothing*, or *the skew*: what one end sends while the other has not changed yet. A port is *kept* or
*another*, and what the peer sends later to the port that it was told will *arrive* or is *lost*.

In a row's name A and B are its two ends, and "-a" or "-b" is who begins; "alone" leaves the other one out. The words in parentheses are the
section of the design from which it was measured first. "–": the simulator has no such setting, since the product never makes it, so only the
two real ones can be equal. Rows that end "after the retry" have 120 s for it where both ends call at once ("cross"). Lines with a delay d are in the virtual machine only, which then has both kinds of
WireGuard. Offsets that differ from a d of 10 or 25 ms by less than three milliseconds, or lie little behind it, are left out: no
clock of an emulated machine is that good.

| row | claim | simulator | userspace | kernel | equal | CI |
|---|---|---|---|---|---|---|
PAGE
awk -F ' [|] ' -v model="$model" '
	BEGIN {
		n = split(model, lines, "\n")
		for (i = 1; i <= n; i++) {
			at = index(lines[i], ": ")
			does[substr(lines[i], 1, at - 1)] = substr(lines[i], at + 2)
		}
	}
	/^#/ || !NF { next }
	{
		simulator = $1 in does ? does[$1] : "–"
		equal = simulator == "–" ? "yes, both" : simulator == $4 ? "yes" : "NO"
		printf "| %s (%s) | %s | %s | %s | %s | %s | %s |\n", $1, $2, $6, simulator, $4, $4, equal, $3
	}' "$rows"
