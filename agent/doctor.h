/* SPDX-License-Identifier: MIT */
/*
 * doctor.h - what on this machine stands, or may come to stand, in a collective's way.
 *
 * It looks and changes nothing. Each finding comes with its remedy.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "gossip/field.h"

#define DOCTOR_FINDINGS_MAX 48
#define DOCTOR_TEXT_SIZE 448

enum doctor_weight {
	DOCTOR_WELL,    /* looked at, and as it should be */
	DOCTOR_NOTE,    /* works, but not as well as it could */
	DOCTOR_TROUBLE, /* something will not work */
};

struct doctor_finding {
	enum doctor_weight weight;
	const char *subject;           /* "wireguard", "forwarding" */
	char text[DOCTOR_TEXT_SIZE];   /* what was found */
	char remedy[DOCTOR_TEXT_SIZE]; /* what to do; "": nothing */
};

struct doctor_report {
	uint32_t count;
	struct doctor_finding items[DOCTOR_FINDINGS_MAX];
};

/* What this machine is in a collective. */
enum doctor_role {
	DOCTOR_STRANGER, /* no member, or its agent does not run: it may be a hub */
	DOCTOR_SPOKE,
	DOCTOR_HUB,
};

/* What is known of this site. */
struct doctor_patient {
	const struct config *config;
	struct prefix supernet; /* family ADDRESS_NONE: not known yet, nor is the next */
	bool agent_runs;
	enum doctor_role role;
	struct address own;        /* inside; family ADDRESS_NONE: not known */
	struct address member;     /* another one, inside; likewise */
	struct endpoint hub;       /* where it is called; likewise */
	uint16_t port;             /* UDP, of the backbone; 0: likewise */
	struct prefixes announced; /* networks of this site, as far as they are known */
	uint64_t repairs;          /* of what others took away since the agent began */
};

/* Looks at everything. */
void doctor_examine(const struct doctor_patient *patient, struct doctor_report *ret);
