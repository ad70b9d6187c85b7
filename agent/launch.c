/* SPDX-License-Identifier: MIT */
#include "agent/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"

#define PATIENCE (10 * USEC_SECOND)
#define LINE_SIZE 512
#define UNIT "collective.service"
#define LOG_NAME "agent.log"

extern char **environ;

static const char *const unit_places[] = {
	"/etc/systemd/system/" UNIT,
	"/usr/local/lib/systemd/system/" UNIT,
	"/usr/lib/systemd/system/" UNIT,
	"/lib/systemd/system/" UNIT,
};

/* Whether the unit's agent is the one that is meant: it knows its own directories only. */
static bool has_unit(const struct invocation *invocation)
{
	static const enum option_id own[] = {OPTION_CONFIG, OPTION_STATE, OPTION_RUN};
	bool there = false;

	if (access("/run/systemd/system", F_OK) < 0)
		return false;
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		if (strcmp(invocation->values[own[i]], option_rows[own[i]].fallback) != 0)
			return false;
	}
	for (size_t i = 0; i < sizeof unit_places / sizeof unit_places[0]; i++)
		there = there || access(unit_places[i], F_OK) == 0;
	return there;
}

static int systemctl(const char *verb)
{
	const char *const words[] = {"systemctl", "--quiet", verb, UNIT, NULL};
	pid_t child;
	int status;
	int r = posix_spawnp(
		&child, words[0], NULL, NULL, (char *const *)(uintptr_t)words, environ);

	if (r == 0 && (waitpid(child, &status, 0) != child || status != 0))
		r = EIO;
	return -r;
}

static int start_unit(void)
{
	int r = systemctl("start");

	if (r < 0)
		say("the service could not be started: \"systemctl status %s\" says why", UNIT);
	return r;
}

/* In a session of its own: what ends this command, or its terminal, does not end the agent. */
static int start_in_background(
	const struct invocation *invocation, const char *log, pid_t *ret_child)
{
	/* A configuration that nobody named need not be there. */
	bool named = access(invocation->values[OPTION_CONFIG], F_OK) == 0 ||
		     invocation->given[OPTION_CONFIG];
	const char *const words[] = {"collective", "agent", "--state",
		invocation->values[OPTION_STATE], "--run", invocation->values[OPTION_RUN],
		named ? "--config" : NULL, invocation->values[OPTION_CONFIG], NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	int r;

	if (length < 0) {
		say("the agent could not be started: %s", strerror(errno));
		return -EIO;
	}
	/* By its own name, which is what a list of processes shows. */
	program[length] = '\0';
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(
		&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0640);
	/* Whoever waits for the end of a pipe, or for a lock, does not wait for the agent's. */
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	r = posix_spawn(ret_child, program, &actions, &attributes, (char *const *)(uintptr_t)words,
		environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		say("the agent could not be started: %s", strerror(r));
	return -r;
}

/* The last thing that it said before it ended. */
static void say_last_line(const char *log, long from)
{
	char line[LINE_SIZE];
	char last[LINE_SIZE] = "";
	FILE *file = fopen(log, "re");

	if (file && fseek(file, from, SEEK_SET) == 0) {
		while (fgets(line, sizeof line, file))
			memcpy(last, line, sizeof last);
	}
	if (file)
		(void)fclose(file);
	last[strcspn(last, "\n")] = '\0';
	say("the agent did not start: %s", strncmp(last, "collective: ", 12) == 0 ? last + 12
					   : last[0]                              ? last
						     : "it said nothing");
}

static int wait_for(const struct invocation *invocation, pid_t child, const char *log, long from,
	struct client *ret)
{
	const struct timespec moment = {.tv_nsec = 5000000};
	usec_t until = clock_now() + PATIENCE;

	while (clock_now() < until) {
		int r = client_open(ret, invocation->values[OPTION_RUN]);

		if (r != -ENOENT)
			return r;
		if (child > 0 && waitpid(child, NULL, WNOHANG) == child) {
			say_last_line(log, from);
			return -EIO;
		}
		(void)nanosleep(&moment, NULL);
	}
	say("the agent was started and does not answer; its log: %s",
		child > 0 ? log : "journalctl -u " UNIT);
	return -ETIMEDOUT;
}

static int start_agent(const struct invocation *invocation, struct client *ret)
{
	const char *directory = invocation->values[OPTION_RUN];
	char log[LINE_SIZE];
	struct stat status;
	pid_t child;
	int r;

	if (has_unit(invocation)) {
		r = start_unit();
		return r < 0 ? r : wait_for(invocation, 0, "", 0, ret);
	}
	if (mkdir(directory, 0750) < 0 && errno != EEXIST) {
		r = -errno;
		say("%s cannot be made: %s%s", directory, strerror(-r),
			r == -EACCES ? "; is this to be run with sudo?" : "");
		return r;
	}
	(void)snprintf(log, sizeof log, "%s/%s", directory, LOG_NAME);
	if (stat(log, &status) < 0)
		status.st_size = 0;
	r = start_in_background(invocation, log, &child);
	return r < 0 ? r : wait_for(invocation, child, log, (long)status.st_size, ret);
}

int launch_or_reach(const struct invocation *invocation, bool start, struct client *ret)
{
	const char *directory = invocation->values[OPTION_RUN];
	int r = client_open(ret, directory);

	if (r == -EACCES)
		say("%s: only root and the group \"collective\" may ask the agent", directory);
	else if (r == -ENOENT && !start)
		say("no agent runs here (%s): \"collective up\" starts it", directory);
	else if (r < 0 && r != -ENOENT)
		say("the agent cannot be reached in %s: %s", directory, strerror(-r));
	return r == -ENOENT && start ? start_agent(invocation, ret) : r;
}

void launch_at_boot(const struct invocation *invocation, bool wanted)
{
	if (!has_unit(invocation) || systemctl(wanted ? "enable" : "disable") == 0)
		return;
	say(wanted ? "the agent will not start with this machine: \"systemctl enable %s\" says why"
		   : "the agent will start with this machine again: \"systemctl disable %s\" says "
		     "why",
		UNIT);
}
