/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tells the service manager how we are, by its own small protocol. Without one it is
 * silent.
 */
#pragma once

#include "base/usec.h"

/* Sends a line such as "READY=1" to the socket named by NOTIFY_SOCKET. */
void notify_send(const char *line);

/* How often "WATCHDOG=1" is expected at least; USEC_NEVER: not at all. */
usec_t notify_watchdog(void);
