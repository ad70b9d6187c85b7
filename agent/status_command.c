/* SPDX-License-Identifier: MIT */
/*
 * status_command.c - "collective status": one line a site, and below what is wrong.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/command.h"
#include "agent/json.h"
#include "agent/launch.h"
#include "agent/memory.h"

#define PATIENCE (10 * USEC_SECOND)
#define CLEAR_SCREEN "\033[H\033[J"

/* All answers, in the order in which they came. */
struct answers {
	uint32_t count;
	uint32_t capacity;
	struct control_answer *items;
};

static const char *const path_words[] = {
	[CONTROL_PATH_SELF] = "self",
	[CONTROL_PATH_HUB] = "hub",
	[CONTROL_PATH_DIRECT] = "direct",
	[CONTROL_PATH_DOWN] = "down",
};

/* The brain lists members by their keys; people look for addresses, the hub's first. */
static int compare_sites(const void *a, const void *b)
{
	const struct control_answer *left = a;
	const struct control_answer *right = b;

	return memcmp(&left->address, &right->address, sizeof left->address);
}

/* They stand together among the answers. */
static void sort_sites(struct answers *answers)
{
	uint32_t first = 0;
	uint32_t end;

	while (first < answers->count && answers->items[first].kind != CONTROL_SITE)
		first++;
	for (end = first; end < answers->count && answers->items[end].kind == CONTROL_SITE;)
		end++;
	if (end > first)
		qsort(&answers->items[first], end - first, sizeof answers->items[0], compare_sites);
}

static int gather(const struct invocation *invocation, struct answers *answers)
{
	const struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_STATUS};
	struct client client;
	int r = launch_or_reach(invocation, false, &client);

	if (r < 0)
		return r;
	r = client_ask(&client, &request);
	while (r == 0) {
		struct control_answer *next;

		answers->items = memory_grown(answers->items, &answers->capacity,
			answers->count + 1, sizeof *answers->items);
		next = &answers->items[answers->count];
		r = client_answer(&client, PATIENCE, next);
		if (r < 0 || next->kind == CONTROL_DONE)
			break;
		if (next->kind == CONTROL_FAILED) {
			say("%s", next->text);
			client_close(&client);
			return -EREMOTEIO;
		}
		answers->count++;
	}
	client_close(&client);
	sort_sites(answers);
	if (r == -EPIPE)
		say("the agent has ended, or too many ask it at once");
	else if (r < 0)
		say("the agent does not answer: %s", strerror(-r));
	return r;
}

static const struct control_answer *find(
	const struct answers *answers, enum control_answer_kind kind)
{
	for (uint32_t i = 0; i < answers->count; i++) {
		if (answers->items[i].kind == kind)
			return &answers->items[i];
	}
	return NULL;
}

static const struct control_answer *find_own(const struct answers *answers)
{
	for (uint32_t i = 0; i < answers->count; i++) {
		if (answers->items[i].kind == CONTROL_SITE &&
			answers->items[i].path == CONTROL_PATH_SELF)
			return &answers->items[i];
	}
	return NULL;
}

static void print_id(const struct hash *id, char out[static 2 * HASH_SIZE + 1])
{
	for (int i = 0; i < HASH_SIZE; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", id->bytes[i]);
}

/* For people. */

static void print_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double amount = (double)bytes;
	size_t unit = 0;

	while (amount >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
		amount /= 1024;
		unit++;
	}
	(void)snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
}

static void print_site(const struct control_answer *site)
{
	char address[ADDRESS_TEXT_SIZE];
	char heard[USEC_TEXT_SIZE] = "-";
	char received[24];
	char sent[24];
	char rtt[USEC_TEXT_SIZE] = "-";

	address_print(&site->address, address);
	if (site->age_ms >= 1000)
		usec_print(site->age_ms * USEC_MSEC, heard);
	else if (site->age_ms >= 0)
		(void)snprintf(heard, sizeof heard, "now");
	if (site->rtt_us >= 0)
		usec_print(site->rtt_us, rtt);
	/* Of other spokes a spoke knows only what its hub says. */
	if (site->hubs_word)
		(void)strncat(heard, "*", sizeof heard - strlen(heard) - 1);
	print_bytes(site->rx_bytes, received, sizeof received);
	print_bytes(site->tx_bytes, sent, sizeof sent);
	(void)printf("%-20s %-15s %-6s %8s %8s %11s %11s  %s\n", site->name, address,
		path_words[site->path], rtt, heard, received, sent, site->note);
}

