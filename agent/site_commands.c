/* SPDX-License-Identifier: MIT */
/*
 * site_commands.c - the commands that ask the agent of a site that has begun: inviting, expelling
 * and the like. Words on standard error, what a script wants on standard output.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/arguments.h"
#include "agent/asking.h"
#include "agent/command.h"
#include "agent/json.h"
#include "agent/qr.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* Endpoints. */

static int change_endpoints(
	const struct invocation *invocation, enum control_mode mode, const char *words)
{
	struct control_request request = asking_for(SITE_COMMAND_ENDPOINTS);
	struct option_list list = {.count = 0};

	request.mode = mode;
	for (size_t i = 0; i < invocation->count; i++)
		list.items[list.count++] = invocation->words[i];
	if (argument_endpoints(&list, &request.command) < 0)
		return STATUS_WRONG_USE;
	return asking(invocation, false, &request, ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t)words);
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
	struct control_request request = asking_for(SITE_COMMAND_ROUTES);
	struct option_list list = {.count = 0};

	request.mode = mode;
	for (size_t i = 0; i < invocation->count; i++)
		list.items[list.count++] = invocation->words[i];
	if (argument_networks(&list, &request.command.routes) < 0)
		return STATUS_WRONG_USE;
	return asking(invocation, false, &request, 2 * ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t)words);
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

struct inviting {
	uint64_t lifetime_ms;
	bool draw;
};

static void show_invite(const struct control_answer *answer, void *context)
{
	const struct inviting *inviting = context;
	char prefix[PREFIX_TEXT_SIZE];
	char lifetime[USEC_TEXT_SIZE];

	asking_say_progress(answer);
	if (answer->kind != CONTROL_DONE)
		return;
	(void)printf("%s\n", answer->text);
	(void)fflush(stdout);
	if (inviting->draw)
		(void)qr_draw(stderr, answer->text);
	prefix_print(&answer->prefix, prefix);
	usec_print((usec_t)inviting->lifetime_ms * USEC_MSEC, lifetime);
	(void)fprintf(stderr,
		"Send this to %s by a channel you trust; it works once, on one machine, within "
		"%s:\n"
		"  sudo collective join -     and paste it there\n"
		"The site will be %s. \"collective uninvite %s\" withdraws it.\n",
		answer->name, lifetime, prefix, answer->name);
}

int command_invite(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_INVITE);
	struct site_command *command = &request.command;
	const char *expires = invocation->values[OPTION_EXPIRES];
	const char *subnet = invocation->values[OPTION_SUBNET];
	struct inviting inviting = {.draw = invocation->given[OPTION_QR]};

	command->lifetime_ms = DAY_MS;
	if (argument_name(invocation->words[0], command->name) < 0 ||
		argument_tags(&invocation->lists[OPTION_TAG], &command->tags) < 0 ||
		argument_networks(&invocation->lists[OPTION_ROUTE], &command->routes) < 0 ||
		(expires && argument_lifetime(expires, &command->lifetime_ms) < 0) ||
		(subnet && argument_network(subnet, &command->subnet) < 0))
		return STATUS_WRONG_USE;
	command->approval = invocation->given[OPTION_APPROVE] || command->lifetime_ms > DAY_MS;
	if (command->approval && !invocation->given[OPTION_APPROVE])
		say("an invite that lives longer than a day waits for \"collective approve %s\" "
		    "when it "
		    "is used",
			command->name);
	inviting.lifetime_ms = command->lifetime_ms;
	return asking(invocation, false, &request, ASKING_PATIENCE, show_invite, &inviting);
}

