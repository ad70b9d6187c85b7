/* SPDX-License-Identifier: MIT */
#include "tests/conformance/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 512
#define COLUMNS 6

static const char *const acts[ROWS_ACTS] = {
	[ROWS_BEGIN] = "begin",
	[ROWS_KNOW] = "know",
	[ROWS_OPEN] = "open",
	[ROWS_REST] = "rest",
	[ROWS_MOVE] = "move",
	[ROWS_RESTART] = "restart",
	[ROWS_RENEW] = "renew",
	[ROWS_DIRECT] = "direct",
	[ROWS_BACK] = "back",
};

static void need(bool good, const char *line)
{
	if (good)
		return;
	(void)fprintf(stderr, "the table of rows cannot be read: %s\n", line);
	exit(EXIT_FAILURE);
}

static void copy_word(char to[static ROWS_WORD], const char *word)
{
	need(word && word[0] && strlen(word) < ROWS_WORD, word ? word : "a word is missing");
	(void)snprintf(to, ROWS_WORD, "%s", word);
}

static enum rows_act act_of(const char *word)
{
	for (int i = 0; i < ROWS_ACTS; i++) {
		if (strcmp(acts[i], word) == 0)
			return (enum rows_act)i;
	}
	need(false, word);
	return ROWS_ACTS;
}

/* "every=250": the number, where that is the key; false else. */
static bool read_number(const char *word, const char *key, int64_t *ret)
{
	size_t length = strlen(key);
	char *end;

	if (strncmp(word, key, length) != 0)
		return false;
	*ret = strtol(word + length, &end, 10);
	need(end != word + length && *end == '\0' && *ret >= 0, word);
	return true;
}

/* "a@300", "b:know@100", or "b@heard" */
static void read_step(struct rows_entry *row, char *word)
{
	char *at = strchr(word, '@');
	struct rows_step *step = &row->steps[row->step_count];

	need(at && row->step_count < ROWS_STEPS_MAX && (word[0] == 'a' || word[0] == 'b'), word);
	if (strcmp(at, "@heard") == 0)
		step->at_ms = ROWS_HEARD;
	else
		need(read_number(at, "@", &step->at_ms), word);
	*at = '\0';
	need(word[1] == '\0' || word[1] == ':', word);
	step->side = word[0] == 'b';
	step->act = word[1] == ':' ? act_of(word + 2) : ROWS_BEGIN;
	need(row->step_count == 0 || step->at_ms >= step[-1].at_ms,
		"steps are in the order of time");
	row->step_count++;
}

static void read_meeting(struct rows_entry *row, char **rest)
{
	copy_word(row->types[0], strtok_r(NULL, " ", rest));
	copy_word(row->types[1], strtok_r(NULL, " ", rest));
	for (char *word = strtok_r(NULL, " ", rest); word; word = strtok_r(NULL, " ", rest)) {
		int64_t seconds;

		if (read_number(word, "for=", &seconds))
			row->for_ms = 1000 * seconds;
		else if (!read_number(word, "d=", &row->delay_ms))
			read_step(row, word);
	}
	need(row->for_ms > 0 && row->step_count > 0, row->name);
}

static void read_count(struct rows_entry *row, char **rest)
{
	char act[ROWS_WORD];
	int64_t times = 0;

	copy_word(act, strtok_r(NULL, " ", rest));
	row->repeated = act_of(act);
	for (char *word = strtok_r(NULL, " ", rest); word; word = strtok_r(NULL, " ", rest))
		need(read_number(word, "every=", &row->every_ms) ||
				read_number(word, "times=", &times),
			word);
	row->times = (uint32_t)times;
	copy_word(row->types[0], "public");
	copy_word(row->types[1], "public");
	need(row->every_ms > 0 && times > 0, row->name);
}

static void read_port(struct rows_entry *row, char **rest)
{
	char first[ROWS_WORD];

	copy_word(row->types[0], strtok_r(NULL, " ", rest));
	copy_word(row->types[1], "public");
	copy_word(first, strtok_r(NULL, " ", rest));
	row->peer_first = strcmp(first, "peer") == 0;
	need(row->peer_first || strcmp(first, "home") == 0, first);
}

static void read_switch(struct rows_entry *row, char **rest)
{
	char interfaces[ROWS_WORD];
	char filter[ROWS_WORD];
	char address[ROWS_WORD];
	int64_t number;

	copy_word(interfaces, strtok_r(NULL, " ", rest));
	copy_word(filter, strtok_r(NULL, " ", rest));
	copy_word(address, strtok_r(NULL, " ", rest));
	row->two_interfaces = strcmp(interfaces, "two") == 0;
	row->both_addressed = strcmp(address, "address") == 0;
	need(row->two_interfaces || strcmp(interfaces, "one") == 0, interfaces);
	need(row->both_addressed || strcmp(address, "bare") == 0, address);
	need(read_number(filter, "rp=", &number) && number <= 2, filter);
	row->rp_filter = (unsigned)number;
	copy_word(row->types[0], "public");
	copy_word(row->types[1], "public");
}

static void read_steps(struct rows_entry *row, char *steps)
{
	char *rest;
	const char *kind = strtok_r(steps, " ", &rest);

	need(kind, row->name);
	if (strcmp(kind, "meet") == 0) {
		row->kind = ROWS_MEET;
		read_meeting(row, &rest);
	} else if (strcmp(kind, "count") == 0) {
		row->kind = ROWS_COUNT;
		read_count(row, &rest);
	} else if (strcmp(kind, "port") == 0) {
		row->kind = ROWS_PORT;
		read_port(row, &rest);
	} else {
		need(strcmp(kind, "switch") == 0, kind);
		row->kind = ROWS_SWITCH;
		read_switch(row, &rest);
	}
	need(!strtok_r(NULL, " ", &rest), row->name);
}

static void read_row(struct rows_entry *row, char *line)
{
	char *columns[COLUMNS];
	char *next = line;

	memset(row, 0, sizeof *row);
	for (int i = 0; i < COLUMNS; i++) {
		columns[i] = next;
		next = strstr(next, " | ");
		need(next || i == COLUMNS - 1, line);
		if (!next)
			break;
		*next = '\0';
		next += strlen(" | ");
	}
	copy_word(row->name, columns[0]);
	copy_word(row->lanes, columns[2]);
	copy_word(row->outcome, columns[3]);
	need(strcmp(row->lanes, "lab") == 0 || strcmp(row->lanes, "kernel") == 0 ||
			strcmp(row->lanes, "both") == 0 || strcmp(row->lanes, "none") == 0,
		row->lanes);
	read_steps(row, columns[4]);
	/* Lines with delay need the virtual machine. */
	need(row->delay_ms == 0 || strcmp(row->lanes, "kernel") == 0 ||
			strcmp(row->lanes, "none") == 0,
		row->name);
}

uint32_t rows_read(const char *path, struct rows_entry rows[static ROWS_MAX])
{
	FILE *file = fopen(path, "r");
	char line[LINE_SIZE];
	uint32_t count = 0;

	need(file, path);
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		need(count < ROWS_MAX, "there are too many");
		read_row(&rows[count++], line);
	}
	(void)fclose(file);
	return count;
}

bool rows_has_model(const struct rows_entry *row)
{
	return row->kind != ROWS_SWITCH || !row->two_interfaces || row->rp_filter == 2;
}
