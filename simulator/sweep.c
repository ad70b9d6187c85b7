/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - the same collective with few sites and many, near and far, on good lines and bad.
 *
 * Every figure is an integer and every trial has its own seed, so the files are the same bytes
 * wherever and with however many jobs they are made.
 */
#include "simulator/sweep.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simulator/chart.h"
#include "simulator/jobs.h"
#include "simulator/trial.h"

#define SIZES 9
#define DELAYS 3
#define LOSSES 3
#define DELAY_MIDDLE 1
#define LOSS_HIGH 2
#define POINTS_MAX (SIZES * DELAYS * LOSSES)
#define FEW_LINES_FROM 200 /* sites: the middle delay alone, without the highest loss */
#define ONE_SEED_FROM 500
#define CHANGES_MIN 40   /* a datagram that the origin loses is one chance for all sites */
#define TIMES_WANTED 200 /* by each trial, for its 99th percentile to mean something */
#define FIELDS_MAX 24

/* The limits of design: what the protocol is held to. */
#define LIMIT_ABOVE_P50 (25 * USEC_MSEC)
#define LIMIT_ABOVE_P99 (300 * USEC_MSEC)
#define LIMIT_LOSS_MAX 10000 /* per million: so bad a line they hold for */
#define LIMIT_CHANGE_BYTES 26000
#define LIMIT_IDLE 400 /* tenths of a byte a second */
#define LIMIT_SITES 50 /* for which bytes are limited */

static const uint32_t sizes[SIZES] = {2, 5, 10, 20, 50, 100, 200, 500, 1000};
static const usec_t delays[DELAYS] = {5 * USEC_MSEC, 20 * USEC_MSEC, 80 * USEC_MSEC};
static const uint32_t losses[LOSSES] = {0, 10000, 100000}; /* per million */

/* One size on one kind of line: what its trials gave together. */
struct outcome {
	uint32_t sites;
	uint32_t delay; /* number of it */
	uint32_t loss;
	uint32_t first; /* trial */
	uint32_t trials;
	uint32_t changes;
	uint32_t times;
	uint32_t missed; /* times that were over before the change came */
	usec_t p50;
	usec_t p99;
	usec_t worst;
	usec_t above_p50; /* over what the wires alone take */
	usec_t above_p99;
	int64_t change_bytes;     /* on all wires, by one change */
	int64_t change_datagrams; /* tenths */
	int64_t after_bytes;      /* with the comparisons and keepalives that follow */
	usec_t cold_p50;
	usec_t cold_worst;
	uint64_t cold_bytes; /* by each site */
	uint64_t idle;       /* tenths of a byte a second on a spoke's line */
};

/* What the workers share with the one that waits; behind it stand the trials' times. */
struct shared {
	atomic_uint next; /* trial that nobody has begun */
	struct trial trials[];
};

struct sweep {
	const struct sweep_options *options;
	char command[128];
	uint32_t row_count;
	struct outcome rows[POINTS_MAX];
	uint32_t trial_count;
	struct shared *shared;
	size_t shared_size;
};

/* What is to be done. */

static uint32_t change_count(uint32_t sites)
{
	uint32_t wanted = (TIMES_WANTED + sites - 2) / (sites - 1);

	return wanted > CHANGES_MIN ? wanted : CHANGES_MIN;
}

static void add_row(struct sweep *sweep, uint32_t sites, uint32_t delay, uint32_t loss)
{
	uint64_t seeds = sweep->options->last - sweep->options->first + 1;
	struct outcome *row = &sweep->rows[sweep->row_count++];

	*row = (struct outcome){.sites = sites, .delay = delay, .loss = loss};
	row->first = sweep->trial_count;
	row->trials = sites >= ONE_SEED_FROM ? 1 : (uint32_t)seeds;
	sweep->trial_count += row->trials;
}

static void add_rows(struct sweep *sweep)
{
	for (uint32_t i = 0; i < SIZES && sizes[i] <= sweep->options->sites_max; i++) {
		for (uint32_t k = 0; k < DELAYS * LOSSES; k++) {
			bool plain = k / LOSSES == DELAY_MIDDLE && k % LOSSES != LOSS_HIGH;

			if (plain || sizes[i] < FEW_LINES_FROM)
				add_row(sweep, sizes[i], k / LOSSES, k % LOSSES);
		}
	}
}

