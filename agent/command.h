/* SPDX-License-Identifier: MIT */
/*
 * command.h - the table of commands and the table of options.
 *
 * Help comes from these tables; a test holds the manual page and the completions against them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of the program. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_WRONG_USE = 2 };

enum option_id {
	OPTION_CONFIG,
	OPTION_STATE,
	OPTION_RUN,
	OPTION_JSON,
	OPTION_PASSPHRASE_FILE,
	OPTION_NAME,
	OPTION_ENDPOINT,
	OPTION_SUPERNET,
	OPTION_SUBNET,
	OPTION_TAG,
	OPTION_ROUTE,
	OPTION_EXPIRES,
	OPTION_APPROVE,
	OPTION_WATCH,
	OPTION_NO_START,
	OPTION_QR,
	OPTION_FORCE,
	OPTION_FOR,
	OPTION_HELP,
	OPTION_VERSION,
	OPTIONS,
};

struct option_row {
	const char *name;
	char letter;             /* 0: none */
	bool everywhere;         /* taken with every command */
	const char *argument;    /* NULL: takes none */
	const char *environment; /* NULL: none */
	const char *fallback;    /* NULL: none */
	const char *help;
};

#define OPTION_REPEATS_MAX 16

/* An option that was given several times. */
struct option_list {
	uint32_t count;
	const char *items[OPTION_REPEATS_MAX];
};

/* What was asked for. */
struct invocation {
	const char
		*values[OPTIONS]; /* NULL: not given and no fallback; "" for one without argument */
	bool given[OPTIONS];      /* on the command line */
	struct option_list lists[OPTIONS];
	size_t count;
	char **words;            /* arguments of the command */
	int64_t clock_offset_ms; /* of wall time; 0 but in tests */
};

struct command {
	const char *name;      /* one or two words */
	const char *arguments; /* as in the usage line; "" for none */
	const char *summary;   /* one line */
	const char *help;      /* more lines, or "" */
	size_t least;
	size_t most;
	unsigned options; /* bits of those it takes beside the ones taken everywhere */
	int (*run)(const struct invocation *invocation);
};

extern const struct option_row option_rows[OPTIONS];
extern const struct command commands[];
extern const size_t command_count;

/*
 * Runs the program: finds the command, checks the words, runs it. Returns the exit status. The
 * clock is off by so much where a test wants it so.
 */
int command_main(int argc, char **argv, int64_t clock_offset_ms);

/* The commands, each in the file of its subject. */
int command_admin_add(const struct invocation *invocation);
int command_root_export(const struct invocation *invocation);
int command_root_import(const struct invocation *invocation);
int command_root_remove(const struct invocation *invocation);
int command_netcheck(const struct invocation *invocation);
int command_admin_offer(const struct invocation *invocation);
int command_admin_remove(const struct invocation *invocation);
int command_agent(const struct invocation *invocation);
int command_approve(const struct invocation *invocation);
int command_backup(const struct invocation *invocation);
int command_config_check(const struct invocation *invocation);
int command_config_example(const struct invocation *invocation);
int command_config_keys(const struct invocation *invocation);
int command_doctor(const struct invocation *invocation);
int command_down(const struct invocation *invocation);
int command_endpoint_add(const struct invocation *invocation);
int command_endpoint_remove(const struct invocation *invocation);
int command_route_add(const struct invocation *invocation);
int command_route_remove(const struct invocation *invocation);
int command_events(const struct invocation *invocation);
int command_expel(const struct invocation *invocation);
int command_help(const struct invocation *invocation);
int command_init(const struct invocation *invocation);
int command_invite(const struct invocation *invocation);
int command_invites(const struct invocation *invocation);
int command_join(const struct invocation *invocation);
int command_link(const struct invocation *invocation);
int command_unlink(const struct invocation *invocation);
int command_why(const struct invocation *invocation);
int command_leave(const struct invocation *invocation);
int command_ping(const struct invocation *invocation);
int command_restore(const struct invocation *invocation);
int command_rotate(const struct invocation *invocation);
int command_status(const struct invocation *invocation);
int command_uninvite(const struct invocation *invocation);
int command_up(const struct invocation *invocation);
int command_version(const struct invocation *invocation);

/* Says on standard error what went wrong, behind the program's name. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
