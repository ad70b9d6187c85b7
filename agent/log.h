/* SPDX-License-Identifier: MIT */
/*
 * log.h - what the agent says while it runs: lines on standard error, each once and not too often.
 *
 * Every class of lines has a bucket of its own: a fault that repeats fills that one, and no other
 * is lost. What was left out is counted in the next line of its class.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"
#include "config/config.h"

enum log_class {
	LOG_LIFE,    /* of the agent */
	LOG_SITE,    /* what the brain says */
	LOG_TROUBLE, /* something asked of the machine was refused */
	LOG_REPAIR,  /* another program changed what is ours */
	LOG_NAMES,
	LOG_CLASSES,
};

struct log_bucket {
	uint32_t tokens;
	uint32_t left_out;
	usec_t filled_at;
};

struct log {
	enum config_level level;
	bool prefixed; /* with the level, as the journal reads it */
	usec_t now;    /* to be kept by whoever runs the loop */
	struct log_bucket buckets[LOG_CLASSES];
};

/* Prepares a log; the journal is recognised by its environment. */
void log_init(struct log *log, enum config_level level);

void log_write(struct log *log, enum log_class class, enum config_level level, const char *format,
	...) __attribute__((format(printf, 4, 5)));