static int share_memory(struct sweep *sweep)
{
	size_t size = sizeof(struct shared) + sweep->trial_count * sizeof(struct trial);
	usec_t *took;

	for (uint32_t i = 0; i < sweep->row_count; i++) {
		const struct outcome *row = &sweep->rows[i];

		size += sizeof(usec_t) * row->trials * change_count(row->sites) * (row->sites - 1);
	}
	sweep->shared_size = size;
	sweep->shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sweep->shared == MAP_FAILED) {
		(void)fprintf(stderr, "memory for results: %s\n", strerror(errno));
		return -ENOMEM;
	}
	took = (usec_t *)(sweep->shared->trials + sweep->trial_count);
	for (uint32_t i = 0; i < sweep->row_count; i++) {
		const struct outcome *row = &sweep->rows[i];

		for (uint32_t k = 0; k < row->trials; k++) {
			struct trial *trial = &sweep->shared->trials[row->first + k];

			*trial = (struct trial){
				.sites = row->sites,
				.delay = delays[row->delay],
				.loss = losses[row->loss],
				.seed = sweep->options->first + k,
				.changes = change_count(row->sites),
				.took = took,
			};
			took += trial_times(trial);
		}
	}
	return 0;
}

/* The longest first, so that no worker begins one when the others have nothing left. */
static void work(void *context, unsigned job, int out)
{
	struct sweep *sweep = context;
	const uint8_t done = 1;
	uint32_t number;

	(void)job;
	while ((number = atomic_fetch_add(&sweep->shared->next, 1)) < sweep->trial_count) {
		trial_run(&sweep->shared->trials[sweep->trial_count - 1 - number]);
		if (write(out, &done, sizeof done) != (ssize_t)sizeof done)
			_exit(1);
	}
}

static int run_trials(struct sweep *sweep)
{
	struct jobs jobs;
	uint32_t done = 0;
	uint8_t byte;
	int r = jobs_begin(&jobs, "sweep", sweep->options->jobs, work, sweep);

	if (r < 0) {
		(void)fprintf(stderr, "pipe: %s\n", strerror(-r));
		return r;
	}
	while (read(jobs.from, &byte, sizeof byte) == (ssize_t)sizeof byte)
		jobs_progress(&jobs, ++done, sweep->trial_count);
	jobs_end(&jobs);
	if (done == sweep->trial_count)
		return 0;
	(void)fprintf(stderr, "%" PRIu32 " runs ended before they were done\n",
		sweep->trial_count - done);
	return -EIO;
}

/* Results. */

static int by_time(const void *a, const void *b)
{
	usec_t one = *(const usec_t *)a;
	usec_t other = *(const usec_t *)b;

	return (one > other) - (one < other);
}

/* The nearest rank among sorted ones. */
static usec_t percentile(const usec_t *sorted, uint32_t count, uint32_t percent)
{
	return sorted[((uint64_t)count * percent + 99) / 100 - 1];
}

static void sum_times(struct outcome *row, const struct trial *trials)
{
	uint32_t each = trial_times(&trials[0]);
	usec_t *took = calloc(2 * (size_t)row->trials * each, sizeof *took);
	usec_t *above = took + (size_t)row->trials * each;

	assert(took);
	for (uint32_t i = 0; i < row->trials; i++) {
		for (uint32_t k = 0; k < each; k++) {
			usec_t one = trials[i].took[k];

			row->missed += one == USEC_NEVER;
			took[row->times] = one;
			above[row->times++] = one == USEC_NEVER ? one
								: one - trial_bound(&trials[i], k);
		}
	}
	qsort(took, row->times, sizeof *took, by_time);
	qsort(above, row->times, sizeof *above, by_time);
	row->p50 = percentile(took, row->times, 50);
	row->p99 = percentile(took, row->times, 99);
	row->worst = took[row->times - 1];
	row->above_p50 = percentile(above, row->times, 50);
	row->above_p99 = percentile(above, row->times, 99);
	free(took);
}

static void sum_cold(struct outcome *row, const struct trial *trials)
{
	usec_t *cold = calloc(row->trials, sizeof *cold);

	assert(cold);
	for (uint32_t i = 0; i < row->trials; i++)
		cold[i] = trials[i].cold;
	qsort(cold, row->trials, sizeof *cold, by_time);
	row->cold_p50 = percentile(cold, row->trials, 50);
	row->cold_worst = cold[row->trials - 1];
	free(cold);
}

