/* SPDX-License-Identifier: MIT */
/*
 * config_commands.c - "collective config ...".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/command.h"
#include "agent/json.h"
#include "base/text.h"
#include "config/config.h"
#include "config/schema.h"
#include "store/store.h"

#define NOTE_SIZE 256

/* A configuration that was checked. */
struct check {
	const char *file;
	struct config config;
	struct problems problems;
	bool failed;          /* the state is there and cannot be read */
	bool absent;          /* there is no such file, and there need not be */
	char note[NOTE_SIZE]; /* what was not checked, and why; empty: all was */
};

static const char *peek_failure(int r)
{
	switch (r) {
	case -ENOENT:
		return "this site belongs to none yet";
	case -EACCES:
		return "only root and the agent may look there";
	case -EBADMSG:
		return "the state there is damaged";
	default:
		return strerror(-r);
	}
}

/* Checks against the collective's own network, where this site knows one. */
static void check_supernet(struct check *check, const char *state)
{
	struct store_value value;
	char text[PREFIX_TEXT_SIZE];
	struct prefix supernet;
	int r = store_peek(state, STORE_SETTING, 0, "supernet", &value);

	if (r == 0 && value.size < sizeof text) {
		memcpy(text, value.bytes, value.size);
		text[value.size] = '\0';
		if (prefix_parse(text, &supernet) == 0) {
			(void)config_check_supernet(&check->config, &supernet, &check->problems);
			return;
		}
		r = -EBADMSG;
	}
	check->failed = r == -EBADMSG;
	(void)snprintf(check->note, sizeof check->note,
		"not checked against the collective's own network: %s: %s", state,
		peek_failure(r < 0 ? r : -EBADMSG));
}

static void print_json(const struct check *check)
{
	struct json json;

	json_init(&json, stdout);
	json_object(&json, NULL);
	json_text(&json, "file", check->file);
	json_bool(&json, "present", !check->absent);
	json_array(&json, "problems");
	for (uint32_t i = 0; i < check->problems.count; i++) {
		const struct problem *problem = &check->problems.items[i];

		json_object(&json, NULL);
		json_number(&json, "line", problem->line);
		json_number(&json, "column", problem->column);
		json_text(&json, "text", problem->text);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_number(&json, "problems_not_shown", check->problems.dropped);
	if (check->note[0])
		json_text(&json, "note", check->note);
	else
		json_null(&json, "note");
	json_object_end(&json);
	json_end(&json);
}

static void print_plain(const struct check *check)
{
	uint32_t count = check->problems.count + check->problems.dropped;

	for (uint32_t i = 0; i < check->problems.count; i++) {
		const struct problem *problem = &check->problems.items[i];

		if (problem->line > 0)
			(void)fprintf(stderr, "%s:%" PRIu32 ":%" PRIu32 ": %s\n", check->file,
				problem->line, problem->column, problem->text);
		else
			(void)fprintf(stderr, "%s: %s\n", check->file, problem->text);
	}
	if (check->problems.dropped > 0)
		(void)fprintf(
			stderr, "%s: and %" PRIu32 " more\n", check->file, check->problems.dropped);
	if (count > 0)
		(void)fprintf(stderr, "%s: %" PRIu32 " problem%s\n", check->file, count,
			count == 1 ? "" : "s");
	else if (check->absent)
		(void)printf("%s: there is no such file; every key has its default\n", check->file);
	else
		(void)printf("%s: no problems\n", check->file);
	if (check->note[0])
		(void)fprintf(stderr, "%s\n", check->note);
}

int command_config_check(const struct invocation *invocation)
{
	bool named = invocation->count > 0;
	struct check *check = calloc(1, sizeof *check);
	int status;
	int r;

	if (!check) {
		say("out of memory");
		return STATUS_FAILED;
	}
	check->file = named ? invocation->words[0] : invocation->values[OPTION_CONFIG];
	r = config_load(&check->config, check->file, &check->problems);
	if (r == -ENOENT && !named && !invocation->given[OPTION_CONFIG]) {
		check->absent = true;
		r = config_defaults(&check->config);
	}
	if (r < 0 && r != -EINVAL) {
		say("%s: %s", check->file, strerror(-r));
		free(check);
		return STATUS_FAILED;
	}
	if (check->config.site_lan.count + check->config.isolate.count > 0)
		check_supernet(check, invocation->values[OPTION_STATE]);
	if (invocation->given[OPTION_JSON])
		print_json(check);
	else
		print_plain(check);
	status = check->problems.count > 0 || check->failed ? STATUS_FAILED : STATUS_DONE;
	free(check);
	return status;
}

int command_config_example(const struct invocation *invocation)
{
	(void)invocation;
	schema_print_example(stdout);
	return STATUS_DONE;
}

static void print_key_json(struct json *json, const struct schema_key *key)
{
	char allowed[SCHEMA_ALLOWED_SIZE];

	schema_allowed(key, allowed);
	json_object(json, NULL);
	json_text(json, "key", key->path);
	json_text(json, "allowed", allowed);
	json_text(json, "default", key->fallback);
	json_text(json, "help", key->help);
	json_object_end(json);
}

static void print_key(const struct schema_key *key)
{
	char allowed[SCHEMA_ALLOWED_SIZE];

	schema_allowed(key, allowed);
	(void)printf("%s\n\n%s\n\nAllowed: %s.\nDefault: %s.\n", key->path, key->help, allowed,
		key->fallback[0] ? key->fallback : "none");
}

static int refuse_key(const char *path)
{
	struct text_nearest nearest;
	char shown[64];

	text_nearest_init(&nearest, path);
	for (size_t i = 0; i < schema_key_count; i++)
		text_nearest_offer(&nearest, schema_keys[i].path);
	for (size_t i = 0; i < schema_key_count && !nearest.best; i++) {
		const char *leaf = strrchr(schema_keys[i].path, '.');

		if (leaf && strcmp(leaf + 1, path) == 0)
			nearest.best = schema_keys[i].path;
	}
	text_show(path, strlen(path), shown, sizeof shown);
	if (nearest.best)
		say("there is no key \"%s\": did you mean \"%s\"?", shown, nearest.best);
	else
		say("there is no key \"%s\": \"collective config keys\" lists them", shown);
	return STATUS_WRONG_USE;
}

/* Whether a key is the one that was named, or in the section that was named. */
static bool is_wanted(const struct schema_key *key, const char *name)
{
	size_t length = strlen(name);

	return strncmp(key->path, name, length) == 0 &&
	       (length == 0 || key->path[length] == '\0' || key->path[length] == '.');
}

int command_config_keys(const struct invocation *invocation)
{
	const char *name = invocation->count > 0 ? invocation->words[0] : "";
	const struct schema_key *wanted = schema_find(name);
	size_t count = 0;
	struct json json;

	for (size_t i = 0; i < schema_key_count; i++)
		count += is_wanted(&schema_keys[i], name);
	if (count == 0)
		return refuse_key(name);
	if (invocation->given[OPTION_JSON]) {
		json_init(&json, stdout);
		json_array(&json, NULL);
		for (size_t i = 0; i < schema_key_count; i++) {
			if (is_wanted(&schema_keys[i], name))
				print_key_json(&json, &schema_keys[i]);
		}
		json_array_end(&json);
		json_end(&json);
	} else if (wanted) {
		print_key(wanted);
	} else {
		for (size_t i = 0; i < schema_key_count; i++) {
			if (is_wanted(&schema_keys[i], name))
				(void)printf("%s\n", schema_keys[i].path);
		}
	}
	return STATUS_DONE;
}
