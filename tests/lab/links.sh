# links.sh - direct links in a small world: sourced behind collective.sh, never run.
# shellcheck shell=bash disable=SC2154 # of what is sourced
#
#   links_begin SITE...               a hub is founded, and they come in with the tag that links go by
#   configure SITE LINE...            its configuration has these lines below "links:"
#   direct SITE OTHER...              each pair of them sends directly, both ends
#   by_hub SITE OTHER...              none of them does
#   leads SITE OTHER INTERFACE        where packets to it go
#   says_direct SITE COUNT            since its agent began, its log names so many that packets go to directly; to ask agents
#                                     takes seconds on a busy machine
#   reason SITE OTHER WORD            why, in status's words
#   flows SITE OTHER RATE             so many datagrams a second each way, in the background; direct or not
#   flowed SITE OTHER                 ends that: sets of both ways $sent, $lost in so many $holes, and the longest $gap in ms
#   loses WORDS MOST SITE OTHER       the same, and of what was sent at most so many are lost
#   loses_nothing WORDS SITE OTHER    the same: none at all, but for what the kernel counted as dropped before a WireGuard that
#                                     did not get to read it. Where that is a program, on a busy machine, a tenth of a second
#                                     of a thousand packets is more than its sockets hold. Not where somebody floods it
#   breaks WORDS MS SITE OTHER        the same, and the longest break is at most so long
#   transfers SITE OTHER RATE SECONDS by TCP so many KiB/s: sets how many $pieces there were, and how many were $again sent
#   parts SITE...                     inet passes nothing between them, the hub is not meant
#   joins_again                       it does
#   watches_calls SITE...             counts how often who begins WireGuard's handshake with whom, outside
#   calls_one_way SITE OTHER          only one of the two has

links_begin() {
	local site
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 || { cat "$world_dir/init"; return 1; }
	for site in "$@"; do comes_in "$site" --tag gaming || return; done
	for site in hub "$@"; do address_of "$site" >"$world_dir/$site/address"; done
}

# comes_in SITE OPTION... - of the invite.
comes_in() {
	at hub invite "$@" 2>"$world_dir/$1/invite.log" | at "$1" join - >"$world_dir/$1/join.log" 2>&1 ||
		{ cat "$world_dir/$1/invite.log" "$world_dir/$1/join.log"; return 1; }
}

configure() {
	{ echo 'links:' && printf '  %s\n' "${@:2}"; } >"$world_dir/$1/config.yaml"
}

inside() { cat "$world_dir/$1/address"; }

leads() { site_run "$1" ip route get "$(inside "$2")" 2>/dev/null | grep -q " dev $3 "; }

# each_pair COMMAND... -- SITE...
each_pair() {
	local command=() a b
	while [ "$1" != -- ]; do command+=("$1"); shift; done
	shift
	for a in "$@"; do
		for b in "$@"; do
			[ "$a" = "$b" ] || "${command[@]}" "$a" "$b" || return
		done
	done
}
leads_by() { leads "$2" "$3" "$1"; }
are_direct() { each_pair leads_by collective1 -- "$@"; }
are_by_hub() { each_pair leads_by collective0 -- "$@"; }
says_why() { at "$1" why "$2"; }

direct() { world_wait "${within:-20}" are_direct "$@" || { each_pair says_why -- "$@"; return 1; }; }
by_hub() { world_wait "${within:-20}" are_by_hub "$@" || { each_pair says_why -- "$@"; return 1; }; }

says_direct() { awk -v count="$2" '/: started$/ { n = 0 } /go directly/ { n++ } END { exit n < count }' "$world_dir/$1/agent.log"; }

reason() { knows_without_words "$1" "s['$2']['link']['reason'] == '$3'" || { at "$1" why "$2"; return 1; }; }

flows() {
	local dir=$world_dir/$1/flow-$2
	rm -rf "$dir"
	mkdir "$dir" || return
	python3 "$SOURCE/tests/lab/flow.py" "/run/netns/$world-$1" "$(inside "$1")" "/run/netns/$world-$2" "$(inside "$2")" "$dir" "$3" \
		>"$dir/words" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	unread >"$dir/unread"
	world_wait 10 test -e "$dir/running" || { echo "nothing flows between $1 and $2"; cat "$dir/words"; return 1; }
}