static void sum_row(struct outcome *row, const struct trial *trials)
{
	uint64_t cold = 0;
	uint64_t idle = 0;
	int64_t bytes = 0;
	int64_t datagrams = 0;
	int64_t after = 0;

	assert(row->sites > 1 && row->trials > 0);
	for (uint32_t i = 0; i < row->trials; i++) {
		const struct trial *trial = &trials[i];

		row->changes += trial->changes;
		cold += trial->cold_bytes;
		idle += trial->idle_spokes;
		bytes += (int64_t)(trial->with.soon_bytes - trial->without.soon_bytes);
		datagrams += (int64_t)(trial->with.soon_datagrams - trial->without.soon_datagrams);
		after += (int64_t)(trial->with.later_bytes - trial->without.later_bytes);
	}
	row->change_bytes = bytes / row->changes;
	row->change_datagrams = 10 * datagrams / row->changes;
	row->after_bytes = after / row->changes;
	row->cold_bytes = cold / row->trials / row->sites;
	row->idle = 10 * idle / row->trials / (row->sites - 1) /
		    (uint64_t)(TRIAL_IDLE_FOR / USEC_SECOND);
	sum_times(row, trials);
	sum_cold(row, trials);
}

/* CSV and JSON. */

struct field {
	const char *name;
	char text[32]; /* a number; empty: it never came to be */
};

struct fields {
	uint32_t count;
	struct field items[FIELDS_MAX];
};

static void add_number(struct fields *fields, const char *name, int64_t value, int64_t unit)
{
	struct field *field = &fields->items[fields->count++];

	field->name = name;
	field->text[0] = '\0';
	if (value != USEC_NEVER)
		chart_number(value, unit, field->text, sizeof field->text);
}

static void list_fields(const struct outcome *row, struct fields *fields)
{
	int64_t others = row->sites - 1;

	fields->count = 0;
	add_number(fields, "sites", row->sites, 1);
	add_number(fields, "delay_ms", delays[row->delay], USEC_MSEC);
	add_number(fields, "loss_percent", losses[row->loss], 10000);
	add_number(fields, "seeds", row->trials, 1);
	add_number(fields, "changes", row->changes, 1);
	add_number(fields, "times", row->times, 1);
	add_number(fields, "missed", row->missed, 1);
	add_number(fields, "change_p50_us", row->p50, 1);
	add_number(fields, "change_p99_us", row->p99, 1);
	add_number(fields, "change_worst_us", row->worst, 1);
	add_number(fields, "above_bound_p50_us", row->above_p50, 1);
	add_number(fields, "above_bound_p99_us", row->above_p99, 1);
	add_number(fields, "change_bytes", row->change_bytes, 1);
	add_number(fields, "change_bytes_per_site", row->change_bytes / others, 1);
	add_number(fields, "change_datagrams", row->change_datagrams, 10);
	add_number(fields, "change_and_after_bytes", row->after_bytes, 1);
	add_number(fields, "change_and_after_bytes_per_site", row->after_bytes / others, 1);
	add_number(fields, "cold_p50_us", row->cold_p50, 1);
	add_number(fields, "cold_worst_us", row->cold_worst, 1);
	add_number(fields, "cold_bytes_per_site", (int64_t)row->cold_bytes, 1);
	add_number(fields, "idle_bytes_per_s", (int64_t)row->idle, 10);
}

static void write_csv(FILE *out, const struct sweep *sweep)
{
	for (uint32_t i = 0; i < sweep->row_count; i++) {
		struct fields fields;

		list_fields(&sweep->rows[i], &fields);
		for (uint32_t k = 0; i == 0 && k < fields.count; k++)
			(void)fprintf(out, "%s%s", k ? "," : "", fields.items[k].name);
		for (uint32_t k = 0; k < fields.count; k++)
			(void)fprintf(out, "%s%s", k ? "," : i ? "" : "\n", fields.items[k].text);
		(void)fputc('\n', out);
	}
}

