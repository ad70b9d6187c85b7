/* SPDX-License-Identifier: MIT */
#include "agent/offline.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/brain.h"
#include "agent/clock.h"
#include "agent/keeper.h"
#include "agent/memory.h"
#include "agent/route.h"

#define USER "collective"
#define LISTS_MAX 64
#define REQUEST 1

struct desk {
	struct store *store;
	struct brain brain;
	struct clock clock;
	struct site_actions actions;
	struct site_action *reply;
	int saved;
};

/* Whose the state is. */

/* The service's own directory is made for the service's user. */
static void make_for_user(const struct invocation *invocation)
{
	const char *state = invocation->values[OPTION_STATE];
	const struct passwd *user;

	if (strcmp(state, option_rows[OPTION_STATE].fallback) != 0)
		return;
	user = getpwnam(USER);
	if (user && mkdir(state, 0700) == 0 && chown(state, user->pw_uid, user->pw_gid) < 0)
		(void)rmdir(state);
}

static int become_owner(const struct invocation *invocation)
{
	const char *state = invocation->values[OPTION_STATE];
	struct stat status;

	if (geteuid() != 0)
		return 0;
	if (stat(state, &status) < 0) {
		make_for_user(invocation);
		if (stat(state, &status) < 0)
			return 0; /* it is made by the store, or the store says why not */
	}
	if (status.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setgid(status.st_gid) < 0 || setuid(status.st_uid) < 0) {
		say("%s belongs to another user, whom this process cannot become: %s", state,
			strerror(errno));
		return -EPERM;
	}
	return 0;
}

/* The brain. */

static void take(struct desk *desk)
{
	for (uint32_t i = 0; i < desk->actions.count; i++) {
		const struct site_action *action = &desk->actions.items[i];

		/* That the agent starts, it will say itself. */
		if (action->kind == SITE_LOG && action->log.code != SITE_LOG_STARTED)
			(void)keeper_save_log(desk->store, clock_wall(&desk->clock), action);
		else if (action->kind == SITE_REPLY && action->reply.request == REQUEST)
			*desk->reply = *action;
	}
}

static void feed(struct desk *desk, struct site_event event)
{
	bool any = true;
	int r;

	for (int i = 0; i < LISTS_MAX && any; i++) {
		event.wall = clock_wall(&desk->clock);
		site_step(desk->brain.site, clock_now(), &event, &desk->actions);
		r = keeper_save(desk->store, &desk->actions, &any);
		take(desk);
		desk->saved = desk->saved < 0 ? desk->saved : r;
		event = (struct site_event){.kind = SITE_EVENT_SAVED, .saved = r};
	}
}

struct networks {
	const struct config *config;
	uint32_t count;
	struct prefix items[SITE_NETWORKS_MAX];
};

static int add_network(const struct route_address *address, void *context)
{
	struct networks *networks = context;
	char name[IF_NAMESIZE] = "";

	if (address->near || networks->count == SITE_NETWORKS_MAX ||
		!if_indextoname(address->device, name) ||
		strcmp(name, networks->config->backbone.name) == 0 ||
		strcmp(name, networks->config->links.name) == 0)
		return 0;
	networks->items[networks->count++] = prefix_canonical(&address->prefix);
	return 0;
}

/* What cannot be asked for is left out: the agent will look again. */
static void feed_networks(struct desk *desk)
{
	struct networks networks = {.config = desk->brain.config};
	struct site_event event = {.kind = SITE_EVENT_NETWORKS};
	struct netlink *netlink;

	if (netlink_open(&netlink, NETLINK_ROUTE) < 0)
		return;
	if (route_address_list(netlink, add_network, &networks) == 0) {
		event.networks.count = networks.count;
		event.networks.items = networks.items;
		feed(desk, event);
	}
	netlink_close(netlink);
}

static int work(struct desk *desk, const struct invocation *invocation, const struct config *config,
	const struct site_command *command)
{
	struct site_command given = *command;
	char why[STORE_WHY_SIZE] = "";
	int r = store_open(&desk->store, invocation->values[OPTION_STATE], true, why);

	if (r == 0)
		r = brain_open(&desk->brain, config, desk->store, why);
	if (r < 0) {
		say("%s", why);
		return r;
	}
	clock_init(&desk->clock, invocation->clock_offset_ms);
	feed_networks(desk);
	feed(desk, (struct site_event){.kind = SITE_EVENT_START});
	given.request = REQUEST;
	feed(desk, (struct site_event){.kind = SITE_EVENT_COMMAND, .command = &given});
	if (desk->saved < 0) {
		say("%s: the state could not be saved: %s", invocation->values[OPTION_STATE],
			strerror(-desk->saved));
		return desk->saved;
	}
	if (desk->reply->reply.status == SITE_REPLY_FAILED) {
		say("%s", desk->reply->reply.note);
		return -EREMOTEIO;
	}
	return 0;
}

int offline_command(const struct invocation *invocation, const struct config *config,
	const struct site_command *command, struct site_action *ret)
{
	struct desk *desk;
	int r = become_owner(invocation);

	memset(ret, 0, sizeof *ret);
	if (r < 0)
		return r;
	desk = memory_zeroed(1, sizeof *desk);
	desk->reply = ret;
	r = work(desk, invocation, config, command);
	brain_close(&desk->brain);
	store_close(desk->store);
	sodium_memzero(desk, sizeof *desk);
	free(desk);
	return r;
}
