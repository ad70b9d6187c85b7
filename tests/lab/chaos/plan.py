#!/usr/bin/env python3
"""What happens to a small world, and when, drawn from a seed.

    plan.py SEED SECONDS LANE PATIENCE

The same words give the same plan. It begins with the sites, one a line:

    site NAME TYPE NUMBER       TYPE is one of pairs.txt
    guest NAME TYPE NUMBER      comes in during the run

and goes on with the faults by their time, one a line:

    fault AT FOR WHAT WHERE [HOW]

AT and FOR are milliseconds; what is over at once has FOR 0. LANE is "lab" or "kernel": only the latter has lines
that can be slow, and as that may run in an emulated machine, fewer sites. Without PATIENCE,
of so many seconds, there is no router that accepts what comes to itself, and none that counts its ports: after faults
both may have to be left alone until they have forgotten, the one what came too early, the other its flows to the hub,
which do not show how far it has counted since.

    kill SITE           its agent, by SIGKILL; begins again when it is over
    term SITE           its agent, by SIGTERM; the same
    stop SITE           its agent stands still
    sleep SITE          whatever is its own stands still
    clock SITE MS       its agent begins anew with a clock that is so far off; and anew when it is over
    tunnel SITE         its WireGuard is gone
    full SITE           its disk is full
    loss SITE PERCENT   on its line, both ways
    slow SITE MS        on its line, each way
    part SITE OTHER     nothing passes between the two but by the hub
    reboot SITE         its router forgets everything
    move SITE ADDRESS   its router, or itself, has another address towards the internet
    expel SITE          by the hub's owner
    invite SITE         the same

A site has at most one fault of a kind at a time: of its agent, its disk, its line.
"""
import sys

MASK = (1 << 64) - 1
TYPES = ["public", "home", "home-accept", "full-cone", "address-restricted", "symmetric", "sequential", "cgnat"]
HARD = ["home-accept", "sequential"]
NAMES = ["ann", "bob", "cam", "dan", "eve"]
GUEST = "fay"

EVERY_MS = {"lab": 1100, "kernel": 2000}  # on average one fault begins in so long
SITES = {"lab": 5, "kernel": 3}
REST_MS = 700  # from the end of one to the beginning of the next of its kind at a site

# What it does to, how long at least, how long at most, how often as against others.
FAULTS = {
    "kill": ("agent", 0, 5000, 3),
    "term": ("agent", 0, 3000, 2),
    "stop": ("agent", 500, 7000, 2),
    "sleep": ("agent", 500, 7000, 2),
    "clock": ("agent", 1000, 8000, 2),
    "tunnel": ("agent", 0, 0, 2),
    "full": ("disk", 1000, 8000, 1),
    "loss": ("line", 1000, 8000, 3),
    "slow": ("line", 1000, 8000, 3),
    "part": ("pair", 1000, 8000, 3),
    "reboot": ("line", 0, 0, 2),
    "move": ("line", 0, 0, 2),
}


class Chance:
    """SplitMix64: the same on every machine, whatever becomes of Python's own."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, end):
        return self.next() % end

    def between(self, least, most):
        return least + self.below(most - least + 1)

    def of(self, things):
        return things[self.below(len(things))]

    def shuffled(self, things):
        things = list(things)
        for i in range(len(things) - 1, 0, -1):
            k = self.below(i + 1)
            things[i], things[k] = things[k], things[i]
        return things


class Plan:
    def __init__(self, seed, seconds, lane, patience):
        self.chance = Chance(seed)
        self.end = seconds * 1000
        self.lane = lane
        self.names = NAMES[: SITES[lane]]
        self.busy = {}  # (kind, site): until when
        self.moved = 0
        self.faults = []
        # All types have their turn; two sites may have the same.
        types = self.chance.shuffled(TYPES if patience else [each for each in TYPES if each not in HARD])
        self.types = {name: types[i] for i, name in enumerate(self.names + [GUEST])}
        self.out_at = {}

    def is_free(self, kind, site, at, until):
        return self.busy.get((kind, site), -REST_MS) + REST_MS <= at and until <= self.out_at.get(site, self.end)

    def take(self, at, what, lasts, where, *how):
        self.faults.append((at, lasts, what, where, *(str(word) for word in how)))

    def place(self, what, at):
        """Returns whether there was somebody to whom it could happen."""
        kind, least, most, _ = FAULTS[what]
        lasts = min(self.chance.between(least, most), self.end - at)
        sites = ["hub"] + self.names
        if lasts < least:
            return False
        if what == "reboot":
            sites = [name for name in self.names if self.types[name] != "public"]
        if what == "move":
            sites = self.names
        if kind == "pair":
            site, other = self.chance.shuffled(self.names)[:2]
            if site > other:
                site, other = other, site
            if not all(self.is_free("pair", name, at, at + lasts) for name in (f"{site} {other}", site, other)):
                return False
            self.busy["pair", f"{site} {other}"] = at + lasts
            self.take(at, what, lasts, site, other)
            return True
        sites = [name for name in sites if self.is_free(kind, name, at, at + lasts)]
        if not sites:
            return False
        site = self.chance.of(sites)
        self.busy[kind, site] = at + lasts
        how = []
        if what == "loss":
            how = [self.chance.of([5, 15, 30, 99])]
        elif what == "slow":
            how = [self.chance.of([20, 60, 150])]
        elif what == "clock":
            # A hub goes by its own clock, and so does everybody else.
            how = [self.chance.between(-120, 120) * 1000 if site == "hub" else self.chance.of([-1, 1]) * self.chance.between(60, 864000) * 1000]
        elif what == "move":
            self.moved += 1
            if self.types[site] == "cgnat":
                how = [f"100.64.1.{100 + self.moved % 100}"]
            else:
                how = [f"203.0.113.{100 + self.moved % 100}"]
        self.take(at, what, lasts, site, *how)
        return True

    def draw(self):
        chance = self.chance
        kinds = [what for what in FAULTS if what != "slow" or self.lane == "kernel"]
        weighted = [what for what in kinds for _ in range(FAULTS[what][3])]
        # The owner's deeds, in either order.
        gone = chance.of(self.names)
        self.out_at[gone] = chance.between(self.end * 3 // 10, self.end * 6 // 10)
        self.take(self.out_at[gone], "expel", 0, gone)
        self.take(chance.between(self.end * 3 // 10, self.end * 6 // 10), "invite", 0, GUEST)
        # Each kind once, and whatever comes then.
        count = self.end // EVERY_MS[self.lane]
        wanted = chance.shuffled(kinds)
        wanted = (wanted + [chance.of(weighted) for _ in range(max(0, count - len(wanted)))])[:count]
        for i, what in enumerate(wanted):
            at = (i * self.end + chance.below(self.end)) // (count + 1)
            # Somebody else, and then something else, where there is nobody.
            for attempt in range(40):
                if self.place(what, at):
                    break
                if attempt >= 20:
                    what = chance.of(weighted)
        self.faults.sort(key=lambda fault: fault[0])

    def show(self):
        for number, name in enumerate(self.names + [GUEST]):
            print("guest" if name == GUEST else "site", name, self.types[name], number + 2)
        for at, lasts, *words in self.faults:
            print("fault", at, lasts, *words)


def main():
    seed, seconds, lane, patience = sys.argv[1:]
    plan = Plan(int(seed, 0), int(seconds), lane, int(patience))
    plan.draw()
    plan.show()


if __name__ == "__main__":
    main()
