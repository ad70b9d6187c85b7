/* SPDX-License-Identifier: MIT */
/*
 * scenario_write.c - a failure as a file that can be read again, by people and by scenario_load().
 */
#include <inttypes.h>
#include <string.h>

#include "simulator/scenario.h"

/* In the largest unit in which it is whole. */
static void write_time(FILE *out, usec_t time)
{
	if (time % USEC_SECOND == 0)
		(void)fprintf(out, "%" PRId64 "s", time / USEC_SECOND);
	else if (time % USEC_MSEC == 0)
		(void)fprintf(out, "%" PRId64 "ms", time / USEC_MSEC);
	else
		(void)fprintf(out, "%" PRId64 "us", time);
}

static void write_key_time(FILE *out, const char *before, usec_t time)
{
	(void)fputs(before, out);
	write_time(out, time);
}

/* Per million, as a percentage without zeros that say nothing. */
static void write_share(FILE *out, const char *name, uint32_t share)
{
	uint32_t part = share % 10000;
	int places = 4;

	if (share == 0)
		return;
	(void)fprintf(out, ", %s: %u", name, share / 10000);
	for (; part > 0 && part % 10 == 0; part /= 10)
		places--;
	if (part > 0)
		(void)fprintf(out, ".%0*u", places, part);
	(void)fputc('%', out);
}

static void write_line(FILE *out, const struct link_options *line)
{
	write_key_time(out, "line: {delay: ", line->delay);
	if (line->jitter > 0)
		write_key_time(out, ", jitter: ", line->jitter);
	write_share(out, "loss", line->loss);
	if (line->well > 0) {
		write_key_time(out, ", well: ", line->well);
		write_key_time(out, ", ill: ", line->ill);
	}
	write_share(out, "duplicate", line->duplicate);
	write_share(out, "reorder", line->reorder);
	if (line->rate > 0)
		(void)fprintf(out, ", rate: %" PRIu64, line->rate);
	if (line->queue > 0)
		write_key_time(out, ", queue: ", line->queue);
	if (line->mtu > 0)
		(void)fprintf(out, ", mtu: %u", line->mtu);
	(void)fprintf(out, ", hops: %u", line->hops);
	(void)fputs("}\n", out);
}

static void write_links(FILE *out, const struct scenario *scenario)
{
	if (scenario->links)
		(void)fprintf(out, "links: %s\n", links_name(scenario->when));
}

static void write_routers(FILE *out, const struct scenario *scenario)
{
	for (uint32_t i = 0; i < scenario->router_count; i++)
		(void)fprintf(out, "%s%s", i == 0 ? "routers: [" : ", ", scenario->router_names[i]);
	if (scenario->router_count > 0)
		(void)fputs("]\n", out);
}

static void write_mischief(FILE *out, const struct scenario *scenario)
{
	for (uint32_t i = 0; i < scenario->mischief_count; i++) {
		const struct scenario_mischief *entry = &scenario->mischief[i];

		(void)fprintf(out, "%s  - {site: %u, does: %s", i == 0 ? "mischief:\n" : "",
			entry->site, mischief_name(entry->kind));
		if (entry->kind == MISCHIEF_CENSOR)
			(void)fprintf(out, ", to: %u", entry->victim);
		(void)fputs("}\n", out);
	}
}

static void write_events(FILE *out, const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct plan_item *item = &plan->items[i];

		(void)fputs(i == 0 ? "events:\n" : "", out);
		write_key_time(out, "  - {at: ", item->at);
		(void)fprintf(out, ", do: %s, site: %u", plan_kind_name(item->kind), item->site);
		if (item->lasts > 0)
			write_key_time(out, ", for: ", item->lasts);
		if (plan_kind_has_other(item->kind))
			(void)fprintf(out, ", to: %" PRId64, item->value);
		if (plan_kind_has_value(item->kind))
			(void)fprintf(out, ", value: %" PRId64, item->value);
		(void)fputs("}\n", out);
	}
}

static void write_properties(FILE *out, const struct scenario *scenario)
{
	bool first = true;

	(void)fputs("properties: [", out);
	for (int property = PROPERTY_NONE + 1; property < PROPERTIES; property++) {
		if (!(scenario->properties >> property & 1))
			continue;
		(void)fprintf(
			out, "%s%s", first ? "" : ", ", property_name((enum property)property));
		first = false;
	}
	(void)fputs("]\n", out);
}

/* A character of two or three bytes that YAML would take for a line end, or not take at all. */
static uint32_t awkward(const uint8_t *at, size_t *size)
{
	uint32_t value = 0;

	if (at[0] == 0xc2 && at[1] != '\0') {
		*size = 2;
		value = 0x80u + (at[1] & 0x3fu);
		return value <= 0xa0 ? value : 0;
	}
	if ((at[0] == 0xe2 || at[0] == 0xef) && at[1] != '\0' && at[2] != '\0') {
		*size = 3;
		value = (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
		return value == 0x2028 || value == 0x2029 || value == 0xfeff || value >= 0xfffe
			       ? value
			       : 0;
	}
	return 0;
}

static void write_text(FILE *out, const char *text)
{
	(void)fputc('"', out);
	for (const uint8_t *at = (const uint8_t *)text; *at; at++) {
		size_t size = 1;
		uint32_t value = awkward(at, &size);

		if (value > 0) {
			(void)fprintf(out, "\\u%04x", value);
			at += size - 1;
		} else if (*at < 0x20 || *at == 0x7f) {
			(void)fprintf(out, "\\x%02x", *at);
		} else {
			if (*at == '"' || *at == '\\')
				(void)fputc('\\', out);
			(void)fputc(*at, out);
		}
	}
	(void)fputs("\"\n", out);
}

static const char *crypto_word(const struct scenario *scenario)
{
	if (scenario->crypto_by_seed)
		return "by-seed";
	return scenario->real_crypto ? "real" : "stub";
}

void scenario_write(FILE *out, const struct scenario *scenario)
{
	(void)fputs("# This is how a run failed: collective-sim replay FILE runs it again, "
		    "shrink FILE makes it smaller.\n"
		    "claim: ",
		out);
	write_text(out, scenario->claim);
	(void)fprintf(out, "sites: %u\nacquainted: %s\njoining: %s\ncrypto: %s\n", scenario->sites,
		scenario->acquainted ? "true" : "false", scenario->joining ? "true" : "false",
		crypto_word(scenario));
	write_key_time(out, "duration: ", scenario->duration);
	if (scenario->heal_at != USEC_NEVER)
		write_key_time(out, "\nheal: ", scenario->heal_at);
	write_key_time(out, "\nsettle: ", scenario->settle);
	(void)fputc('\n', out);
	write_line(out, &scenario->line);
	write_links(out, scenario);
	write_routers(out, scenario);
	write_mischief(out, scenario);
	write_events(out, &scenario->plan);
	write_properties(out, scenario);
	(void)fprintf(out, "seed: %" PRIu64 "\nfails: %s\n", scenario->seed,
		property_name(scenario->expected));
	if (scenario->hash != 0)
		(void)fprintf(out, "hash: 0x%016" PRIx64 "\n", scenario->hash);
	(void)fputs("program: ", out);
	write_text(out, scenario->program[0] ? scenario->program : COLLECTIVE_VERSION);
}
