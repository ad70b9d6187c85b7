/* SPDX-License-Identifier: MIT */
/*
 * site_commands.c - the commands that ask the agent: founding, inviting, joining, expelling and the
 * like. Words on standard error, what a script wants on standard output.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/client.h"
#include "agent/command.h"
#include "agent/launch.h"
#include "base/text.h"

#define HUB_PORT 51821
#define SUPERNET "10.100.0.0/16"
#define DAY_MS (UINT64_C(24) * 3600 * 1000)
#define PATIENCE (15 * USEC_SECOND)

/* Reading words. */

/* HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT. Returns 0 or -EINVAL, which was said. */
static int read_endpoint(const char *word, struct invite_endpoint *ret)
{
	struct invite_endpoint endpoint = {.port = HUB_PORT};
	struct address address;
	const char *end = word + strlen(word);
	const char *colon = strrchr(word, ':');
	size_t length;

	/* A bare IPv6 address is full of colons. */
	if (colon && address_parse(word, strlen(word), &address) < 0) {
		if (endpoint_parse_port(colon + 1, &endpoint.port) < 0) {
			say("\"%s\" is no endpoint: write HOST:PORT, such as hub.example.org:%d",
				word, HUB_PORT);
			return -EINVAL;
		}
		end = colon;
	}
	if (word[0] == '[' && end > word + 2 && end[-1] == ']') {
		word++;
		end--;
	}
	length = (size_t)(end - word);
	if (length == 0 || length > INVITE_HOST_MAX || strcspn(word, " \t/") < length) {
		say("\"%s\" is no endpoint: write HOST:PORT, such as hub.example.org:%d", word,
			HUB_PORT);
		return -EINVAL;
	}
	memcpy(endpoint.host, word, length);
	*ret = endpoint;
	return 0;
}