static void print_sites(const struct answers *answers)
{
	bool words = false;

	(void)printf("\n%-20s %-15s %-6s %8s %8s %11s %11s  %s\n", "SITE", "ADDRESS", "PATH", "RTT",
		"HEARD", "RECEIVED", "SENT", "VERSION");
	for (uint32_t i = 0; i < answers->count; i++) {
		if (answers->items[i].kind != CONTROL_SITE)
			continue;
		print_site(&answers->items[i]);
		words = words || answers->items[i].hubs_word;
	}
	if (words)
		(void)printf("* as the hub says\n");
}

static void print_plain(const struct answers *answers)
{
	const struct control_answer *self = find(answers, CONTROL_SELF);
	char supernet[PREFIX_TEXT_SIZE];

	if (!self || self->prefix.address.family == ADDRESS_NONE) {
		(void)printf("this site belongs to no collective yet\n");
	} else {
		prefix_print(&self->prefix, supernet);
		if (strcmp(self->text, "out") == 0)
			(void)printf(
				"this site left the collective %s, or was expelled\n", supernet);
		else if (strcmp(self->text, "joining") == 0)
			(void)printf("this site is joining the collective %s\n", supernet);
		else
			(void)printf("collective %s\n", supernet);
		if (strcmp(self->text, "member") == 0)
			print_sites(answers);
	}
	for (uint32_t i = 0; i < answers->count; i++) {
		if (answers->items[i].kind == CONTROL_TROUBLE)
			(void)printf("\n%s\n", answers->items[i].text);
	}
}

/* For scripts. */

static void json_prefixes(struct json *json, const struct prefixes *prefixes)
{
	json_array(json, "subnets");
	for (uint32_t i = 0; i < prefixes->count; i++) {
		char text[PREFIX_TEXT_SIZE];

		prefix_print(&prefixes->items[i], text);
		json_text(json, NULL, text);
	}
	json_array_end(json);
}

static void json_address(struct json *json, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_print(address, text);
	json_text(json, "address", text);
}

/* Numbers that may not be known. */
static void json_seconds(struct json *json, const char *key, int64_t ms)
{
	if (ms < 0)
		json_null(json, key);
	else
		json_number(json, key, ms / 1000);
}

static void json_milliseconds(struct json *json, const char *key, int64_t us)
{
	if (us < 0)
		json_null(json, key);
	else
		json_thousandths(json, key, us);
}

/* Words as a key: all that is no letter becomes one "_". */
static void json_key(const char *words, char ret[static CONTROL_TEXT_MAX])
{
	size_t used = 0;

	for (; *words && used + 1 < CONTROL_TEXT_MAX; words++) {
		bool letter = (*words >= 'a' && *words <= 'z') || (*words >= '0' && *words <= '9');

		if (letter)
			ret[used++] = *words;
		else if (used > 0 && ret[used - 1] != '_')
			ret[used++] = '_';
	}
	ret[used] = '\0';
}

/* A way to a member, as it was measured. */
static void json_way(struct json *json, const char *key, int64_t rtt_us, int64_t jitter_us,
	uint32_t judged, uint32_t lost)
{
	json_object(json, key);
	json_milliseconds(json, "rtt_ms", rtt_us);
	json_milliseconds(json, "jitter_ms", rtt_us < 0 ? -1 : jitter_us);
	json_number(json, "probes", judged);
	json_number(json, "lost", lost);
	json_object_end(json);
}

/* The direct link to a member; there is none to oneself. */
static void json_link(struct json *json, const struct control_answer *site)
{
	if (site->path == CONTROL_PATH_SELF) {
		json_null(json, "link");
		return;
	}
	json_object(json, "link");
	json_text(json, "state", site->link.state);
	json_text(json, "reason", site->link.reason);
	json_seconds(json, "since_s", site->link.since_ms);
	json_seconds(json, "next_attempt_s", site->link.next_ms);
	json_way(json, "hub", site->link.hub_rtt_us, site->link.hub_jitter_us,
		site->link.hub_judged, site->link.hub_lost);
	json_way(json, "direct", site->link.direct_rtt_us, site->link.direct_jitter_us,
		site->link.direct_judged, site->link.direct_lost);
	json_number(json, "attempts", (int64_t)site->link.attempts);
	json_number(json, "switches", (int64_t)site->link.switches);
	json_object_end(json);
}

static void json_own(struct json *json, const struct control_answer *own)
{
	static const struct {
		uint32_t role;
		const char *word;
	} roles[] = {{ROLE_HUB, "hub"}, {ROLE_REFLECTOR, "reflector"}, {ROLE_ISSUER, "admin"}};
	char id[2 * HASH_SIZE + 1];

	if (!own) {
		json_null(json, "site");
		return;
	}
	print_id(&own->id, id);
	json_object(json, "site");
	json_text(json, "name", own->name);
	json_text(json, "id", id);
	json_address(json, &own->address);
	json_prefixes(json, &own->subnets);
	json_array(json, "roles");
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		if (own->roles & roles[i].role)
			json_text(json, NULL, roles[i].word);
	}
	json_array_end(json);
	json_array(json, "tags");
	for (uint32_t i = 0; i < own->tags.count; i++)
		json_text(json, NULL, own->tags.items[i]);
	json_array_end(json);
	json_object_end(json);
}