static void write_json(FILE *out, const struct sweep *sweep)
{
	(void)fprintf(out,
		"{\"command\":\"%s\",\n\"limits\":{\"loss_percent\":1,\"above_bound_p50_us\":"
		"%" PRId64 ",\"above_bound_p99_us\":%" PRId64
		",\"bytes_for_sites\":%d,\"change_bytes\":%d,\"idle_bytes_per_s\":%d},\n"
		"\"rows\":[",
		sweep->command, LIMIT_ABOVE_P50, LIMIT_ABOVE_P99, LIMIT_SITES, LIMIT_CHANGE_BYTES,
		LIMIT_IDLE / 10);
	for (uint32_t i = 0; i < sweep->row_count; i++) {
		struct fields fields;

		list_fields(&sweep->rows[i], &fields);
		for (uint32_t k = 0; k < fields.count; k++) {
			const struct field *field = &fields.items[k];

			(void)fprintf(out, "%s\"%s\":%s",
				k   ? ","
				: i ? ",\n{"
				    : "\n{",
				field->name, field->text[0] ? field->text : "null");
		}
		(void)fputc('}', out);
	}
	(void)fputs("\n]}\n", out);
}

/* Figures. */

static const char *const loss_names[LOSSES] = {"no loss", "1 % loss", "10 % loss"};
static const char *const p50_names[LOSSES] = {"p50", NULL, NULL};
static const char *const p99_names[LOSSES] = {NULL, "p99, 1 %", "p99, 10 %"};

enum figure {
	FIGURE_P50,
	FIGURE_P99,
	FIGURE_CHANGE,
	FIGURE_AFTER,
	FIGURE_COLD,
	FIGURE_IDLE,
};

static int64_t figure_of(const struct outcome *row, enum figure figure)
{
	switch (figure) {
	case FIGURE_P50:
		return row->p50;
	case FIGURE_P99:
		return row->p99;
	case FIGURE_CHANGE:
		return row->change_bytes / (row->sites - 1);
	case FIGURE_AFTER:
		return row->after_bytes / (row->sites - 1);
	case FIGURE_COLD:
		return (int64_t)row->cold_bytes;
	case FIGURE_IDLE:
		return (int64_t)row->idle;
	}
	return 0;
}

/* One curve for each loss on lines of this delay. */
static void add_curves(struct chart_panel *panel, const struct sweep *sweep, uint32_t delay,
	enum figure figure, bool hollow, const char *const labels[static LOSSES])
{
	for (uint32_t loss = 0; loss < LOSSES; loss++) {
		struct chart_curve *curve = &panel->curves[panel->curve_count++];

		*curve = (struct chart_curve){
			.tone = (enum chart_tone)loss, .hollow = hollow, .label = labels[loss]};
		for (uint32_t i = 0; i < sweep->row_count; i++) {
			const struct outcome *row = &sweep->rows[i];

			if (row->delay == delay && row->loss == loss)
				curve->points[curve->count++] = (struct chart_point){
					row->sites, figure_of(row, figure)};
		}
	}
}

static struct chart_rule *add_rule(struct chart_panel *panel, int64_t y, bool faint)
{
	struct chart_rule *rule = &panel->rules[panel->rule_count++];

	*rule = (struct chart_rule){.y = y, .faint = faint};
	return rule;
}

/* The greatest value of a panel, for its axis to reach above it. */
static int64_t greatest(const struct chart_panel *panel)
{
	int64_t most = 1;

	for (uint32_t i = 0; i < panel->rule_count; i++)
		most = panel->rules[i].y > most ? panel->rules[i].y : most;
	for (uint32_t i = 0; i < panel->curve_count; i++) {
		for (uint32_t k = 0; k < panel->curves[i].count; k++) {
			int64_t y = panel->curves[i].points[k].y;

			/* What never came stands at the upper end. */
			if (y != USEC_NEVER && y > most)
				most = y;
		}
	}
	return most;
}

static void begin_chart(
	struct chart *chart, const struct sweep *sweep, const char *filled, const char *hollow)
{
	chart->x_title = "sites";
	for (uint32_t i = 0; i < SIZES && sizes[i] <= sweep->options->sites_max; i++)
		chart->ticks[chart->tick_count++] = sizes[i];
	for (uint32_t loss = 0; loss < LOSSES; loss++)
		chart->keys[chart->key_count++] = (struct chart_key){
			(enum chart_tone)loss, false, loss_names[loss]};
	if (!hollow)
		return;
	chart->keys[chart->key_count++] = (struct chart_key){CHART_GREY, false, filled};
	chart->keys[chart->key_count++] = (struct chart_key){CHART_GREY, true, hollow};
}