static int read_endpoints(const struct option_list *words, struct site_command *command)
{
	if (words->count > INVITE_ENDPOINTS_MAX) {
		say("an invite has room for %d endpoints", INVITE_ENDPOINTS_MAX);
		return -EINVAL;
	}
	command->endpoint_count = words->count;
	for (uint32_t i = 0; i < words->count; i++) {
		int r = read_endpoint(words->items[i], &command->endpoints[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_network(const char *word, struct prefix *ret)
{
	char better[PREFIX_TEXT_SIZE];
	int r = prefix_parse(word, ret);

	if (r == 0)
		return 0;
	if (r == -EDOM) {
		prefix_print(ret, better);
		say("\"%s\" is an address in a network: did you mean %s?", word, better);
	} else {
		say("\"%s\" is no network: write ADDRESS/LENGTH, such as 192.168.7.0/24", word);
	}
	return -EINVAL;
}

static int read_networks(const struct option_list *words, struct prefixes *ret)
{
	for (uint32_t i = 0; i < words->count; i++) {
		if (ret->count == FIELD_PREFIXES_MAX) {
			say("a site can have %d networks", FIELD_PREFIXES_MAX);
			return -EINVAL;
		}
		if (read_network(words->items[i], &ret->items[ret->count++]) < 0)
			return -EINVAL;
	}
	prefixes_sort(ret);
	for (uint32_t i = 1; i < ret->count; i++) {
		if (prefix_overlaps(&ret->items[i - 1], &ret->items[i])) {
			say("two of the networks overlap");
			return -EINVAL;
		}
	}
	return 0;
}

static int read_name(const char *word, char ret[static TEXT_NAME_MAX + 1])
{
	char shown[80];

	if (text_is_name(word)) {
		memcpy(ret, word, strlen(word) + 1);
		return 0;
	}
	text_show(word, strlen(word), shown, sizeof shown);
	say("\"%s\" is no name: use 1 to %d of a-z, 0-9 and -", shown, TEXT_NAME_MAX);
	return -EINVAL;
}

static int read_tags(const struct option_list *words, struct names *ret)
{
	for (uint32_t i = 0; i < words->count; i++) {
		if (ret->count == FIELD_NAMES_MAX) {
			say("a site can have %d tags", FIELD_NAMES_MAX);
			return -EINVAL;
		}
		if (read_name(words->items[i], ret->items[ret->count++]) < 0)
			return -EINVAL;
	}
	names_sort(ret);
	return 0;
}

/* 30m, 24h, 7d. */
static int read_lifetime(const char *word, uint64_t *ret_ms)
{
	static const struct {
		char letter;
		uint64_t ms;
	} units[] = {{'m', 60000}, {'h', 3600000}, {'d', DAY_MS}};
	char *end;
	unsigned long number = strtoul(word, &end, 10);

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (end != word && word[0] != '-' && number > 0 && number <= 3650 &&
			end[0] == units[i].letter && end[1] == '\0') {
			*ret_ms = number * units[i].ms;
			return 0;
		}
	}
	say("\"%s\" is no time: write 30m, 24h or 7d", word);
	return -EINVAL;
}

/* Asking. */

typedef void (*answer_fn)(const struct control_answer *answer, void *context);

/* The agent's words about what went wrong. */
static void say_failure(const struct control_answer *answer)
{
	if (answer->name[0])
		say("%s (that site is %s)", answer->note, answer->name);
	else if (answer->note[0])
		say("%s", answer->note);
	else
		say("%s", answer->text[0] ? answer->text : "it was refused");
}

/*
 * Asks, shows each answer, and waits for the last one, for so long after each. Returns an exit
 * status; what went wrong was said.
 */
static int converse(struct client *client, const struct control_request *request, usec_t patience,
	answer_fn show, void *context)
{
	struct control_answer *answer = calloc(1, sizeof *answer);
	int r = answer ? client_ask(client, request) : -ENOMEM;

	while (r == 0) {
		r = client_answer(client, patience, answer);
		if (r == 0 && answer->kind == CONTROL_FAILED)
			break;
		if (r == 0)
			show(answer, context);
		if (r == 0 && answer->kind == CONTROL_DONE)
			break;
	}
	if (r == -ETIMEDOUT)
		say("this takes long: the agent goes on with it, and \"collective status\" shows "
		    "how far it is");
	else if (r == -EPIPE)
		say("the agent has ended, or too many ask it at once");
	else if (r < 0)
		say("the agent cannot be asked: %s", strerror(-r));
	else if (answer->kind == CONTROL_FAILED) {
		say_failure(answer);
		r = -EREMOTEIO;
	}
	free(answer);
	return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

static int ask(const struct invocation *invocation, bool start,
	const struct control_request *request, usec_t patience, answer_fn show, void *context)
{
	struct client client;
	int status;

	if (launch_or_reach(invocation, start, &client) < 0)
		return STATUS_FAILED;
	status = converse(&client, request, patience, show, context);
	client_close(&client);
	return status;
}

static struct control_request request_of(enum site_command_kind kind)
{
	return (struct control_request){
		.version = CONTROL_VERSION, .kind = CONTROL_COMMAND, .command = {.kind = kind}};
}

static void say_progress(const struct control_answer *answer)
{
	if (answer->kind == CONTROL_PROGRESS && answer->note[0])
		say("%s%s%s", answer->name, answer->name[0] ? ": " : "", answer->note);
}

/* Shows how far it is, and at the end the words that the context is, or nothing. */
static void show_words(const struct control_answer *answer, void *context)
{
	const char *words = context;

	say_progress(answer);
	if (answer->kind != CONTROL_DONE)
		return;
	if (answer->note[0])
		say("%s", answer->note);
	if (words)
		(void)printf("%s\n", words);
}

static void show_trouble(const struct control_answer *answer, void *context)
{
	(void)context;
	if (answer->kind == CONTROL_TROUBLE)
		say("%s", answer->text);
}

/* What stands in the way on this machine, right after it was asked to begin. */
static void say_troubles(const struct invocation *invocation)
{
	struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_STATUS};

	(void)ask(invocation, false, &request, PATIENCE, show_trouble, NULL);
}

/* Founding. */

static int default_name(char ret[static TEXT_NAME_MAX + 1])
{
	char host[TEXT_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof host - 1) < 0)
		host[0] = '\0';
	host[strcspn(host, ".")] = '\0';
	for (char *at = host; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	if (text_is_name(host)) {
		memcpy(ret, host, sizeof host);
		return 0;
	}
	say("this machine's name is no name for a site: give one with --name");
	return -EINVAL;
}

static int read_founding(const struct invocation *invocation, struct site_command *command)
{
	const char *supernet = invocation->values[OPTION_SUPERNET];
	const char *name = invocation->values[OPTION_NAME];

	if ((name ? read_name(name, command->name) : default_name(command->name)) < 0 ||
		read_network(supernet ? supernet : SUPERNET, &command->supernet) < 0 ||
		read_endpoints(&invocation->lists[OPTION_ENDPOINT], command) < 0)
		return -EINVAL;
	if (command->supernet.address.family != ADDRESS_IPV4 || command->supernet.length > 23) {
		say("the collective's network has to be an IPv4 one of /23 or wider: each site "
		    "gets "
		    "a /24 of it");
		return -EINVAL;
	}
	command->subnet = (struct prefix){command->supernet.address, 24};
	return 0;
}

int command_init(const struct invocation *invocation)
{
	struct control_request request = request_of(SITE_COMMAND_FOUND);
	struct site_command *command = &request.command;
	char subnet[PREFIX_TEXT_SIZE];
	int status;

	if (read_founding(invocation, command) < 0)
		return STATUS_WRONG_USE;
	status = ask(invocation, true, &request, PATIENCE, show_words, NULL);
	if (status != STATUS_DONE)
		return status;
	prefix_print(&command->subnet, subnet);
	(void)printf("The collective is founded; this site is %s, %s.\n\n", command->name, subnet);
	(void)printf("Next:\n"
		     "  forward UDP port %d of your router to this machine\n",
		HUB_PORT);
	if (command->endpoint_count == 0)
		(void)printf(
			"  collective endpoint add HOST:%d   so that friends know where to call\n",
			HUB_PORT);
	(void)printf(
		"  collective invite NAME           makes an invite for a friend\n"
		"  collective backup FILE           this machine alone holds the root key: whoever "
		"loses it\n"
		"                                   cannot name admins any more\n");
	(void)fflush(stdout);
	say_troubles(invocation);
	return STATUS_DONE;
}

/* Endpoints. */

static int change_endpoints(
	const struct invocation *invocation, enum control_mode mode, const char *words)
{
	struct control_request request = request_of(SITE_COMMAND_ENDPOINTS);
	struct option_list list = {.count = 0};

	request.mode = mode;
	for (size_t i = 0; i < invocation->count; i++)
		list.items[list.count++] = invocation->words[i];
	if (read_endpoints(&list, &request.command) < 0)
		return STATUS_WRONG_USE;
	return ask(invocation, false, &request, PATIENCE, show_words, (void *)(uintptr_t)words);
}

int command_endpoint_add(const struct invocation *invocation)
{
	return change_endpoints(invocation, CONTROL_ADD, "invites made from now on carry it");
}

int command_endpoint_remove(const struct invocation *invocation)
{
	return change_endpoints(invocation, CONTROL_REMOVE, "invites made from now on lack it");
}

/* Routes. */

static int change_routes(
	const struct invocation *invocation, enum control_mode mode, const char *words)
{
	struct control_request request = request_of(SITE_COMMAND_ROUTES);
	struct option_list list = {.count = 0};

	request.mode = mode;
	for (size_t i = 0; i < invocation->count; i++)
		list.items[list.count++] = invocation->words[i];
	if (read_networks(&list, &request.command.routes) < 0)
		return STATUS_WRONG_USE;
	return ask(invocation, false, &request, 2 * PATIENCE, show_words, (void *)(uintptr_t)words);
}

int command_route_add(const struct invocation *invocation)
{
	return change_routes(invocation, CONTROL_ADD, "announced: members can reach it");
}

int command_route_remove(const struct invocation *invocation)
{
	return change_routes(invocation, CONTROL_REMOVE, "not announced any more");
}

/* Inviting. */

static void show_invite(const struct control_answer *answer, void *context)
{
	char prefix[PREFIX_TEXT_SIZE];

	(void)context;
	say_progress(answer);
	if (answer->kind != CONTROL_DONE)
		return;
	(void)printf("%s\n", answer->text);
	prefix_print(&answer->prefix, prefix);
	(void)fprintf(stderr,
		"Send this to %s by a channel you trust; it works once, on one machine:\n"
		"  sudo collective join -     and paste it there\n"
		"The site will be %s. \"collective uninvite %s\" withdraws it.\n",
		answer->name, prefix, answer->name);
}

int command_invite(const struct invocation *invocation)
{
	struct control_request request = request_of(SITE_COMMAND_INVITE);
	struct site_command *command = &request.command;
	const char *expires = invocation->values[OPTION_EXPIRES];
	const char *subnet = invocation->values[OPTION_SUBNET];

	command->lifetime_ms = DAY_MS;
	if (read_name(invocation->words[0], command->name) < 0 ||
		read_tags(&invocation->lists[OPTION_TAG], &command->tags) < 0 ||
		read_networks(&invocation->lists[OPTION_ROUTE], &command->routes) < 0 ||
		(expires && read_lifetime(expires, &command->lifetime_ms) < 0) ||
		(subnet && read_network(subnet, &command->subnet) < 0))
		return STATUS_WRONG_USE;
	command->approval = invocation->given[OPTION_APPROVE] || command->lifetime_ms > DAY_MS;
	if (command->approval && !invocation->given[OPTION_APPROVE])
		say("an invite that lives longer than a day waits for \"collective approve %s\" "
		    "when it "
		    "is used",
			command->name);
	return ask(invocation, false, &request, PATIENCE, show_invite, NULL);
}

static void show_invites(const struct control_answer *answer, void *context)
{
	char prefix[PREFIX_TEXT_SIZE];
	int64_t left;
	char when[USEC_TEXT_SIZE];

	(void)context;
	if (answer->kind != CONTROL_INVITE)
		return;
	prefix_print(&answer->prefix, prefix);
	left = (int64_t)answer->wall - (int64_t)time(NULL) * 1000;
	usec_print(left > 0 ? left * USEC_MSEC : 0, when);
	(void)printf("%-20s %-10s %-18s %s%s\n", answer->name, answer->text, prefix,
		strcmp(answer->text, "open") == 0 ? "for " : "",
		strcmp(answer->text, "open") == 0 ? when : "");
	if (answer->count && strcmp(answer->text, "open") == 0)
		(void)printf("%-20s %s \"collective approve %s\"\n", "",
			answer->of ? "it was used, and waits for" : "once it is used it waits for",
			answer->name);
}

int command_invites(const struct invocation *invocation)
{
	struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_INVITES};

	return ask(invocation, false, &request, PATIENCE, show_invites, NULL);
}

/* Commands that take a name, and no more. */
static int command_named(const struct invocation *invocation, enum site_command_kind kind,
	answer_fn show, usec_t patience, const char *words)
{
	struct control_request request = request_of(kind);

	if (read_name(invocation->words[0], request.command.name) < 0)
		return STATUS_WRONG_USE;
	return ask(invocation, false, &request, patience, show, (void *)(uintptr_t)words);
}

int command_uninvite(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_UNINVITE, show_words, PATIENCE,
		"withdrawn: nobody gets in by this invite any more");
}

int command_approve(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_APPROVE, show_words, PATIENCE,
		"approved: it takes effect when that site asks again, within seconds");
}

