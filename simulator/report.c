/* SPDX-License-Identifier: MIT */
#include "simulator/report.h"

#include <inttypes.h>

#include "simulator/options.h"

#define MILLISECONDS(time) \
	(time) / USEC_SECOND, (time) % USEC_SECOND / USEC_MSEC /* as "%" PRId64 ".%03" PRId64 */

static void print_failure(const struct scenario *scenario, const struct batch_report *report)
{
	const struct run_result *result = &report->result;

	(void)printf("%s seed %" PRIu64 ": %s DOES NOT HOLD", scenario->name, report->seed,
		property_name(result->failed));
	if (!report->died)
		(void)printf(" after %" PRId64 ".%03" PRId64 " s", MILLISECONDS(result->at));
	(void)printf(": %s\n", result->text);
}

void report_plain(const struct scenario *scenario, const struct batch_report *report)
{
	const struct run_result *result = &report->result;

	if (result->failed != PROPERTY_NONE) {
		print_failure(scenario, report);
		return;
	}
	(void)printf("%s seed %" PRIu64 ": ", scenario->name, report->seed);
	if (report->died) {
		(void)printf("died: %s\n", report->how);
		return;
	}
	(void)printf("held");
	if (result->converged != USEC_NEVER)
		(void)printf("; agreed after %" PRId64 ".%03" PRId64 " s",
			MILLISECONDS(result->converged));
	(void)printf("; %" PRIu64 " event%s, %" PRIu64 " byte%s, trace %016" PRIx64 "\n",
		result->events, PLURAL(result->events), result->bytes, PLURAL(result->bytes),
		result->hash);
}

void report_death(const struct batch_report *report)
{
	if (report->died)
		say("seed %" PRIu64 " died: %s", report->seed, report->how);
}

/* JSON. */

/* The bytes of a character that is right UTF-8; 0: it is not. */
static int character_size(const uint8_t *at)
{
	int size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (at[0] > 0xf4)
		return 0;
	for (int i = 1; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	/* No second form of a shorter one, no half of a pair, nothing beyond the last. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		(at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return size;
}

static void print_text(const char *key, const char *text)
{
	const uint8_t *at = (const uint8_t *)text;

	(void)printf("\"%s\":\"", key);
	while (*at) {
		int size = character_size(at);

		if (size == 0)
			(void)printf("\\ufffd");
		else if (*at < 0x20 || *at == 0x7f)
			(void)printf("\\u%04x", *at);
		else
			(void)printf("%s%.*s", *at == '"' || *at == '\\' ? "\\" : "", size,
				(const char *)at);
		at += size > 0 ? size : 1;
	}
	(void)putchar('"');
}

void report_json(const struct scenario *scenario, const struct batch_report *report)
{
	const struct run_result *result = &report->result;

	(void)putchar('{');
	print_text("scenario", scenario->name);
	(void)printf(",\"seed\":%" PRIu64 ",\"held\":%s,\"died\":%s,\"property\":\"%s\",",
		report->seed, result->failed == PROPERTY_NONE ? "true" : "false",
		report->died ? "true" : "false", property_name(result->failed));
	print_text("text", report->died ? report->how : result->text);
	(void)printf(",\"at_us\":%" PRId64 ",\"hash\":\"%016" PRIx64 "\",\"events\":%" PRIu64
		     ",\"virtual_us\":%" PRId64 ",\"bytes\":%" PRIu64 ",\"converged_us\":%" PRId64
		     ",\"idle_bytes_per_s\":%" PRIu64 "}\n",
		result->at, result->hash, result->events, result->virtual_time, result->bytes,
		result->converged == USEC_NEVER ? -1 : result->converged, result->idle);
}

void report_scenario_json(const struct scenario *scenario)
{
	(void)putchar('{');
	print_text("scenario", scenario->name);
	(void)printf(",\"sites\":%u,\"seeds\":%u,", scenario->sites, scenario->seeds);
	print_text("claim", scenario->claim);
	(void)printf("}\n");
}
