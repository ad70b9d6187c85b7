# cost.sh - what a program costs while nobody does anything: sourced behind world.sh, never run.
# shellcheck shell=bash disable=SC2154 # what is world.sh's
#
#   spent PID           what it was given of the processor so far, in ns: all its threads
#   memory PID          its VmRSS, in KiB
#   count_wire SITE     from now on counts what the line of a home carries, both ways: bytes of IP packets with their headers
#   counted SITE        so many they were
#   has_group SITE...   the group `collective`, as where it is installed
#   middle, worst       of numbers, a line each

# Looking for one that is not there loads 350 KiB of libnss_systemd.
has_group() {
	local site
	{ grep -v '^collective:' /etc/group && echo "collective:x:$world_user:"; } >"$world_dir/group"
	chmod 644 "$world_dir/group"
	for site in "$@"; do site_run "$site" mount --bind "$world_dir/group" /etc/group || world_fail "$site has no group"; done
}

spent() { cat "/proc/$1"/task/*/schedstat | awk '{ ns += $1 } END { printf "%.0f\n", ns }'; }
memory() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; }

# Only UDP and TCP: neighbour discovery and multicast are the kernel's.
count_wire() {
	site_run "$1" nft -f - <<-'RULES'
		add table inet bench
		delete table inet bench
		table inet bench {
			counter wire { }
			chain come { type filter hook prerouting priority raw; iifname "lan" meta l4proto { tcp, udp } counter name wire; }
			chain leave { type filter hook postrouting priority 300; oifname "lan" meta l4proto { tcp, udp } counter name wire; }
		}
	RULES
}
counted() { site_run "$1" nft list counter inet bench wire | sed -n 's/.*bytes \([0-9]*\).*/\1/p'; }

middle() { sort -n | awk '{ at[NR] = $1 } END { if (NR) print at[int((NR + 1) / 2)]; else print "-" }'; }
# Of few rounds the 99th percentile is the worst.
worst() { sort -n | tail -n 1; }
