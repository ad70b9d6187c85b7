/* SPDX-License-Identifier: MIT */
/*
 * uapi_socket.h - reaches the program behind a userspace WireGuard device.
 *
 * One connection per question. Nothing here waits beyond a deadline, and nothing raises SIGPIPE.
 */
#pragma once

#include <sys/types.h>

#include "agent/uapi.h"
#include "base/usec.h"

#define UAPI_DIRECTORY "/var/run/wireguard" /* compiled into wireguard-go */
#define UAPI_PATH_SIZE (sizeof UAPI_DIRECTORY + WIREGUARD_NAME_SIZE + 8)

/* The time until which WIREGUARD_PATIENCE_MS last from now. */
usec_t uapi_deadline(void);

/* Milliseconds that are left, at most so many; 0: none. */
int uapi_left_ms(usec_t deadline, int most);

void uapi_path(const char *name, char out[static UAPI_PATH_SIZE]);

/*
 * Returns a descriptor; -ENODEV nobody listens; -EPERM somebody does whom keys are not for, or who
 * is not for us; -ETIMEDOUT it has not accepted anybody for long.
 */
int uapi_connect(const char *name, usec_t deadline);

/* The process at the other end. Returns its id, or negative errno. */
pid_t uapi_other_end(int fd);

/* Sends and reads until the answer is whole. -ENODEV: it ended before. -ETIMEDOUT, -EBADMSG. */
int uapi_exchange(
	int fd, const struct uapi_text *text, struct uapi_answer *answer, usec_t deadline);
