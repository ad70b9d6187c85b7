#!/bin/bash
# kernel.sh - the tests in tests/kernel, in a virtual machine with the kernel's own WireGuard.
# Status 77: it cannot be tried here; the last line says why.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh

# The lane itself: scripts that end badly, each in its own way.
declare -A ends=(
	[1-fails]='echo "ok 1 - a"; echo 1..1; exit 3'
	[2-stops-early]='echo "ok 1 - a"; echo 1..2'
	[3-plans-nothing]='echo "ok 1 - a"'
	[4-is-skipped]='echo "no reason"; exit 77'
	[5-halts]='printf "ok 1 - a\nok 2"; echo b >/proc/sysrq-trigger; sleep 60'
	[6-is-never-run]='echo 1..0'
)

bad_ends_are_noticed() {
	[ "$status" -eq 1 ] || { echo "status $status"; return 1; }
	grep -E '^not ok|# SKIP' "$work/tap" | diff - <(
		cat <<'TAP'
not ok - 1-fails: status 3
not ok - 2-stops-early: planned 2, ran 1
not ok - 3-plans-nothing: planned nothing, ran 1
ok - 4-is-skipped # SKIP no reason
not ok - 5-halts: no verdict; the machine stopped
not ok - 6-is-never-run: no verdict; the machine stopped
TAP
	)
}

# In build/, since of /tmp the machine sees the project only.
mkdir -p "$BUILD/kernel"
work=$(mktemp -d "$BUILD/kernel/ends.XXXXXX")
trap 'rm -rf "$work"' EXIT
for name in "${!ends[@]}"; do
	printf '#!/bin/bash\n%s\n' "${ends[$name]}" >"$work/$name"
	chmod 755 "$work/$name"
done
status=0
tests/kernel/boot.sh --timeout 60 "$work"/[1-6]-* >"$work/tap" 2>&1 || status=$?
if [ "$status" -eq 77 ]; then
	tail -n 1 "$work/tap"
	exit 77
fi
check "scripts that end badly are noticed" bad_ends_are_noticed
finish

tests/kernel/boot.sh tests/kernel/test_*.sh && [ "$tap_failed" -eq 0 ]
