/* SPDX-License-Identifier: MIT */
/*
 * doctor_command.c - "collective doctor".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/client.h"
#include "agent/command.h"
#include "agent/doctor.h"
#include "agent/json.h"
#include "agent/memory.h"
#include "store/store.h"

#define PATIENCE (5 * USEC_SECOND)

static const char *const weight_words[] = {
	[DOCTOR_WELL] = "well",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_TROUBLE] = "trouble",
};

struct visit {
	struct config config;
	struct problems problems;
	struct doctor_report report;
};

static void read_supernet(const char *state, struct prefix *ret)
{
	struct store_value value;
	char text[PREFIX_TEXT_SIZE];

	if (store_peek(state, STORE_SETTING, 0, "supernet", &value) < 0 ||
		value.size >= sizeof text)
		return;
	memcpy(text, value.bytes, value.size);
	text[value.size] = '\0';
	(void)prefix_parse(text, ret);
}

/* What the agent, if there is one, knows of this site's networks. */
static void ask_agent(const char *directory, struct doctor_patient *patient)
{
	const struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_STATUS};
	struct control_answer *answer = memory_zeroed(1, sizeof *answer);
	struct client client;
	int r = client_open(&client, directory);

	patient->agent_runs = r == 0;
	if (r == 0)
		r = client_ask(&client, &request);
	while (r == 0) {
		r = client_answer(&client, PATIENCE, answer);
		if (r < 0 || answer->kind == CONTROL_DONE || answer->kind == CONTROL_FAILED)
			break;
		if (answer->kind == CONTROL_SELF)
			patient->port = (uint16_t)answer->count;
		if (answer->kind == CONTROL_COUNTER &&
			strcmp(answer->text, CONTROL_COUNTER_REPAIRS) == 0)
			patient->repairs = answer->count;
		if (answer->kind != CONTROL_SITE)
			continue;
		if (answer->path != CONTROL_PATH_SELF) {
			patient->member = answer->address;
			if (answer->roles & ROLE_HUB)
				patient->hub = answer->endpoint;
			continue;
		}
		patient->announced = answer->subnets;
		patient->own = answer->address;
		patient->role = answer->roles & ROLE_HUB ? DOCTOR_HUB : DOCTOR_SPOKE;
	}
	if (patient->agent_runs)
		client_close(&client);
	free(answer);
}

/* Without an agent: what the configuration offers. */
static void take_offered(const struct config *config, struct doctor_patient *patient)
{
	for (uint32_t i = 0; i < config->site_lan.count && i < FIELD_PREFIXES_MAX; i++)
		patient->announced.items[patient->announced.count++] =
			config->site_lan.items[i].prefix;
}

static void print_plain(const struct doctor_report *report)
{
	for (uint32_t i = 0; i < report->count; i++) {
		const struct doctor_finding *finding = &report->items[i];

		(void)printf("%-8s %-14s %s\n", weight_words[finding->weight], finding->subject,
			finding->text);
		if (finding->remedy[0])
			(void)printf("%-8s %-14s   %s\n", "", "", finding->remedy);
	}
}

static void print_json(const struct doctor_report *report)
{
	struct json json;

	json_init(&json, stdout);
	json_object(&json, NULL);
	json_array(&json, "findings");
	for (uint32_t i = 0; i < report->count; i++) {
		const struct doctor_finding *finding = &report->items[i];

		json_object(&json, NULL);
		json_text(&json, "weight", weight_words[finding->weight]);
		json_text(&json, "subject", finding->subject);
		json_text(&json, "text", finding->text);
		json_text(&json, "remedy", finding->remedy);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	json_end(&json);
}

int command_doctor(const struct invocation *invocation)
{
	struct visit *visit = memory_zeroed(1, sizeof *visit);
	struct doctor_patient patient = {
		.config = &visit->config, .supernet = {{.family = ADDRESS_NONE}, 0}};
	const char *file = invocation->values[OPTION_CONFIG];
	int r = config_load(&visit->config, file, &visit->problems);
	bool trouble = false;

	if (r == -EINVAL)
		say("%s has mistakes: \"collective config check\" names them", file);
	else if (r < 0)
		r = config_defaults(&visit->config);
	if (r == 0 || r == -EINVAL) {
		read_supernet(invocation->values[OPTION_STATE], &patient.supernet);
		ask_agent(invocation->values[OPTION_RUN], &patient);
		if (patient.announced.count == 0)
			take_offered(&visit->config, &patient);
		doctor_examine(&patient, &visit->report);
	}
	if (invocation->given[OPTION_JSON])
		print_json(&visit->report);
	else
		print_plain(&visit->report);
	for (uint32_t i = 0; i < visit->report.count; i++)
		trouble = trouble || visit->report.items[i].weight == DOCTOR_TROUBLE;
	free(visit);
	return trouble || r < 0 ? STATUS_FAILED : STATUS_DONE;
}
