/* SPDX-License-Identifier: MIT */
/*
 * uapi.h - the text that is spoken over the socket of a userspace WireGuard: "get=1" and "set=1",
 * lines of key=value, and an answer that ends with errno=N and a blank line.
 *
 * Text only: how it travels is told in uapi_socket.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/wireguard_internal.h"

#define UAPI_LINE_MAX 512 /* bytes of a line of an answer, its end not counted */

/* What is to be sent. It may hold keys, so what is freed or grown out of is overwritten. */
struct uapi_text {
	char *bytes;
	uint32_t length;
	uint32_t capacity;
};

void uapi_text_free(struct uapi_text *text);

/* Puts the question for the whole device in place of what was there. */
void uapi_ask(struct uapi_text *text);

/*
 * Puts a change in place of what was there, from the peer at first on; the device's own values go
 * with the first. Returns the first peer that has to wait for another request, and the number of
 * peers where none has to.
 */
uint32_t uapi_tell(struct uapi_text *text, const struct wireguard_change *change, uint32_t first);

enum uapi_stage {
	UAPI_STAGE_DEVICE, /* lines of the device */
	UAPI_STAGE_PEER,   /* lines of a peer */
	UAPI_STAGE_RESULT, /* errno=N was read */
	UAPI_STAGE_WHOLE,
	UAPI_STAGE_BROKEN
};

/* An answer as it arrives. */
struct uapi_answer {
	enum uapi_stage stage;
	int result;                  /* valid in RESULT and WHOLE: 0 or negative errno */
	struct wireguard_peer *peer; /* valid in PEER */
	uint64_t handshake_s;        /* of this peer */
	uint64_t handshake_ns;
	struct wireguard_reading reading;
	size_t length;
	char line[UAPI_LINE_MAX + 1];
};

void uapi_answer_init(struct uapi_answer *answer);

/* The next bytes, however they were cut. Returns 0 or, from then on, -EBADMSG. */
int uapi_answer_push(struct uapi_answer *answer, const char *bytes, size_t size);

bool uapi_answer_is_whole(const struct uapi_answer *answer);

/*
 * Hands over what was read, where it is wanted, and overwrites the rest. Returns 0, -EBADMSG where
 * the answer is not whole or makes no sense, or the error that it tells.
 */
int uapi_answer_end(struct uapi_answer *answer, struct wireguard_device *ret);