static void draw_convergence(FILE *out, const struct sweep *sweep)
{
	struct chart chart = {
		.title = "How soon a change of one site is known to the others",
		.subtitle = "When each other site holds the new record, over sites, changes and "
			    "seeds. Loss is in each direction; limits hold up to 1 %.",
		.description = "Three panels, for lines of 5, 20 and 80 ms one way: time to reach "
			       "half and 99 percent of the sites over the number of sites, for "
			       "losses of 0, 1 and 10 percent, with the limits at 1 percent.",
		.panel_count = DELAYS,
	};
	int64_t most = 0;

	begin_chart(&chart, sweep, "p50", "p99");
	for (uint32_t i = 0; i < DELAYS; i++) {
		struct chart_panel *panel = &chart.panels[i];
		usec_t bound = 2 * delays[i];

		(void)snprintf(panel->title, sizeof panel->title, "%d ms one way",
			(int)(delays[i] / USEC_MSEC));
		add_curves(panel, sweep, i, FIGURE_P50, false, p50_names);
		add_curves(panel, sweep, i, FIGURE_P99, true, p99_names);
		(void)snprintf(add_rule(panel, bound + LIMIT_ABOVE_P50, false)->label,
			sizeof panel->rules[0].label, "limit of p50: %d ms",
			(int)((bound + LIMIT_ABOVE_P50) / USEC_MSEC));
		(void)snprintf(add_rule(panel, bound + LIMIT_ABOVE_P99, false)->label,
			sizeof panel->rules[0].label, "limit of p99: %d ms",
			(int)((bound + LIMIT_ABOVE_P99) / USEC_MSEC));
		(void)snprintf(add_rule(panel, bound, true)->label, sizeof panel->rules[0].label,
			"wires alone: %d ms", (int)(bound / USEC_MSEC));
		most = greatest(panel) > most ? greatest(panel) : most;
	}
	chart.panels[0].y_title = "time from the owner's command, ms";
	for (uint32_t i = 0; i < DELAYS; i++) {
		chart.panels[i].unit = USEC_MSEC;
		chart.panels[i].logarithmic = true;
		chart.panels[i].least = 5 * USEC_MSEC;
		chart.panels[i].most = most * 3 / 2;
	}
	chart_write(out, &chart);
}

static void draw_bytes(FILE *out, const struct sweep *sweep)
{
	static const char *const soon[LOSSES] = {"5 s", "5 s, 1 %", "5 s, 10 %"};
	static const char *const after[LOSSES] = {"2 min", "2 min, 1 %", "2 min, 10 %"};
	static const char *const cold[LOSSES] = {"no loss", "1 %", "10 %"};
	struct chart chart = {
		.title = "What a change and a cold start cost",
		.subtitle = "Bytes on all wires, IP headers included, divided by the sites; "
			    "lines of 20 ms one way.",
		.description = "Two panels: bytes by one change for each other site, and bytes for "
			       "each site from power on until all agree, over the number of "
			       "sites, for losses of 0, 1 and 10 percent.",
		.panel_count = 2,
	};
	struct chart_panel *change = &chart.panels[0];
	struct chart_panel *start = &chart.panels[1];

	begin_chart(&chart, sweep, "within 5 s: spreading", "within 2 min: all of it");
	(void)snprintf(change->title, sizeof change->title, "One change");
	add_curves(change, sweep, DELAY_MIDDLE, FIGURE_CHANGE, false, soon);
	add_curves(change, sweep, DELAY_MIDDLE, FIGURE_AFTER, true, after);
	(void)snprintf(add_rule(change, LIMIT_CHANGE_BYTES / (LIMIT_SITES - 1), false)->label,
		sizeof change->rules[0].label, "limit: 26 kB in 50 sites");
	change->y_title = "bytes for each other site";
	change->unit = 1;
	change->most = greatest(change) * 6 / 5;
	(void)snprintf(start->title, sizeof start->title, "Cold start, knowing the hub only");
	add_curves(start, sweep, DELAY_MIDDLE, FIGURE_COLD, false, cold);
	start->y_title = "kB for each site";
	start->unit = 1000;
	start->logarithmic = true;
	start->least = 500;
	start->most = greatest(start) * 2;
	chart_write(out, &chart);
}