static void show_expulsion(const struct control_answer *answer, void *context)
{
	char after[USEC_TEXT_SIZE];

	(void)context;
	usec_print(answer->age_ms * USEC_MSEC, after);
	say_progress(answer);
	if (answer->kind == CONTROL_DONE && answer->count < answer->of)
		(void)printf("expelled: %" PRIu64 " of %" PRIu64
			     " other sites know after %s; the rest hear of it when they are back\n",
			answer->count, answer->of, after);
	else if (answer->kind == CONTROL_DONE && answer->of == 0)
		(void)printf("expelled: there is no other site that has to know\n");
	else if (answer->kind == CONTROL_DONE)
		(void)printf("expelled: %" PRIu64 " of %" PRIu64 " other sites know after %s\n",
			answer->count, answer->of, after);
}

int command_expel(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_EXPEL, show_expulsion, 6 * PATIENCE, NULL);
}

static void show_ping(const struct control_answer *answer, void *context)
{
	char rtt[USEC_TEXT_SIZE];

	(void)context;
	if (answer->kind != CONTROL_DONE)
		return;
	usec_print(answer->rtt_us, rtt);
	(void)printf("%s answers in %s\n", answer->name, rtt);
}

int command_ping(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_PING, show_ping, PATIENCE, NULL);
}