static void show_invites(const struct control_answer *answer, void *context)
{
	char prefix[PREFIX_TEXT_SIZE];
	bool *begun = context;
	int64_t left;
	char when[USEC_TEXT_SIZE];

	if (answer->kind != CONTROL_INVITE)
		return;
	if (!*begun)
		(void)printf("%-20s %-10s %-18s %s\n", "NAME", "STATE", "SUBNET", "GOOD FOR");
	*begun = true;
	prefix_print(&answer->prefix, prefix);
	left = (int64_t)answer->wall - (int64_t)time(NULL) * 1000;
	usec_print(left > 0 ? left * USEC_MSEC : 0, when);
	(void)printf("%-20s %-10s %-18s %s\n", answer->name, answer->text, prefix,
		strcmp(answer->text, "open") == 0 ? when : "-");
	if (answer->count && strcmp(answer->text, "open") == 0)
		(void)printf("%-20s %s \"collective approve %s\"\n", "",
			answer->of ? "it was used, and waits for" : "once it is used it waits for",
			answer->name);
}

int command_invites(const struct invocation *invocation)
{
	struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_INVITES};
	bool begun = false;
	int status;

	status = asking(invocation, false, &request, ASKING_PATIENCE, show_invites, &begun);
	if (status == STATUS_DONE && !begun)
		(void)printf("no invites were made here\n");
	return status;
}

/* Commands that take a name, and no more. */
static int command_named(const struct invocation *invocation, enum site_command_kind kind,
	asking_fn show, usec_t patience, const char *words)
{
	struct control_request request = asking_for(kind);

	if (argument_name(invocation->words[0], request.command.name) < 0)
		return STATUS_WRONG_USE;
	return asking(invocation, false, &request, patience, show, (void *)(uintptr_t)words);
}

int command_uninvite(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_UNINVITE, asking_show_words, ASKING_PATIENCE,
		"withdrawn: nobody gets in by this invite any more");
}

int command_approve(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_APPROVE, asking_show_words, ASKING_PATIENCE,
		"approved: it takes effect when that site asks again, within seconds");
}

static void show_expulsion(const struct control_answer *answer, void *context)
{
	char after[USEC_TEXT_SIZE];

	(void)context;
	usec_print(answer->age_ms * USEC_MSEC, after);
	asking_say_progress(answer);
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
	return command_named(
		invocation, SITE_COMMAND_EXPEL, show_expulsion, 6 * ASKING_PATIENCE, NULL);
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
	return command_named(invocation, SITE_COMMAND_PING, show_ping, ASKING_PATIENCE, NULL);
}

/* Direct links. */

int command_link(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_LINK);
	const char *span = invocation->values[OPTION_FOR];

	if (argument_name(invocation->words[0], request.command.name) < 0 ||
		(span && argument_lifetime(span, &request.command.lifetime_ms) < 0))
		return STATUS_WRONG_USE;
	return asking(invocation, false, &request, ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t) "asked for: \"collective why\" tells what becomes of it");
}

int command_unlink(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_UNLINK, asking_show_words, ASKING_PATIENCE,
		"packets go by the hub, until \"collective link\" asks for a link again");
}

/* What another site says is its own view: "this site" is that one. */
static void show_why(const struct control_answer *answer, void *context)
{
	const char *whom = context;

	if (answer->kind != CONTROL_DONE)
		return;
	if (whom[0])
		(void)printf("%s says: ", whom);
	(void)printf("%s\n", answer->text);
}

int command_why(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_WHY);
	const char *whom = invocation->count > 1 ? invocation->words[0] : "";
	char name[TEXT_NAME_MAX + 1];

	if (argument_name(invocation->words[invocation->count - 1], request.command.name) < 0 ||
		(whom[0] && argument_name(whom, name) < 0))
		return STATUS_WRONG_USE;
	(void)snprintf(request.text, sizeof request.text, "%s", whom);
	return asking(invocation, false, &request, ASKING_PATIENCE, show_why, request.text);
}

/* For people: what it comes to stands first, and comes last. */
struct netcheck_words {
	uint32_t count;
	struct control_answer places[8];
	char trouble[SITE_NOTE_SIZE]; /* of the port mapping */
};