static void draw_idle(FILE *out, const struct sweep *sweep)
{
	struct chart chart = {
		.title = "What a spoke costs at rest",
		.subtitle = "Bytes on its line, both directions, over ten minutes; 20 ms one way.",
		.description = "Bytes a second on the line of a spoke at rest over the number of "
			       "sites, for losses of 0, 1 and 10 percent, with the limit.",
		.panel_count = 1,
	};
	struct chart_panel *panel = &chart.panels[0];

	begin_chart(&chart, sweep, NULL, NULL);
	add_curves(panel, sweep, DELAY_MIDDLE, FIGURE_IDLE, false, loss_names);
	(void)snprintf(add_rule(panel, LIMIT_IDLE, false)->label, sizeof panel->rules[0].label,
		"limit in 50 sites: %d B/s", LIMIT_IDLE / 10);
	panel->y_title = "bytes per second";
	panel->unit = 10;
	panel->most = greatest(panel) * 6 / 5;
	chart_write(out, &chart);
}

/* Files. */

static int write_file(const struct sweep *sweep, const char *name,
	void (*write_it)(FILE *out, const struct sweep *sweep))
{
	char path[4096];
	FILE *out;
	bool bad;
	int r;

	(void)snprintf(path, sizeof path, "%s/%s", sweep->options->directory, name);
	errno = 0;
	out = fopen(path, "we");
	if (out) {
		write_it(out, sweep);
		bad = ferror(out);
		if (fclose(out) == 0 && !bad)
			return 0;
	}
	r = errno > 0 ? -errno : -EIO;
	(void)fprintf(stderr, "%s: %s\n", path, strerror(-r));
	return r;
}