/* Admins. */

int command_admin_add(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_DELEGATE, show_words, PATIENCE,
		"an admin from now on: it may invite and expel");
}

int command_admin_remove(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_REMOVE_ADMIN, show_words, PATIENCE,
		"no admin any more; whom it let in stays");
}

int command_admin_offer(const struct invocation *invocation)
{
	struct control_request request = request_of(SITE_COMMAND_OFFER);

	return ask(invocation, false, &request, PATIENCE, show_words,
		(void *)(uintptr_t) "this site offers to be an admin: \"collective admin add\" on "
				    "the "
				    "founder's takes it");
}

/* Joining. */

/* The invite stands in the words, on standard input, or is asked for. Returns 0 or -EINVAL. */
static int read_invite(const struct invocation *invocation, char ret[static CONTROL_TEXT_MAX])
{
	const char *word = invocation->count > 0 ? invocation->words[0] : "-";
	char line[CONTROL_TEXT_MAX];
	size_t length;

	if (strcmp(word, "-") == 0) {
		if (isatty(STDIN_FILENO))
			(void)fputs("Invite: ", stderr);
		if (!fgets(line, sizeof line, stdin)) {
			say("there was no invite on standard input");
			return -EINVAL;
		}
		word = line;
	}
	word += strspn(word, " \t");
	length = strcspn(word, " \t\r\n");
	if (length == 0 || length >= CONTROL_TEXT_MAX) {
		say("this is no invite");
		return -EINVAL;
	}
	memcpy(ret, word, length);
	ret[length] = '\0';
	return 0;
}

