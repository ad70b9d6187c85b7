/* SPDX-License-Identifier: MIT */
/*
 * sockaddr.h - endpoints as the system writes them.
 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

#include "base/endpoint.h"

/* Writes the system's form of an endpoint that has an address. Returns its length. */
socklen_t sockaddr_from(const struct endpoint *endpoint, struct sockaddr_storage *ret);

/*
 * Reads the system's form; an IPv4 address within IPv6 comes out as IPv4. Returns 0 or
 * -EAFNOSUPPORT.
 */
int sockaddr_read(const void *bytes, size_t size, struct endpoint *ret);
