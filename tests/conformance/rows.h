/* SPDX-License-Identifier: MIT */
/*
 * rows.h - the table of what the simulator, wireguard-go and the kernel's WireGuard have to agree
 * on: rows.txt, read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ROWS_MAX 128
#define ROWS_WORD 32
#define ROWS_STEPS_MAX 8
#define ROWS_SIDES 2
#define ROWS_HEARD INT64_MAX

enum rows_kind {
	ROWS_MEET,   /* a handshake between two ends, each behind a router */
	ROWS_COUNT,  /* initiations while something is repeated; nobody answers */
	ROWS_PORT,   /* whose packets come first, at one router */
	ROWS_SWITCH, /* packets while a site changes the way they take */
};

enum rows_act {
	ROWS_BEGIN, /* sets endpoint and keepalive in one message */
	ROWS_KNOW,  /* adds the other end as a peer without endpoint */
	ROWS_OPEN,  /* sends a packet that dies on the way, from WireGuard's port */
	ROWS_REST,  /* makes the peer anew, without endpoint */
	/* What ROWS_COUNT repeats: */
	ROWS_MOVE,    /* another endpoint */
	ROWS_RESTART, /* endpoint, and a keepalive that begins anew */
	ROWS_RENEW,   /* the peer made anew, with endpoint and keepalive */
	/* What ROWS_SWITCH does: */
	ROWS_DIRECT, /* packets go to the other end itself */
	ROWS_BACK,   /* by the hub again */
	ROWS_ACTS,
};

struct rows_step {
	unsigned side;
	enum rows_act act;
	int64_t at_ms; /* ROWS_HEARD: as soon as a packet of the other side came to this one's
			  device */
};

struct rows_entry {
	char name[ROWS_WORD];
	char outcome[ROWS_WORD];
	char lanes[ROWS_WORD]; /* of CI: "lab", "kernel", "both", "none" */
	enum rows_kind kind;
	/* MEET: before each side; PORT: before the first. In the words of pairs.txt. */
	char types[ROWS_SIDES][ROWS_WORD];
	int64_t delay_ms; /* MEET: one way */
	int64_t for_ms;   /* MEET: how long a session is waited for */
	uint32_t step_count;
	struct rows_step steps[ROWS_STEPS_MAX];
	enum rows_act repeated; /* COUNT */
	int64_t every_ms;
	uint32_t times;
	bool peer_first;     /* PORT */
	bool two_interfaces; /* SWITCH */
	bool both_addressed; /* the second interface has the overlay address, too */
	unsigned rp_filter;
};

/* Reads the table. What is wrong with it is told on standard error; then the process ends. */
uint32_t rows_read(const char *path, struct rows_entry rows[static ROWS_MAX]);

/* Whether the simulator can be set so: it has no other rp_filter than the product's. */
bool rows_has_model(const struct rows_entry *row);
