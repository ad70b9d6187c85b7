#!/bin/bash
# policy.sh - whether there is a link is for both owners to say, and is remembered.
#
#   hub         directly on inet
#   ann, cam    at home; agree to links, and want one where it is asked for
#   bob         at home; agrees to none; later to one, named, while there is traffic
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/people.sh
. tests/lab/people.sh
# shellcheck source=tests/lab/links.sh
. tests/lab/links.sh

homes=(ann bob cam)

begins() { links_begin "${homes[@]}" && world_wait 10 reaches ann "$(inside bob)" && are_by_hub "${homes[@]}"; }
nobody_asks() {
	reason ann cam not_asked && reason cam ann not_asked && reason bob ann no_policy &&
		gives 0 'links.when is "asked", and nobody asked for a link with cam' -- ann why cam &&
		gives 0 "links.with in this site's configuration names neither ann" -- bob why ann
}
declined() {
	at ann link bob && world_wait 5 reason ann bob refused && gives 0 'bob declined the offer of a direct link' -- ann why bob &&
		gives 0 'ann says: Everything goes by the hub: bob declined the offer of a direct link' -- hub why ann bob && are_by_hub ann bob
}

# The clock is set forward while the agent does not run: of a minute, a quarter is left.
asked_for_a_while() { at ann link cam --for 1m && direct ann cam; }
is_remembered() {
	ends ann TERM && COLLECTIVE_CLOCK_OFFSET_MS=45000 collective=$BUILD/gcc/tests/collective-lab at ann up >/dev/null &&
		world_wait 5 knows_without_words ann "s['cam']['path'] == 'direct'" && flows ann cam 100
}
ends_by_itself() {
	within=20 by_hub ann cam && world_wait 5 reason ann cam not_asked && world_wait 5 reason cam ann not_asked &&
		loses 'a link that ends when its time is over' 0 ann cam
}

asked_by_the_one() { at bob link ann && direct ann bob; }
taken_back() { at bob unlink ann && by_hub ann bob && gives 0 'the owner of this site said "unlink" for ann' -- bob why ann; }
stays_so() {
	ends bob TERM && at bob up >/dev/null && world_wait 5 reason bob ann unlinked && at ann link bob &&
		world_wait 5 reason ann bob refused && reason bob ann unlinked && are_by_hub ann bob
}

# has_another_policy SITE OTHER WHEN REASON - nobody pings: that would be traffic.
has_another_policy() {
	configure "$1" "with: [$2]" "when: $3" && ends "$1" TERM && at "$1" up >/dev/null && world_wait 10 reason "$1" "$2" "$4"
}
names_one() {
	has_another_policy bob cam traffic no_traffic && has_another_policy cam bob asked not_asked && sleep 1 && reason bob cam no_traffic &&
		gives 0 'links.when is "traffic", and none flows between this site and cam' -- bob why cam &&
		gives 0 "links.with in this site's configuration names neither ann" -- cam why ann && are_by_hub bob cam
}
# The first packets go by the hub, and nobody waits for the link.
calls_for_it() { flows bob cam 100 && direct bob cam && sleep 1 && loses 'where traffic calls for a link' 0 bob cam && are_by_hub ann bob; }

world_begin
work=$world_dir/work
mkdir "$work"
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
world_home cam 203.0.113.4 192.168.9.0/24 home
settle hub "${homes[@]}"
configure ann 'when: asked'
configure cam 'when: asked'
configure bob 'with: []'
check "three homes come in" begins
check "where nobody asks there is no link, and both say why" nobody_asks
check "one who agrees to none declines" declined
check "asked for a minute, there is a link" asked_for_a_while
check "the agent that comes next knows of it" is_remembered
check "and it ends by itself, without loss" ends_by_itself
check "who agrees to none may ask all the same" asked_by_the_one
check "and take it back" taken_back
check "for good: the next agent makes none, whoever asks" stays_so
check "by name and for traffic: without any there is none, and why says so" names_one
check "with the first packets there is one, and nothing is lost" calls_for_it
shows
finish