static int write_files(const struct sweep *sweep)
{
	static const struct {
		const char *name;
		void (*write_it)(FILE *out, const struct sweep *sweep);
	} files[] = {
		{"sweep.csv", write_csv},
		{"sweep.json", write_json},
		{"sweep-convergence.svg", draw_convergence},
		{"sweep-bytes.svg", draw_bytes},
		{"sweep-idle.svg", draw_idle},
	};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		int r = write_file(sweep, files[i].name, files[i].write_it);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Looked at before minutes are spent. */
static int check_directory(const char *directory)
{
	char inside[4096];
	int r;

	(void)snprintf(inside, sizeof inside, "%s/.", directory);
	if ((mkdir(directory, 0777) == 0 || errno == EEXIST) && access(inside, W_OK | X_OK) == 0)
		return 0;
	r = -errno;
	(void)fprintf(stderr, "%s: %s\n", directory, strerror(-r));
	return r;
}

/* The table, and what it says of the limits. */

static void print_ms(usec_t time, int width)
{
	char text[32] = "never";

	if (time != USEC_NEVER)
		(void)snprintf(text, sizeof text, "%" PRId64 ".%" PRId64, time / USEC_MSEC,
			time % USEC_MSEC / 100);
	(void)printf("%*s", width, text);
}

static void print_table(const struct sweep *sweep)
{
	(void)printf("                known after     above wires   bytes a change, a site    cold "
		     "start      idle\n"
		     "sites  loss    p50     p99     p50     p99    spread   2 min        s  bytes "
		     "a site    B/s\n");
	for (uint32_t i = 0; i < sweep->row_count; i++) {
		const struct outcome *row = &sweep->rows[i];
		int64_t others = row->sites - 1;

		if (row->delay != DELAY_MIDDLE)
			continue;
		(void)printf("%5" PRIu32 " %3" PRIu32 " %%", row->sites, losses[row->loss] / 10000);
		print_ms(row->p50, 8);
		print_ms(row->p99, 8);
		print_ms(row->above_p50, 8);
		print_ms(row->above_p99, 8);
		(void)printf(" %8" PRId64 " %8" PRId64, row->change_bytes / others,
			row->after_bytes / others);
		print_ms(row->cold_p50 == USEC_NEVER ? USEC_NEVER : row->cold_p50 / 1000, 9);
		(void)printf(" %12" PRIu64 " %4" PRIu64 ".%" PRIu64 "\n", row->cold_bytes,
			row->idle / 10, row->idle % 10);
	}
	(void)printf("lines of 20 ms one way, times in ms; %" PRIu32 " kinds in %s/sweep.csv\n",
		sweep->row_count, sweep->options->directory);
}

enum limit { LIMIT_P50, LIMIT_P99, LIMIT_BYTES, LIMIT_REST, LIMITS };

/* Whether the row is one that a limit is for, and what it has. */
static bool limited(const struct outcome *row, enum limit limit, int64_t *value)
{
	bool good_line = losses[row->loss] <= LIMIT_LOSS_MAX;

	switch (limit) {
	case LIMIT_P50:
		*value = row->above_p50;
		return good_line;
	case LIMIT_P99:
		*value = row->above_p99;
		return good_line;
	case LIMIT_BYTES:
		*value = row->change_bytes;
		return good_line && row->sites == LIMIT_SITES;
	case LIMIT_REST:
		*value = (int64_t)row->idle;
		return row->sites == LIMIT_SITES;
	case LIMITS:
		break;
	}
	return false;
}

static bool print_limits(const struct sweep *sweep)
{
	static const struct {
		const char *text;
		const char *unit;
		int64_t most;
		int64_t one;
	} limits[LIMITS] = {
		[LIMIT_P50] = {"p50 above wires, up to 1 % loss", "ms", LIMIT_ABOVE_P50, USEC_MSEC},
		[LIMIT_P99] = {"p99 above wires, up to 1 % loss", "ms", LIMIT_ABOVE_P99, USEC_MSEC},
		[LIMIT_BYTES] = {"spreading a change in 50 sites", "bytes", LIMIT_CHANGE_BYTES, 1},
		[LIMIT_REST] = {"a spoke at rest among 50 sites", "B/s", LIMIT_IDLE, 10},
	};
	bool kept = true;

	for (int limit = 0; limit < LIMITS; limit++) {
		int64_t worst = -1;
		int64_t value;
		char text[32];

		for (uint32_t i = 0; i < sweep->row_count; i++) {
			if (limited(&sweep->rows[i], (enum limit)limit, &value) && value > worst)
				worst = value;
		}
		if (worst < 0)
			continue;
		chart_number(worst, limits[limit].one, text, sizeof text);
		(void)printf("%s: at most %" PRId64 " %s: %s, %s %s\n", limits[limit].text,
			limits[limit].most / limits[limit].one, limits[limit].unit,
			worst <= limits[limit].most ? "kept" : "NOT KEPT",
			worst == USEC_NEVER ? "never" : text, limits[limit].unit);
		kept = kept && worst <= limits[limit].most;
	}
	return kept;
}

/* Whether everything came to its end in every trial. */
static bool print_missed(const struct sweep *sweep)
{
	uint64_t times = 0;
	uint64_t missed = 0;
	uint32_t apart = 0;

	for (uint32_t i = 0; i < sweep->row_count; i++) {
		times += sweep->rows[i].times;
		missed += sweep->rows[i].missed;
		apart += sweep->rows[i].cold_worst == USEC_NEVER;
	}
	(void)printf("a change known to a site within %d min: %" PRIu64 " of %" PRIu64 " times\n",
		(int)(TRIAL_CHANGE_FOR / USEC_MINUTE), times - missed, times);
	if (apart > 0)
		(void)printf("cold starts of %" PRIu32 " kinds were not over in %d min\n", apart,
			(int)(TRIAL_COLD_FOR / USEC_MINUTE));
	return missed == 0 && apart == 0;
}

int sweep_run(const struct sweep_options *options)
{
	struct sweep *sweep = calloc(1, sizeof *sweep);
	int status = 1;

	assert(sweep);
	sweep->options = options;
	if (check_directory(options->directory) < 0) {
		free(sweep);
		return 2;
	}
	(void)snprintf(sweep->command, sizeof sweep->command,
		"collective-sim sweep --sites %" PRIu32 " --seeds %" PRIu64 "..%" PRIu64,
		options->sites_max, options->first, options->last);
	(void)printf("# %s\n", sweep->command);
	add_rows(sweep);
	if (share_memory(sweep) == 0 && run_trials(sweep) == 0) {
		for (uint32_t i = 0; i < sweep->row_count; i++)
			sum_row(&sweep->rows[i], &sweep->shared->trials[sweep->rows[i].first]);
		print_table(sweep);
		status = print_missed(sweep) ? 0 : 1;
		status = print_limits(sweep) ? status : 1;
		if (write_files(sweep) < 0)
			status = 2;
		(void)munmap(sweep->shared, sweep->shared_size);
	}
	free(sweep);
	return status;
}