flowed() {
	local dir=$world_dir/$1/flow-$2 n l h g
	if ! kill "$(cat "$dir/pid")" || ! world_wait 10 test -e "$dir/result"; then cat "$dir/words"; return 1; fi
	sed "s/^/$1 and $2, sent lost holes twice late gap: /" "$dir/result"
	sent=0 lost=0 holes=0 gap=0
	while read -r n l h _ _ g; do
		sent=$((sent + n)) lost=$((lost + l)) holes=$((holes + h))
		[ "$g" -le "$gap" ] || gap=$g
	done <"$dir/result"
}

loses() { flowed "$3" "$4" && says_figure "$1, lost of $sent packets" "$lost" "$2" ''; }
breaks() { flowed "$3" "$4" && says_figure "$1, of $sent packets $lost lost, the longest break" "$gap" "$2"; }

# What of all sites the kernel has dropped in front of whoever had to read it: sockets, and interfaces of a program.
unread() {
	local node
	for node in $(world_nodes); do
		# shellcheck disable=SC2016 # awk's
		site_run "$node" awk '
			/^Udp:/ && !column { for (i = 2; i <= NF; i++) if ($i == "RcvbufErrors") column = i; next }
			/^Udp:/ { print $column }
			/^ *collective[01]:/ { sub(/.*:/, ""); print $12 }' /proc/net/snmp /proc/net/dev
	done | awk '{ n += $1 } END { print n + 0 }'
}

loses_nothing() {
	local before
	before=$(cat "$world_dir/$2/flow-$3/unread") && flowed "$2" "$3" &&
		says_figure "$1, lost of $sent packets" "$lost" $(($(unread) - before)) ''
}

transfers() {
	local dir=$world_dir/$1/transfer-$2 pid
	rm -rf "$dir"
	mkdir "$dir" || return
	python3 "$SOURCE/tests/lab/stream.py" "/run/netns/$world-$1" "/run/netns/$world-$2" "$(inside "$2")" "$dir" "$3" >"$dir/words" 2>&1 </dev/null &
	pid=$!
	if ! world_wait 10 test -e "$dir/running" || ! sleep "$4" || ! kill "$pid" || ! world_wait 20 test -e "$dir/result"; then cat "$dir/words"; return 1; fi
	cat "$dir/result"
	# shellcheck disable=SC2034 # for the scripts
	read -r pieces _ again _ <"$dir/result"
	[[ $pieces =~ ^[0-9]+$ ]]
}

parts() {
	local site outside=()
	for site in "$@"; do outside+=("$(cut -d ' ' -f 1 "$world_dir/$site-router/addresses")"); done
	site_run inet nft -f - <<-EOF
		table ip parted {
			set homes { type ipv4_addr; elements = { $(IFS=, && echo "${outside[*]}") }
			}
			chain forw { type filter hook forward priority 0; ip saddr @homes ip daddr @homes drop
			}
		}
	EOF
}
joins_again() { site_run inet nft delete table ip parted; }

# Of what comes in from homes: WireGuard's first message, by its size and type. One that goes to the hub is not meant.
watches_calls() {
	local a b rules=
	for a in "$@"; do
		for b in "$@"; do
			[ "$a" = "$b" ] || rules+="iifname \"$a\" oifname \"$b\" udp length 156 @th,64,32 0x01000000 counter comment \"$a-$b\"
"
		done
	done
	site_run inet nft -f - <<-EOF
		table inet calls {
			chain forw {
				type filter hook forward priority -10
				$rules
			}
		}
	EOF
}
calls() { site_run inet nft list table inet calls | sed -n "s/.*counter packets \([0-9]*\) .*comment \"$1-$2\".*/\1/p"; }
calls_one_way() {
	local there back
	there=$(calls "$1" "$2") back=$(calls "$2" "$1")
	echo "$1 has called $2 $there times, $2 has called $1 $back times" | tee -a "$world_dir/shown"
	[ $((there + back)) -gt 0 ] && [ $((there * back)) -eq 0 ]
}
