# lane.sh - the rows of rows.txt on real routers and real WireGuard, as TAP: sourced behind tap.sh and world.sh, never run.
# shellcheck shell=bash disable=SC2154 # what is world.sh's
#
#   conformance_lane LANE SCOPE
#
# LANE is lab (wireguard-go, lines without delay) or kernel (the kernel's WireGuard, and wireguard-go where lines have delay).
# SCOPE is short, as CI has it, or long. All rows share one world: each type of router stands there twice, once before each end.

: "${BUILD:?}"
conformance_rows=$SOURCE/tests/conformance/rows.txt

# conformance_select LANE SCOPE - the rows of the table that are for these: name, outcome and what is done, between tabs.
conformance_select() {
	awk -F ' [|] ' -v lane="$1" -v scope="$2" '
		/^#/ || !NF { next }
		lane == "lab" && $5 ~ / d=/ { next }
		scope == "short" && $3 != lane && $3 != "both" { next }
		{ printf "%s\t%s\t%s\n", $1, $4, $5 }' "$conformance_rows"
}

# conformance_sites - for such rows, the sites that they need: name, type, delay. The name is the end and the first letters of
# what stands before it, and the delay.
conformance_sites() {
	awk -F '\t' '
		function site(end, type, delay,  words, n, i, name) {
			n = split(type, words, "-")
			name = end
			for (i = 1; i <= n; i++) name = name substr(words[i], 1, 1)
			if (delay && end == "a") name = name delay
			print name, type, end == "a" ? delay : 0
		}
		{ split($3, words, " "); delay = 0 }
		match($3, / d=[0-9]+/) { delay = substr($3, RSTART + 3, RLENGTH - 3) + 0 }
		words[1] == "meet" { site("a", words[2], delay); site("b", words[3], delay) }
		words[1] == "count" { site("a", "public", 0); site("b", "public", 0) }
		words[1] == "port" { site("a", words[2], 0) }
		words[1] == "switch" { site("a", "public", 0); site("b", "public", 0); print "hub public 0" }' | sort -u
}

# Every other site, beginning with the first or the second.
conformance_build_half() {
	local name type delay number=0
	while read -r name type delay; do
		number=$((number + 1))
		[ $((number % 2)) -eq "$1" ] || continue
		world_stands "$name" "$type" $((number + 1))
		[ "$delay" = 0 ] || world_delay "$name" "$delay" || world_fail 'a line takes no delay'
	done < <(conformance_sites <"$world_dir/rows")
}
conformance_build() {
	local half
	conformance_build_half 0 &
	half=$!
	conformance_build_half 1
	wait "$half" || world_fail 'half of the world cannot be built'
}

# By a prober, since they are about single packets.
conformance_ports() {
	local name outcome what words
	while IFS=$'\t' read -r name outcome what; do
		read -ra words <<<"$what"
		[ "${words[0]}" = port ] || continue
		printf '%s: %s\n' "$name" "$(world_probe meet "a$(conformance_initials "${words[1]}")" "$world_port" "${world_inet[0]}" \
			"$(conformance_outside "${words[1]}")" "${words[2]}")"
	done <"$world_dir/rows"
}
conformance_initials() { tr '-' '\n' <<<"$1" | cut -c 1 | tr -d '\n'; }
conformance_outside() { cut -d ' ' -f 1 "$world_dir/a$(conformance_initials "$1")-router/addresses"; }

# conformance_play KIND - what comes of all that is not about single packets; of wireguard-go in the virtual machine, of what
# needs a line with delay.
conformance_play() {
	local names
	mapfile -t names < <(awk -F '\t' -v part="$1-$conformance_on" '$3 !~ /^port / && (part != "userspace-kernel" || $3 ~ / d=/) { print $1 }' "$world_dir/rows")
	WORLD=$world WORLD_DIR=$world_dir "$BUILD/gcc/tests/conformance-real" "$1" "$conformance_pause" "$conformance_rows" "${names[@]}" </dev/null
}

# conformance_is NAME OUTCOME FILE
conformance_is() {
	local found
	found=$(sed -n "s/^$1: //p" "$3")
	[ "$found" = "$2" ] || { echo "$1: ${found:-no outcome}; the simulator and the table: $2"; cat "$3.err"; return 1; }
}

# conformance_judge KIND - one case for each row that it has played.
conformance_judge() {
	local name outcome what file=$world_dir/outcomes-$1
	while IFS=$'\t' read -r name outcome what; do
		case $1-$conformance_on in userspace-kernel) [[ $what == *' d='* ]] || continue ;; esac
		check "$1, $name: $outcome" conformance_is "$name" "$outcome" "$file"
	done <"$world_dir/rows"
}

conformance_lane() {
	local kind kinds=(userspace) pids=() begun=$SECONDS built
	conformance_on=$1
	conformance_pause=200
	# In a machine that may be emulated looking takes its time.
	[ "$1" = lab ] || { kinds=(kernel userspace) conformance_pause=1000; }
	world_begin
	conformance_select "$1" "$2" >"$world_dir/rows"
	conformance_build
	built=$SECONDS
	for kind in "${kinds[@]}"; do
		conformance_play "$kind" >"$world_dir/outcomes-$kind" 2>"$world_dir/outcomes-$kind.err" &
		pids+=($!)
	done
	conformance_ports >"$world_dir/ports" 2>"$world_dir/ports.err"
	wait "${pids[@]}"
	echo "# $(wc -l <"$world_dir/rows") rows: $((built - begun)) s to build the world, $((SECONDS - built)) s to play them"
	# The routers' kernel is the one that the lane has.
	cat "$world_dir/ports" >>"$world_dir/outcomes-${kinds[0]}"
	cat "$world_dir/ports.err" >>"$world_dir/outcomes-${kinds[0]}.err"
	for kind in "${kinds[@]}"; do
		conformance_judge "$kind"
	done
}