static void show_netcheck(const struct control_answer *answer, void *context)
{
	struct netcheck_words *words = context;
	char place[ENDPOINT_TEXT_SIZE];
	char rtt[USEC_TEXT_SIZE];

	if (answer->kind == CONTROL_PLACE && words->count < 8)
		words->places[words->count++] = *answer;
	if (answer->kind == CONTROL_FACT && strcmp(answer->text, "port_mapping") == 0)
		memcpy(words->trouble, answer->note, sizeof words->trouble);
	if (answer->kind != CONTROL_DONE)
		return;
	usec_print(answer->rtt_us, rtt);
	endpoint_print(&answer->endpoint, place);
	(void)printf(
		"the hub sees this site at %s, and answers in %s\n%s\n", place, rtt, answer->text);
	if (words->trouble[0] && strcmp(words->trouble, "granted") != 0)
		(void)printf("No port was opened: %s.\n", words->trouble);
	(void)printf("Friends are told of these places:\n");
	for (uint32_t i = 0; i < words->count; i++) {
		endpoint_print(&words->places[i].endpoint, place);
		(void)printf("  %-9s %s\n", words->places[i].text, place);
	}
}

/* For scripts: facts come first, then places, then the end. */
struct netcheck_json {
	struct json json;
	bool begun;
	bool places;
};

static void json_netcheck(const struct control_answer *answer, void *context)
{
	struct netcheck_json *out = context;
	char place[ENDPOINT_TEXT_SIZE];
	bool is = strcmp(answer->note, "yes") == 0;

	if (answer->kind != CONTROL_FACT && answer->kind != CONTROL_PLACE &&
		answer->kind != CONTROL_DONE)
		return;
	if (!out->begun) {
		json_init(&out->json, stdout);
		json_object(&out->json, NULL);
		out->begun = true;
	}
	if (answer->kind == CONTROL_FACT) {
		if (is || strcmp(answer->note, "no") == 0)
			json_bool(&out->json, answer->text, is);
		else
			json_text(&out->json, answer->text, answer->note);
		return;
	}
	if (!out->places)
		json_array(&out->json, "places");
	out->places = true;
	endpoint_print(&answer->endpoint, place);
	if (answer->kind == CONTROL_PLACE) {
		json_object(&out->json, NULL);
		json_text(&out->json, "kind", answer->text);
		json_text(&out->json, "endpoint", place);
		json_object_end(&out->json);
		return;
	}
	json_array_end(&out->json);
	json_text(&out->json, "seen", place);
	json_thousandths(&out->json, "hub_rtt_ms", answer->rtt_us);
	json_text(&out->json, "advice", answer->text);
	json_object_end(&out->json);
	json_end(&out->json);
}

int command_netcheck(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_NETCHECK);
	struct netcheck_words words = {.count = 0};
	struct netcheck_json out = {.begun = false};

	if (invocation->given[OPTION_JSON])
		return asking(invocation, false, &request, ASKING_PATIENCE, json_netcheck, &out);
	return asking(invocation, false, &request, ASKING_PATIENCE, show_netcheck, &words);
}

/* Admins. */

int command_admin_add(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_DELEGATE, asking_show_words, ASKING_PATIENCE,
		"an admin from now on: it may invite and expel");
}

int command_admin_remove(const struct invocation *invocation)
{
	return command_named(invocation, SITE_COMMAND_REMOVE_ADMIN, asking_show_words,
		ASKING_PATIENCE, "no admin any more; whom it let in stays");
}

int command_admin_offer(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_OFFER);

	return asking(invocation, false, &request, ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t) "this site offers to be an admin: \"collective admin add\" on "
				    "the "
				    "founder's takes it");
}

/* The rest. */

int command_leave(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_LEAVE);

	request.command.force = invocation->given[OPTION_FORCE];
	return asking(invocation, false, &request, 2 * ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t) "left: interfaces, routes and rules were taken off this "
				    "machine");
}

int command_rotate(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_ROTATE);

	return asking(invocation, false, &request, 8 * ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t) "the WireGuard keys were changed");
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

	return asking(invocation, false, &request, ASKING_PATIENCE, show_event, NULL);
}
