/* SPDX-License-Identifier: MIT */
#include "simulator/commands.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "config/problem.h"
#include "simulator/batch.h"
#include "simulator/options.h"
#include "simulator/report.h"
#include "simulator/sweep.h"

#define SCENARIOS_HERE "simulator/scenarios" /* in the source tree */
#define SWEEP_SEEDS 5
#define PATH_SIZE 512
#define LINE_SIZE 1024
#define SHOWN_SIZE 64
#define PROGRESS_AFTER 2 /* seconds */

const char *scenario_directory(void)
{
	const char *given = getenv("COLLECTIVE_SCENARIOS");

	if (given && given[0])
		return given;
	return access(SCENARIOS_HERE, R_OK) == 0 ? SCENARIOS_HERE : COLLECTIVE_SCENARIO_DIRECTORY;
}

/* The scenarios there are. */

static int is_scenario(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && dot != entry->d_name && strcmp(dot, ".yaml") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/*
 * The names in order, without what stands behind the point; the caller frees them and the list.
 * Returns how many there are, or negative errno.
 */
static int scenario_names(char ***ret)
{
	struct dirent **entries;
	int count = scandir(scenario_directory(), &entries, is_scenario, by_name);
	char **names = count < 0 ? NULL : calloc((size_t)count + 1, sizeof *names);
	int error = errno;

	*ret = names;
	for (int i = 0; i < count; i++) {
		if (names)
			names[i] = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - 5);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	if (names)
		return count;
	return error > 0 ? -error : -ENOMEM;
}

static void free_names(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int refuse_name(const char *name)
{
	struct text_nearest nearest;
	char shown[SHOWN_SIZE];
	char **names = NULL;
	int count = scenario_names(&names);

	text_nearest_init(&nearest, name);
	for (int i = 0; names && i < count; i++)
		text_nearest_offer(&nearest, names[i]);
	text_show(name, strlen(name), shown, sizeof shown);
	if (!names)
		say("%s: %s: COLLECTIVE_SCENARIOS names another directory of scenarios",
			scenario_directory(), strerror(-count));
	else if (nearest.best)
		say("there is no scenario \"%s\": did you mean \"%s\"?", shown, nearest.best);
	else
		say("there is no scenario \"%s\": \"collective-sim list\" shows them; a file has a "
		    "\".\" or a \"/\" in its name",
			shown);
	if (names)
		free_names(names, count);
	return STATUS_WRONG_USE;
}

static void say_problems(const struct problems *problems, const char *path)
{
	uint32_t all = problems->count + problems->dropped;

	for (uint32_t i = 0; i < problems->count; i++)
		(void)fprintf(stderr, "%s:%u:%u: %s\n", path, problems->items[i].line,
			problems->items[i].column, problems->items[i].text);
	(void)fprintf(stderr, "%u problem%s\n", all, PLURAL(all));
}

/* Reads a scenario by name or path; what is wrong is said. Returns 0 or an exit status. */
static int load(struct scenario *ret, const char *name)
{
	static struct problems problems;
	bool is_file = strchr(name, '/') || strchr(name, '.');
	char path[PATH_SIZE];
	int size;
	int r;

	problems.count = 0;
	problems.dropped = 0;
	if (is_file)
		size = snprintf(path, sizeof path, "%s", name);
	else
		size = snprintf(path, sizeof path, "%s/%s.yaml", scenario_directory(), name);
	r = size < (int)sizeof path ? scenario_load(ret, path, &problems) : -ENAMETOOLONG;
	if (r == 0)
		return 0;
	problems_sort(&problems);
	if (r == -ENOENT && !is_file)
		return refuse_name(name);
	if (r == -EINVAL)
		say_problems(&problems, path);
	else
		say("%s: %s", path, strerror(-r));
	return STATUS_WRONG_USE;
}

/* The same of what has to be a failure. */
static int load_failure(struct scenario *ret, const char *path)
{
	int status = load(ret, path);

	if (status || ret->expected != PROPERTY_NONE)
		return status;
	say("%s is a scenario, but no failure: \"collective-sim run\" runs it, and writes failures",
		path);
	scenario_free(ret);
	return STATUS_WRONG_USE;
}

/* Writing. */

static int write_failure(
	const struct scenario *failure, const struct run_result *result, const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	(void)fprintf(out, "# %s: %s\n", property_name(result->failed), result->text);
	scenario_write(out, failure);
	if (ferror(out)) {
		(void)fclose(out);
		return -EIO;
	}
	return fclose(out) == 0 ? 0 : -errno;
}

/* A word as a shell takes it. */
static void add_word(char *line, const char *word)
{
	size_t used = strlen(line);
	bool plain = word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789./_-+,:@%")] == '\0';

	(void)snprintf(line + used, LINE_SIZE - used, plain && word[0] ? " %s" : " '%s'", word);
}

static void add_seeds(char *line, const struct options *options)
{
	size_t used = strlen(line);

	if (options->first == options->last)
		(void)snprintf(line + used, LINE_SIZE - used, " --seed %" PRIu64, options->first);
	else
		(void)snprintf(line + used, LINE_SIZE - used, " --seeds %" PRIu64 "..%" PRIu64,
			options->first, options->last);
}

static void add_without(char *line, uint32_t without)
{
	const char *before = " --without ";

	for (int property = PROPERTY_NONE + 1; property < PROPERTIES; property++) {
		size_t used = strlen(line);

		if (!(without >> property & 1))
			continue;
		(void)snprintf(line + used, LINE_SIZE - used, "%s%s", before,
			property_name((enum property)property));
		before = ",";
	}
}

/* Opens what a run is told in, and says in its first line how to have it again. */
static int open_trace(FILE **ret, const char *path, const char *how)
{
	*ret = NULL;
	if (!path)
		return 0;
	*ret = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	if (!*ret) {
		say("%s: %s: nothing was run", path, strerror(errno));
		return STATUS_WRONG_USE;
	}
	(void)fprintf(*ret, "# %s\n", how);
	return 0;
}

/* Returns 0, or an exit status when the trace is not whole. */
static int close_trace(FILE *trace, const char *path, int error)
{
	if (trace && trace != stdout && fclose(trace) != 0 && error == 0)
		error = errno;
	if (error == 0)
		return 0;
	say("%s: %s: the trace is not whole", path, strerror(error));
	return STATUS_WRONG_USE;
}

/* Running. */

/* What came back so far. */
struct tally {
	const struct scenario *scenario;
	const struct options *options;
	uint64_t count;
	uint64_t done;
	uint64_t held;
	struct batch_report failed; /* the one with the lowest seed */
	bool has_failed;
	int trace_error;
	time_t begun;
	bool shown;
};

static void show_progress(struct tally *tally, usec_t virtual_time)
{
	if (!isatty(STDERR_FILENO) || time(NULL) - tally->begun < PROGRESS_AFTER)
		return;
	if (tally->count == 1)
		(void)fprintf(stderr, "\r%s: %" PRId64 " of %" PRId64 " s ", tally->scenario->name,
			virtual_time / USEC_SECOND, tally->scenario->duration / USEC_SECOND);
	else
		(void)fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 " runs ",
			tally->scenario->name, tally->done, tally->count);
	tally->shown = true;
}

static void hide_progress(struct tally *tally)
{
	if (tally->shown)
		(void)fprintf(stderr, "\r\033[K");
	tally->shown = false;
}

static void take_going(usec_t virtual_time, void *context)
{
	show_progress(context, virtual_time);
}

static void take_report(const struct batch_report *report, void *context)
{
	struct tally *tally = context;
	bool held = report->result.failed == PROPERTY_NONE;

	tally->done++;
	tally->held += held;
	tally->trace_error = report->trace_error;
	if (!held && (!tally->has_failed || report->seed < tally->failed.seed)) {
		tally->failed = *report;
		tally->has_failed = true;
	}
	hide_progress(tally);
	report_death(report);
	if (tally->options->json)
		report_json(tally->scenario, report);
	else if (tally->count == 1 || !held)
		report_plain(tally->scenario, report);
	if (tally->done < tally->count)
		show_progress(tally, 0);
}

/* Runs what the options say, and counts. */
static int run_batch(struct tally *tally, bool drawn, FILE *trace)
{
	const struct options *options = tally->options;
	const struct batch batch = {.scenario = tally->scenario,
		.first = options->first,
		.count = tally->count,
		.jobs = options->jobs,
		.drawn = drawn,
		.may_die = options->without >> PROPERTY_MEMORY & 1,
		.trace = trace,
		.wants_going = isatty(STDERR_FILENO),
		.done = take_report,
		.going = take_going,
		.context = tally};
	int r;

	tally->begun = time(NULL);
	r = batch_run(&batch);
	hide_progress(tally);
	if (r == 0)
		return 0;
	say("no further run could be begun: %s", strerror(-r));
	return STATUS_WRONG_USE;
}

/* Whether a file is an older record of the same failure: that one may be replaced unasked. */
static bool is_older(const char *path, const struct scenario *failure)
{
	static struct problems problems;
	struct scenario older;
	bool same;

	problems.count = 0;
	if (scenario_load(&older, path, &problems) < 0)
		return false;
	same = older.has_seed && older.seed == failure->seed && older.expected != PROPERTY_NONE &&
	       strcmp(older.claim, failure->claim) == 0;
	scenario_free(&older);
	return same;
}

static void write_kept(const struct scenario *failure, const struct batch_report *report,
	const struct options *options)
{
	char own[PATH_SIZE];
	const char *path = options->out ? options->out : own;
	char line[LINE_SIZE] = "collective-sim shrink";
	int r;

	(void)snprintf(own, sizeof own, "%s-%" PRIu64 ".failure.yaml", failure->name, report->seed);
	if (!options->out && access(path, F_OK) == 0 && !is_older(path, failure)) {
		say("%s is there, and is no record of this failure: the failure was not kept; "
		    "--out names another file",
			path);
		return;
	}
	(void)fflush(stdout);
	r = write_failure(failure, &report->result, path);
	add_word(line, path);
	if (r < 0)
		say("%s: %s: the failure was not kept; --out names another file", path,
			strerror(-r));
	else
		(void)fprintf(stderr, "written to %s: %s\n", path, line);
}

/* A failure is run once more, from its record alone: it has to fail alike. */
static void keep_failure(const struct scenario *scenario, const struct options *options,
	const struct batch_report *report)
{
	struct scenario failure = *scenario;
	struct batch_report again;

	run_plan(scenario, report->seed, scenario->has_seed, &failure.plan);
	failure.seed = report->seed;
	failure.has_seed = true;
	failure.expected = report->result.failed;
	failure.properties |= 1u << report->result.failed;
	failure.hash = report->result.hash;
	failure.real_crypto = run_is_real(scenario, report->seed);
	failure.crypto_by_seed = false;
	(void)snprintf(failure.program, sizeof failure.program, "%s", COLLECTIVE_VERSION);
	if (batch_run_one(&failure, &again) == 0 &&
		(again.result.hash != report->result.hash || again.died != report->died))
		say("%s seed %" PRIu64 ": P14 DOES NOT HOLD: two runs differ", scenario->name,
			report->seed);
	write_kept(&failure, report, options);
	plan_free(&failure.plan);
}

static int run_seeds(
	const struct scenario *scenario, const struct options *options, const char *how)
{
	struct tally tally = {.scenario = scenario,
		.options = options,
		.count = options->last - options->first + 1};
	FILE *trace;
	int status = open_trace(&trace, options->trace, how);

	if (status)
		return status;
	if (!options->json && trace != stdout)
		(void)printf("# %s\n", how);
	status = run_batch(&tally, scenario->has_seed, trace);
	if (status) {
		(void)close_trace(trace, options->trace, 0);
		return status;
	}
	if (!options->json)
		(void)printf("%s: %" PRIu64 " of %" PRIu64 " seed%s held: %s\n", scenario->name,
			tally.held, tally.count, PLURAL(tally.count), scenario->claim);
	if (tally.has_failed)
		keep_failure(scenario, options, &tally.failed);
	status = close_trace(trace, options->trace, tally.trace_error);
	return tally.has_failed ? STATUS_FAILED : status;
}

/* What does not fit together is refused before anything runs. */
static int check_run(const struct scenario *scenario, const struct options *options)
{
	uint64_t count = options->last - options->first + 1;

	if (options->trace && count > 1) {
		say("a trace is of one seed, and here are %" PRIu64 ": say which, as in --seed "
		    "%" PRIu64,
			count, options->first);
		return STATUS_WRONG_USE;
	}
	if (options->json && options->trace && strcmp(options->trace, "-") == 0) {
		say("--json and --trace - would both write to standard output: name a file for the "
		    "trace");
		return STATUS_WRONG_USE;
	}
	if (scenario->properties == 0)
		say("without these properties nothing of %s is looked at, but for a run that dies",
			scenario->name);
	return 0;
}

int command_run(const struct options *given)
{
	struct options options = *given;
	struct scenario scenario;
	char how[LINE_SIZE] = "collective-sim run";
	int status = load(&scenario, options.subject);

	if (status)
		return status;
	scenario.properties &= ~options.without;
	if (!options.seeds_given) {
		options.first = scenario.has_seed ? scenario.seed : 1;
		options.last = scenario.has_seed ? scenario.seed : scenario.seeds;
	}
	add_word(how, options.subject);
	add_seeds(how, &options);
	add_without(how, options.without);
	status = check_run(&scenario, &options);
	if (status == 0)
		status = run_seeds(&scenario, &options, how);
	scenario_free(&scenario);
	return status;
}

/* Replaying. */

/* Says how what happened compares with what is written, and returns the exit status. */
static int judge(const struct scenario *scenario, const struct run_result *result)
{
	if (result->failed == PROPERTY_NONE) {
		say("it was %s that failed, and nothing fails now: the program has "
		    "changed, or the compiler's view of it",
			property_name(scenario->expected));
		return STATUS_FAILED;
	}
	if (result->failed != scenario->expected) {
		say("it was %s that failed, and it is %s now: the program has changed, or "
		    "the compiler's view of it",
			property_name(scenario->expected), property_name(result->failed));
		return STATUS_FAILED;
	}
	if (scenario->hash != 0 && scenario->hash != result->hash) {
		say("the same property fails, on another way: trace %016" PRIx64
		    " was recorded, and this is %016" PRIx64,
			scenario->hash, result->hash);
		return STATUS_FAILED;
	}
	(void)printf("exactly as it was recorded\n");
	return STATUS_DONE;
}

static void compare_versions(const struct scenario *scenario)
{
	if (scenario->program[0] && strcmp(scenario->program, COLLECTIVE_VERSION) != 0)
		say("this was recorded with version %s, and this is %s", scenario->program,
			COLLECTIVE_VERSION);
}

static void take_replay(const struct batch_report *report, void *context)
{
	struct tally *tally = context;

	hide_progress(tally);
	tally->failed = *report;
}

static int replay(const struct scenario *scenario, const struct options *options)
{
	struct tally tally = {.scenario = scenario, .options = options, .count = 1};
	struct batch batch = {.scenario = scenario,
		.first = scenario->seed,
		.count = 1,
		.drawn = true,
		.wants_going = isatty(STDERR_FILENO),
		.done = take_replay,
		.going = take_going,
		.context = &tally};
	char how[LINE_SIZE] = "collective-sim replay";
	int status;
	int r;

	add_word(how, options->subject);
	status = open_trace(&batch.trace, options->trace, how);
	if (status)
		return status;
	compare_versions(scenario);
	tally.begun = time(NULL);
	r = batch_run(&batch);
	status = close_trace(batch.trace, options->trace, tally.failed.trace_error);
	if (r < 0) {
		say("the run could not be begun: %s", strerror(-r));
		return STATUS_WRONG_USE;
	}
	report_plain(scenario, &tally.failed);
	r = judge(scenario, &tally.failed.result);
	return status ? status : r;
}

int command_replay(const struct options *options)
{
	struct scenario scenario;
	int status = load_failure(&scenario, options->subject);

	if (status)
		return status;
	status = replay(&scenario, options);
	scenario_free(&scenario);
	return status;
}

/* Shrinking. */

/* Whether it can be written later: that is found out before hours of work. */
static bool can_write(const char *path)
{
	FILE *file = fopen(path, "ae");

	return file && fclose(file) == 0;
}

static int shrink(struct scenario *scenario, const char *path, const char *out)
{
	struct batch_report report;
	int r = batch_run_one(scenario, &report);

	if (r < 0) {
		say("the run could not be begun: %s", strerror(-r));
		return STATUS_WRONG_USE;
	}
	if (report.result.failed != scenario->expected) {
		say("%s does not fail as it says: %s was recorded, and now %s%s: there is nothing "
		    "to shrink",
			path, property_name(scenario->expected),
			report.result.failed == PROPERTY_NONE ? "nothing fails"
							      : property_name(report.result.failed),
			report.result.failed == PROPERTY_NONE ? "" : " fails");
		return STATUS_FAILED;
	}
	if (!can_write(out)) {
		say("%s: %s: nothing was shrunk", out, strerror(errno));
		return STATUS_WRONG_USE;
	}
	shrink_scenario(scenario, &report.result, isatty(STDERR_FILENO) ? stderr : NULL);
	(void)snprintf(scenario->program, sizeof scenario->program, "%s", COLLECTIVE_VERSION);
	r = write_failure(scenario, &report.result, out);
	if (r < 0) {
		say("%s: %s", out, strerror(-r));
		return STATUS_WRONG_USE;
	}
	(void)printf("%u fault%s among %u site%s %s enough for %s: written to %s\n",
		scenario->plan.count, PLURAL(scenario->plan.count), scenario->sites,
		PLURAL(scenario->sites), scenario->plan.count == 1 ? "is" : "are",
		property_name(scenario->expected), out);
	return STATUS_DONE;
}

int command_shrink(const struct options *options)
{
	const char *path = options->subject;
	struct scenario scenario;
	int status = load_failure(&scenario, path);

	if (status)
		return status;
	status = shrink(&scenario, path, options->out ? options->out : path);
	scenario_free(&scenario);
	return status;
}

/* The rest. */

int command_sweep(const struct options *options)
{
	const struct sweep_options sweep = {
		.directory = options->out ? options->out : ".",
		.sites_max = options->sites_max,
		.jobs = options->jobs,
		.first = options->seeds_given ? options->first : 1,
		.last = options->seeds_given ? options->last : SWEEP_SEEDS,
	};

	if (sweep.last - sweep.first < SWEEP_SEEDS_MAX)
		return sweep_run(&sweep);
	say("--seeds: a sweep takes at most %d seeds", SWEEP_SEEDS_MAX);
	return STATUS_WRONG_USE;
}

static int list_scenario(const char *name, int width, bool json)
{
	struct scenario scenario;

	if (load(&scenario, name) != 0)
		return STATUS_FAILED;
	if (json)
		report_scenario_json(&scenario);
	else
		(void)printf("%-*s  %5u site%-1s  %8u seed%-1s  %s\n", width, name, scenario.sites,
			PLURAL(scenario.sites), scenario.seeds, PLURAL(scenario.seeds),
			scenario.claim);
	scenario_free(&scenario);
	return STATUS_DONE;
}

int command_list(const struct options *options)
{
	char **names = NULL;
	int count = scenario_names(&names);
	int status = STATUS_DONE;
	int width = 0;

	if (!names) {
		say("%s: %s: COLLECTIVE_SCENARIOS names another directory of scenarios",
			scenario_directory(), strerror(-count));
		return STATUS_WRONG_USE;
	}
	for (int i = 0; i < count; i++)
		width = (int)strlen(names[i]) > width ? (int)strlen(names[i]) : width;
	for (int i = 0; i < count; i++) {
		if (list_scenario(names[i], width, options->json) != STATUS_DONE)
			status = STATUS_FAILED;
	}
	free_names(names, count);
	return status;
}