static void json_site(struct json *json, const struct control_answer *site)
{
	char text[ENDPOINT_TEXT_SIZE];

	json_object(json, NULL);
	json_text(json, "name", site->name);
	json_address(json, &site->address);
	json_prefixes(json, &site->subnets);
	json_text(json, "path", path_words[site->path]);
	if (site->endpoint.address.family == ADDRESS_NONE) {
		json_null(json, "endpoint");
	} else {
		endpoint_print(&site->endpoint, text);
		json_text(json, "endpoint", text);
	}
	json_milliseconds(json, "rtt_ms", site->rtt_us);
	json_milliseconds(json, "hub_rtt_ms",
		site->path == CONTROL_PATH_DIRECT ? site->link.hub_rtt_us : site->rtt_us);
	json_seconds(json, "last_heard_s", site->age_ms);
	json_bool(json, "hubs_word", site->hubs_word);
	json_number(json, "rx_bytes", (int64_t)site->rx_bytes);
	json_number(json, "tx_bytes", (int64_t)site->tx_bytes);
	json_text(json, "version", site->note);
	json_link(json, site);
	json_object_end(json);
}

static void json_numbers(struct json *json, const struct answers *answers)
{
	char key[CONTROL_TEXT_MAX];

	json_object(json, "limits");
	for (uint32_t i = 0; i < answers->count; i++) {
		const struct control_answer *limit = &answers->items[i];

		if (limit->kind != CONTROL_LIMIT)
			continue;
		json_key(limit->text, key);
		json_object(json, key);
		json_number(json, "used", (int64_t)limit->count);
		json_number(json, "most", (int64_t)limit->of);
		json_number(json, "refused", (int64_t)limit->refused);
		json_object_end(json);
	}
	json_object_end(json);
	json_object(json, "counters");
	for (uint32_t i = 0; i < answers->count; i++) {
		if (answers->items[i].kind != CONTROL_COUNTER)
			continue;
		json_key(answers->items[i].text, key);
		json_number(json, key, (int64_t)answers->items[i].count);
	}
	json_object_end(json);
}

static void print_json(const struct answers *answers)
{
	const struct control_answer *self = find(answers, CONTROL_SELF);
	char text[PREFIX_TEXT_SIZE + 2 * HASH_SIZE + 1];
	struct json json;

	json_init(&json, stdout);
	json_object(&json, NULL);
	if (self && self->prefix.address.family != ADDRESS_NONE) {
		json_object(&json, "collective");
		print_id(&self->id, text);
		json_text(&json, "id", text);
		prefix_print(&self->prefix, text);
		json_text(&json, "supernet", text);
		json_object_end(&json);
	} else {
		json_null(&json, "collective");
	}
	json_text(&json, "state", self ? self->text : "");
	json_own(&json, find_own(answers));
	json_array(&json, "sites");
	for (uint32_t i = 0; i < answers->count; i++) {
		if (answers->items[i].kind == CONTROL_SITE)
			json_site(&json, &answers->items[i]);
	}
	json_array_end(&json);
	json_numbers(&json, answers);
	json_array(&json, "troubles");
	for (uint32_t i = 0; i < answers->count; i++) {
		if (answers->items[i].kind == CONTROL_TROUBLE)
			json_text(&json, NULL, answers->items[i].text);
	}
	json_array_end(&json);
	json_object_end(&json);
	json_end(&json);
}

static int show(const struct invocation *invocation)
{
	struct answers answers = {.count = 0};
	int status = STATUS_FAILED;

	if (gather(invocation, &answers) == 0) {
		if (invocation->given[OPTION_WATCH] && !invocation->given[OPTION_JSON])
			(void)fputs(CLEAR_SCREEN, stdout);
		if (invocation->given[OPTION_JSON])
			print_json(&answers);
		else
			print_plain(&answers);
		(void)fflush(stdout);
		status = STATUS_DONE;
	}
	free(answers.items);
	return status;
}

int command_status(const struct invocation *invocation)
{
	const struct timespec pause = {.tv_sec = 2};
	int status = show(invocation);

	while (status == STATUS_DONE && invocation->given[OPTION_WATCH] && !ferror(stdout)) {
		(void)nanosleep(&pause, NULL);
		status = show(invocation);
	}
	return status;
}
