# neighbours.sh - programs that share a machine with a site: sourced behind collective.sh, never run.
# shellcheck shell=bash disable=SC2154 # what is world.sh's
#
#   finds SITE WEIGHT SUBJECT TEXT   the doctor there says so; what it said stays in said.json
#   obeys SITE SUBJECT [TEXT]        what it said last, done word by word by root
#   is_told SITE TEXT [REMEDY]       its status says so, and with which command
#   silent_on SITE SUBJECT           the doctor there has nothing against it
#   ufw_at SITE                      real ufw, with files of its own: what comes in is denied, SSH is not
#   firewalld_at SITE                the real firewalld, with a bus of its own
#   rules_of SITE                    all packet filters there but our own table
#   same_rules SITE FILE             they are what they were
#   says_with FILE TEXT REMEDY       a line has both
#   is_let_in SITE                   its join goes through, also where whoever typed it does not wait any more

finds() {
	at_root "$1" doctor --json >"$world_dir/$1/said.json" 2>"$world_dir/$1/said.err"
	python3 -c 'import json, sys
found = json.load(open(sys.argv[1]))["findings"]
sys.exit(0 if any(f["weight"] == sys.argv[2] and f["subject"] == sys.argv[3] and sys.argv[4] in f["text"] for f in found)
         else json.dumps(found, indent=1))' "$world_dir/$1/said.json" "${@:2}" || return
	# In words it is the same.
	at_root "$1" doctor | grep -F -- "$4" | grep -q "^$2 *$3 " || { echo 'without --json it says something else'; return 1; }
}

# As root, who may look at packet filters.
at_root() {
	local places
	mapfile -t places < <(places_of "$1")
	site_run "$1" env "${places[@]}" "$collective" "${@:2}"
}

silent_on() {
	at_root "$1" doctor --json >"$world_dir/$1/said.json"
	python3 -c 'import json, sys
found = [f for f in json.load(open(sys.argv[1]))["findings"] if f["subject"] == sys.argv[2] and f["weight"] != "well"]
sys.exit(json.dumps(found, indent=1) if found else 0)' "$world_dir/$1/said.json" "$2"
}

obeys() {
	local remedy
	remedy=$(python3 -c 'import json, sys
for f in json.load(open(sys.argv[1]))["findings"]:
    if f["subject"] == sys.argv[2] and f["weight"] != "well" and sys.argv[3] in f["text"]: print(f["remedy"])' "$world_dir/$1/said.json" "$2" "${3:-}")
	[ -n "$remedy" ] || { echo "no remedy for $2"; cat "$world_dir/$1/said.json"; return 1; }
	echo "# $remedy"
	site_run "$1" sh -ec "$remedy"
}

is_told() {
	at "$1" status >"$world_dir/$1/status" 2>&1
	says_with "$world_dir/$1/status" "$2" "${3:-}"
}

# says_with FILE TEXT REMEDY - in one line.
says_with() { grep -F -- "$2" "$1" | grep -qF -- "$3" || { cat "$1"; return 1; }; }

ufw_at() {
	local dir=$world_dir/$1
	cp -a /etc/ufw "$dir/ufw" && cp /etc/default/ufw "$dir/ufw.default" || return
	site_run "$1" mount --bind "$dir/ufw" /etc/ufw && site_run "$1" mount --bind "$dir/ufw.default" /etc/default/ufw &&
		site_run "$1" ufw allow 22/tcp && site_run "$1" ufw --force enable
}

firewalld_at() {
	mkdir -p "$world_dir/$1/firewalld" && site_run "$1" mkdir -p /run/dbus /run/firewalld &&
		site_run "$1" mount --bind "$world_dir/$1/firewalld" /etc/firewalld || return
	site_spawn "$1" dbus dbus-daemon --system --nofork --nopidfile --nosyslog
	world_wait 5 site_run "$1" test -S /run/dbus/system_bus_socket || { cat "$world_dir/$1/dbus.log"; return 1; }
	site_spawn "$1" firewalld firewalld --nofork --nopid
	world_pause=0.2 world_wait 15 firewalld_runs "$1" || { cat "$world_dir/$1/firewalld.log"; return 1; }
}
firewalld_runs() { [ "$(site_run "$1" firewall-cmd --state 2>/dev/null)" = running ]; }

# Counters count on.
rules_of() {
	site_run "$1" nft -j list ruleset | python3 -c 'import json, sys
def still(thing):
    if isinstance(thing, dict):
        if "counter" in thing and isinstance(thing["counter"], dict): thing = {**thing, "counter": 0}
        return {k: still(v) for k, v in thing.items()}
    return [still(v) for v in thing] if isinstance(thing, list) else thing
for item in json.load(sys.stdin)["nftables"]:
    (kind, body), = item.items()
    if kind != "metainfo" and "collective" not in (body.get("table"), body.get("name") if kind == "table" else None): print(json.dumps(still(item), sort_keys=True))'
}

same_rules() { rules_of "$1" | diff "$2" -; }

is_let_in() { world_wait 30 knows_without_words "$1" "'home' in s" && world_wait 10 reaches "$1" 10.100.0.1; }