static void show_join(const struct control_answer *answer, void *context)
{
	char prefix[PREFIX_TEXT_SIZE];

	(void)context;
	say_progress(answer);
	if (answer->kind != CONTROL_DONE)
		return;
	if (answer->note[0])
		say("%s", answer->note);
	prefix_print(&answer->prefix, prefix);
	(void)printf("joined as %s, %s\n", answer->name, prefix);
}

int command_join(const struct invocation *invocation)
{
	struct control_request request = request_of(SITE_COMMAND_JOIN);
	int status;

	if (read_invite(invocation, request.text) < 0)
		return STATUS_WRONG_USE;
	request.command.text = request.text;
	status = ask(invocation, true, &request, 4 * PATIENCE, show_join, NULL);
	sodium_memzero(request.text, sizeof request.text);
	if (status == STATUS_DONE)
		say_troubles(invocation);
	return status;
}

/* The rest. */

int command_leave(const struct invocation *invocation)
{
	struct control_request request = request_of(SITE_COMMAND_LEAVE);

	return ask(invocation, false, &request, 2 * PATIENCE, show_words,
		(void *)(uintptr_t) "left: interfaces, routes and rules were taken off this "
				    "machine");
}

int command_rotate(const struct invocation *invocation)
{
	struct control_request request = request_of(SITE_COMMAND_ROTATE);

	return ask(invocation, false, &request, 8 * PATIENCE, show_words,
		(void *)(uintptr_t) "the WireGuard keys were changed");
}

int command_up(const struct invocation *invocation)
{
	struct client client;

	if (launch_or_reach(invocation, true, &client) < 0)
		return STATUS_FAILED;
	client_close(&client);
	(void)printf("up: the agent runs; \"collective status\" shows what it sees\n");
	say_troubles(invocation);
	return STATUS_DONE;
}

int command_down(const struct invocation *invocation)
{
	struct control_request request = request_of(SITE_COMMAND_DOWN);

	/* What an agent left that was killed, only an agent knows to take away. */
	return ask(invocation, true, &request, 2 * PATIENCE, show_words,
		(void *)(uintptr_t) "down: interfaces, routes and rules were taken away");
}

static void show_event(const struct control_answer *answer, void *context)
{
	time_t seconds = (time_t)(answer->wall / 1000);
	struct tm when;
	char text[32] = "";

	(void)context;
	if (answer->kind != CONTROL_EVENT)
		return;
	if (localtime_r(&seconds, &when))
		(void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &when);
	(void)printf("%s  %s\n", text, answer->text);
}

int command_events(const struct invocation *invocation)
{
	struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_EVENTS};

	return ask(invocation, false, &request, PATIENCE, show_event, NULL);
}
