/* SPDX-License-Identifier: MIT */
/*
 * arguments.h - what stands on a command line, as values. Each returns 0 or -EINVAL, which was
 * said.
 */
#pragma once

#include "agent/command.h"
#include "site/site.h"

/* HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT, into a command. */
int argument_endpoints(const struct option_list *words, struct site_command *command);
int argument_network(const char *word, struct prefix *ret);
int argument_networks(const struct option_list *words, struct prefixes *ret);
int argument_name(const char *word, char ret[static TEXT_NAME_MAX + 1]);
int argument_tags(const struct option_list *words, struct names *ret);

/* 30m, 24h, 7d. */
int argument_lifetime(const char *word, uint64_t *ret_ms);
