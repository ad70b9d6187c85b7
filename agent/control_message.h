/* SPDX-License-Identifier: MIT */
/*
 * control_message.h - what is said over the control socket: one request, then answers until the
 * last.
 *
 * Each is a length of four bytes, the least first, and so many bytes in wire form. Both ends are
 * one program, mostly of one version; what a newer one adds is passed over. Nothing here is
 * trusted: the agent reads it from whoever may open the socket.
 */
#pragma once

#include "base/text.h"
#include "gossip/field.h"
#include "site/site.h"

#define CONTROL_COUNTER_REPAIRS "repaired on this machine"
#define CONTROL_VERSION 1
#define CONTROL_HEAD 4
#define CONTROL_SIZE_MAX 4096
#define CONTROL_TEXT_MAX 1024
#define CONTROL_WORD_SIZE 24

/* What can be asked for beside the commands of the brain. */
enum control_kind {
	CONTROL_COMMAND, /* one of those */
	CONTROL_STATUS,
	CONTROL_INVITES,
	CONTROL_EVENTS,
	CONTROL_KINDS,
};

/* How a list in a command, of endpoints or routes, stands to the one that is there. */
enum control_mode { CONTROL_REPLACE, CONTROL_ADD, CONTROL_REMOVE, CONTROL_MODES };

struct control_request {
	uint32_t version; /* CONTROL_VERSION */
	enum control_mode mode;
	enum control_kind kind;
	struct site_command command;
	char text[CONTROL_TEXT_MAX]; /* that the command's points to */
};

enum control_answer_kind {
	CONTROL_NOTHING,
	CONTROL_PROGRESS, /* more comes */
	CONTROL_DONE,
	CONTROL_FAILED,
	CONTROL_SELF, /* of a status: this site, and the collective; count: UDP port of the backbone
		       */
	CONTROL_SITE, /* of a status: a member */
	CONTROL_LIMIT,   /* of a status: name, used, most, refused */
	CONTROL_COUNTER, /* of a status: name, value */
	CONTROL_TROUBLE, /* of a status: a sentence about what is wrong */
	CONTROL_INVITE,  /* of a list of invites */
	CONTROL_EVENT,   /* of the history */
	CONTROL_PLACE,   /* of a netcheck: a place where this site may be met */
	CONTROL_FACT,    /* of a netcheck: what the text names is the note */
};

#define CONTROL_ANSWER_LAST CONTROL_FACT

/* Where a member's traffic goes. */
enum control_path { CONTROL_PATH_SELF, CONTROL_PATH_HUB, CONTROL_PATH_DIRECT, CONTROL_PATH_DOWN };

/* Of a member: the direct link, and both ways as they were measured. */
struct control_link {
	char state[CONTROL_WORD_SIZE];
	char reason[CONTROL_WORD_SIZE];
	int64_t since_ms; /* -1: for ever */
	int64_t next_ms;  /* to the next attempt; -1: none is planned */
	int64_t hub_rtt_us;
	int64_t hub_jitter_us;
	int64_t direct_rtt_us;
	int64_t direct_jitter_us;
	uint32_t hub_judged;
	uint32_t hub_lost;
	uint32_t direct_judged;
	uint32_t direct_lost;
	uint64_t switches;
	uint64_t attempts;
};

/* One answer. Which fields mean something depends on its kind. */
struct control_answer {
	enum control_answer_kind kind;
	char name[TEXT_NAME_MAX + 1];
	char text[CONTROL_TEXT_MAX]; /* what went wrong; an invite; a trouble; a state */
	char note[SITE_NOTE_SIZE];
	struct prefix prefix;
	struct address address;
	struct prefixes subnets;
	struct names tags;
	struct hash id;
	struct endpoint endpoint; /* family ADDRESS_NONE: not known */
	enum control_path path;
	bool hubs_word; /* what is said of a member's presence was heard from the hub */
	uint32_t roles;
	uint64_t count;
	uint64_t of;
	uint64_t refused;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	int64_t age_ms; /* since it was heard last; -1: never */
	int64_t rtt_us; /* -1: not measured */
	struct control_link link;
	uint64_t wall; /* ms, of an event or an end */
};

/* Writes a request with its head. Returns its size. */
size_t control_request_write(
	const struct control_request *request, uint8_t out[static CONTROL_SIZE_MAX]);

/* Reads one, behind its head. Returns 0 or -EBADMSG. */
int control_request_read(struct control_request *ret, const void *bytes, size_t size);

size_t control_answer_write(
	const struct control_answer *answer, uint8_t out[static CONTROL_SIZE_MAX]);
int control_answer_read(struct control_answer *ret, const void *bytes, size_t size);

/* The size that a head announces; 0 where it is more than can be. */
size_t control_size(const uint8_t head[static CONTROL_HEAD]);

/* Whether somebody of the group, who may look only, may ask this. */
bool control_is_looking(const struct control_request *request);
