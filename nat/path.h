/* SPDX-License-Identifier: MIT */
/*
 * path.h - the life of one direct path beside the path by the hub: when probes go through the
 * tunnel on either of them, what their answers say, and which of the two carries the traffic.
 *
 * The first answer on the direct path brings the traffic there, and so does the first packet of an
 * end that was called: it is sealed by a session, which our own response has brought about. Four
 * misses in a row take it away at once; to come back takes five answers in a row, and a round trip
 * that is no longer than by the hub. Where it was left because it was the longer one, it has to be
 * shorter by 2 ms. While much flows by the direct path, it is not left for being the longer one:
 * the queue that makes it so is this traffic's own, and would go along with it. A link that nobody
 * uses is not probed at all: seven of them would cost a site more than an idle site may send. The
 * hub's path is measured only while traffic flows, at a twelfth of the direct one's rate: what it
 * is compared for changes slowly. Both are, whether traffic flows or not, from when a dead path
 * answers again until it is known which is better.
 *
 * Events change what is known; path_step() then does what is due. After each event the wake-up is
 * to be asked again, as it may be now.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"
#include "nat/rarely.h"

#define PATH_PROBE_BUSY (250 * USEC_MSEC)  /* while traffic flows, and while answers are missed */
#define PATH_PROBE_IDLE (3 * USEC_SECOND)  /* also the hub's path, while traffic flows */
#define PATH_PROBE_BURST (100 * USEC_MSEC) /* never are two on one path closer than this */
#define PATH_BURST 5
#define PATH_BURST_REST (2 * USEC_SECOND) /* from one burst to the next */

/* After the last traffic: how long it is said to flow, and how long there are probes at all. */
#define PATH_BUSY_FOR (2 * USEC_SECOND)
#define PATH_PROBES_FOR (45 * USEC_SECOND)

#define PATH_MISSES 4        /* in a row, and the path is dead */
#define PATH_CLEAN_ANSWERS 5 /* in a row, before a path is believed to be good */
#define PATH_BETTER_BY (2 * USEC_MSEC)
#define PATH_WORSE_FOR (10 * USEC_SECOND) /* before traffic leaves a path that works */

/* So many bytes between two looks are much, and its queue is felt so long after it. */
#define PATH_MUCH (UINT64_C(64) * 1024)
#define PATH_MUCH_FOR (5 * USEC_SECOND)

#define PATH_ANSWER_MAX (4 * USEC_SECOND) /* a later answer says nothing */
#define PATH_FIRST_MAX (5 * USEC_SECOND)  /* without any answer */
#define PATH_DEAD_MAX (30 * USEC_SECOND)  /* without an answer on a path that is dead */
#define PATH_AWAY_MAX (10 * USEC_MINUTE)  /* as long as what failed rests at most */
#define PATH_PAUSE (1 * USEC_SECOND)      /* so late, and this process did not run */
#define PATH_PAUSE_REST (10 * USEC_SECOND)

#define PATH_PENDING 16 /* probes that can be on their way */
#define PATH_WINDOW 64  /* probes of which loss is counted */

enum path_way { PATH_HUB, PATH_DIRECT };

/* The probes of one way. Bit 0 stands for the newest; neither answered nor missed: still open. */
struct path_probes {
	uint64_t number;              /* of the next */
	usec_t sent_at[PATH_PENDING]; /* by number; -1: it was judged */
	usec_t last_at;               /* of the newest; -1: none yet */
	usec_t answered_at;           /* the newest answer; -1: none yet */
	uint64_t answered;
	uint64_t missed;
	int64_t rtt_us; /* smoothed; -1: not known */
	int64_t jitter_us;
};

struct path {
	usec_t now; /* of the newest event */
	usec_t began_at;
	enum path_way way; /* that traffic takes */
	bool heard;        /* the other end's packets came by the direct one, through the tunnel */
	bool verified;     /* it was taken: packets pass there, and back */
	bool over;         /* the link has ended; nothing happens any more */
	struct path_probes probes[2];
	usec_t traffic_at; /* the last; -1: none yet */
	usec_t much_at;    /* much went by the direct way; -1: never yet */
	usec_t away_at;    /* when it left the direct way last */
	bool left;         /* traffic left the direct way because it was the slower one */
	usec_t dead_at;    /* USEC_NEVER while the direct path is not dead */
	usec_t alive_at; /* since when one that died answers again; -1: traffic took it, or none did
			  */
	usec_t worse_at; /* since when the direct path is the slower one; USEC_NEVER: it is not */
	usec_t burst_at; /* the last burst; -1: none yet */
	usec_t pause_at; /* the last pause; -1: none yet */
	uint32_t burst;  /* probes left of it */
	struct rarely switches; /* those that nobody needed */
};

enum path_action_kind {
	PATH_SEND = 1, /* a probe of this number by this way */
	PATH_SWITCH,   /* traffic takes this way from now on */
	PATH_TELL,     /* the direct path died: the peer is to hear of it by the hub */
	PATH_OVER,     /* no life for too long: the link ends */
};

struct path_action {
	enum path_action_kind kind;
	enum path_way way;
	uint64_t number; /* of PATH_SEND */
};

#define PATH_ACTIONS_MAX 4 /* SWITCH, TELL, and a probe each way */

struct path_actions {
	uint32_t count;
	struct path_action items[PATH_ACTIONS_MAX];
};

/* What was measured of one way; of the last 64 probes. */
struct path_measure {
	int64_t rtt_us; /* -1: not known */
	int64_t jitter_us;
	uint32_t judged; /* answered or lost */
	uint32_t lost;
};

/* A direct path whose session has come up; traffic still goes by the hub. Numbers go up from first.
 */
void path_init(struct path *path, usec_t now, uint64_t first);

/*
 * Packets of the two sites' went over either way, beside our own probes and messages: by the direct
 * one so many bytes since the last look, there and back.
 */
void path_traffic(struct path *path, usec_t now, uint64_t bytes);

/* The other end called, and a packet of its came by the direct path: our response has got there. */
void path_heard(struct path *path, usec_t now);

/* A probe came back by the way it went. What was not asked, or is too old, is passed over. */
void path_answered(struct path *path, usec_t now, enum path_way way, uint64_t number);

/* The peer says that it left, or keepalives fail to come: a reason to look, and no more than that.
 */
void path_doubted(struct path *path, usec_t now);

/* The machine slept, or its network changed: what was on its way then says nothing. */
void path_resumed(struct path *path, usec_t now);

/* Does what is due; out is written anew. */
void path_step(struct path *path, usec_t now, struct path_actions *out);

/* When to step next: the past or present after an event that asks for it, else later. */
usec_t path_wakeup(const struct path *path);

/* How often to look for traffic: more often while the path is probed. */
usec_t path_poll_after(const struct path *path);

/*
 * Until when traffic is kept on the hub's way although the direct one is good again, since it went
 * back and forth too often; 0: it is not, or for another reason.
 */
usec_t path_held_until(const struct path *path);

struct path_measure path_measured(const struct path *path, enum path_way way);
