/* SPDX-License-Identifier: MIT */
#include "simulator/commands.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/problem.h"
#include "simulator/batch.h"
#include "simulator/sweep.h"

#define EXIT_USE 2
#define JOBS_MAX 64
#define SCENARIOS_HERE "simulator/scenarios" /* in the source tree */
#define SCENARIOS_MAX 256
#define PROGRESS_AFTER 2 /* seconds */

struct options {
	uint64_t first;
	uint64_t last;
	bool seeds_given;
	unsigned jobs;
	bool json;
	const char *trace;
	const char *out;
	uint32_t sites_max;
	uint32_t without; /* properties that are not looked at */
};

static int usage(FILE *out, int status)
{
	(void)fprintf(out,
		"collective-sim - runs the site's own code in a virtual world\n"
		"\n"
		"  collective-sim list                  the scenarios and their claims\n"
		"  collective-sim run SCENARIO          runs it with its seeds\n"
		"      --seed N | --seeds A..B          with these\n"
		"      --jobs J                         so many at a time\n"
		"      --trace FILE                     what happened, line by line; one seed "
		"only\n"
		"      --out FILE                       where a failure is written\n"
		"      --without P1[,P2…]               does not look at these properties\n"
		"      --json                           one object a run\n"
		"  collective-sim replay FAILURE        runs a failure again [--trace FILE]\n"
		"  collective-sim shrink FAILURE        makes it as small as can be [--out FILE]\n"
		"  collective-sim sweep                 curves over sites, loss and delay\n"
		"      --sites N                        up to so many (1000)\n"
		"\n"
		"SCENARIO is a name from the list, or a file.\n");
	return status;
}

const char *scenario_directory(void)
{
	const char *given = getenv("COLLECTIVE_SCENARIOS");

	if (given)
		return given;
	return access(SCENARIOS_HERE, R_OK) == 0 ? SCENARIOS_HERE : COLLECTIVE_SCENARIO_DIRECTORY;
}

static int complain(const char *what, const struct problems *problems, const char *path, int r)
{
	if (r != -EINVAL) {
		(void)fprintf(stderr, "%s: %s: %s\n", what, path, strerror(-r));
		return EXIT_USE;
	}
	for (uint32_t i = 0; i < problems->count; i++)
		(void)fprintf(stderr, "%s:%u:%u: %s\n", path, problems->items[i].line,
			problems->items[i].column, problems->items[i].text);
	(void)fprintf(stderr, "%u problem%s\n", problems->count, problems->count == 1 ? "" : "s");
	return EXIT_USE;
}

/* Reads a scenario by name or path; what is wrong is said. */
static int load(struct scenario *ret, const char *name)
{
	static struct problems problems;
	char path[512];
	int r;

	problems.count = 0;
	if (strchr(name, '/') || strchr(name, '.'))
		(void)snprintf(path, sizeof path, "%s", name);
	else
		(void)snprintf(path, sizeof path, "%s/%s.yaml", scenario_directory(), name);
	r = scenario_load(ret, path, &problems);
	problems_sort(&problems);
	if (r == -ENOENT && !strchr(name, '/')) {
		(void)fprintf(stderr,
			"there is no scenario \"%s\": 'collective-sim list' shows them\n", name);
		return EXIT_USE;
	}
	return r < 0 ? complain("collective-sim", &problems, path, r) : 0;
}

/* Printing. */

static void print_json(const struct scenario *scenario, const struct batch_report *report)
{
	const struct run_result *result = &report->result;

	(void)printf("{\"scenario\":\"%s\",\"seed\":%" PRIu64 ",\"held\":%s,\"property\":\"%s\","
		     "\"text\":\"%s\",\"at_us\":%" PRId64 ",\"hash\":\"%016" PRIx64
		     "\",\"events\":%" PRIu64 ",\"virtual_us\":%" PRId64 ",\"bytes\":%" PRIu64
		     ",\"converged_us\":%" PRId64 ",\"idle_bytes_per_s\":%" PRIu64 "}\n",
		scenario->name, report->seed, result->failed == PROPERTY_NONE ? "true" : "false",
		property_name(result->failed), result->text, result->at, result->hash,
		result->events, result->virtual_time, result->bytes,
		result->converged == USEC_NEVER ? -1 : result->converged, result->idle);
}

static void print_plain(const struct scenario *scenario, const struct batch_report *report)
{
	const struct run_result *result = &report->result;
	char took[USEC_TEXT_SIZE];
	char at[USEC_TEXT_SIZE];

	if (result->failed == PROPERTY_NONE) {
		usec_print(result->converged, took);
		(void)printf("%s seed %" PRIu64 ": held; agreed after %s; %" PRIu64
			     " events, %" PRIu64 " bytes, trace %016" PRIx64 "\n",
			scenario->name, report->seed, took, result->events, result->bytes,
			result->hash);
		return;
	}
	usec_print(result->at, at);
	(void)printf("%s seed %" PRIu64 ": %s DOES NOT HOLD after %s: %s\n", scenario->name,
		report->seed, property_name(result->failed), at, result->text);
}

static int write_failure(
	const struct scenario *failure, const struct run_result *result, const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return EXIT_USE;
	}
	(void)fprintf(out, "# %s: %s\n", property_name(result->failed), result->text);
	scenario_write(out, failure);
	if (fclose(out) != 0) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return EXIT_USE;
	}
	(void)fprintf(stderr, "written to %s: collective-sim shrink %s\n", path, path);
	return 0;
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
	time_t begun;
	bool shown;
};

static void show_progress(struct tally *tally)
{
	if (!isatty(STDERR_FILENO) || time(NULL) - tally->begun < PROGRESS_AFTER)
		return;
	(void)fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 " runs ", tally->scenario->name,
		tally->done, tally->count);
	tally->shown = true;
}

static void hide_progress(struct tally *tally)
{
	if (tally->shown)
		(void)fprintf(stderr, "\r\033[K");
	tally->shown = false;
}

static void take_report(const struct batch_report *report, void *context)
{
	struct tally *tally = context;
	bool held = report->result.failed == PROPERTY_NONE;

	tally->done++;
	tally->held += held;
	if (!held && (!tally->has_failed || report->seed < tally->failed.seed)) {
		tally->failed = *report;
		tally->has_failed = true;
	}
	hide_progress(tally);
	if (tally->options->json)
		print_json(tally->scenario, report);
	else if (tally->count == 1 || !held)
		print_plain(tally->scenario, report);
	show_progress(tally);
}

/* A failure is run once more: it has to fail alike. */
static int keep_failure(const struct scenario *scenario, const struct options *options,
	const struct batch_report *report)
{
	struct scenario failure = *scenario;
	struct run_result again;
	char path[256];
	int r;

	run_plan(scenario, report->seed, scenario->has_seed, &failure.plan);
	failure.seed = report->seed;
	failure.has_seed = true;
	failure.expected = report->result.failed;
	failure.hash = report->result.hash;
	if (failure.crypto_by_seed)
		failure.real_crypto = run_is_real(scenario, report->seed);
	failure.crypto_by_seed = false;
	(void)snprintf(
		path, sizeof path, "%s-%" PRIu64 ".failure.yaml", scenario->name, report->seed);
	r = batch_run_one(&failure, &again);
	if (r == 0 && again.hash != report->result.hash)
		(void)printf("%s seed %" PRIu64 ": P14 DOES NOT HOLD: two runs differ\n",
			scenario->name, report->seed);
	r = write_failure(&failure, &report->result, options->out ? options->out : path);
	plan_free(&failure.plan);
	return r;
}

static int run_all(const struct scenario *scenario, const struct options *options)
{
	struct tally tally = {.scenario = scenario,
		.options = options,
		.count = options->last - options->first + 1,
		.begun = time(NULL)};
	const struct batch batch = {.scenario = scenario,
		.first = options->first,
		.last = options->last,
		.jobs = options->jobs,
		.drawn = scenario->has_seed,
		.done = take_report,
		.context = &tally};
	int r;

	show_progress(&tally);
	r = batch_run(&batch);
	hide_progress(&tally);
	if (r < 0) {
		(void)fprintf(stderr, "no further run could be begun: %s\n", strerror(-r));
		return EXIT_USE;
	}
	if (!options->json)
		(void)printf("%s: %" PRIu64 " of %" PRIu64 " seeds held: %s\n", scenario->name,
			tally.held, tally.count, scenario->claim);
	if (tally.has_failed)
		(void)keep_failure(scenario, options, &tally.failed);
	return tally.has_failed ? 1 : 0;
}

static int run_traced(
	const struct scenario *scenario, const struct options *options, const char *how)
{
	struct batch_report report = {.seed = options->first};
	FILE *trace = strcmp(options->trace, "-") == 0 ? stdout : fopen(options->trace, "we");

	if (!trace) {
		(void)fprintf(stderr, "%s: %s\n", options->trace, strerror(errno));
		return EXIT_USE;
	}
	(void)fprintf(trace, "# %s\n", how);
	run_scenario(scenario, report.seed, scenario->has_seed, trace, &report.result);
	if (trace != stdout && fclose(trace) != 0)
		(void)fprintf(stderr, "%s: %s\n", options->trace, strerror(errno));
	if (options->json)
		print_json(scenario, &report);
	else
		print_plain(scenario, &report);
	return report.result.failed == PROPERTY_NONE ? 0 : 1;
}

static int command_run(const char *name, struct options *options)
{
	struct scenario scenario;
	char how[256];
	int r = load(&scenario, name);

	if (r != 0)
		return r;
	scenario.properties &= ~options->without;
	if (!options->seeds_given) {
		options->first = scenario.has_seed ? scenario.seed : 1;
		options->last = options->first + (scenario.has_seed ? 0 : scenario.seeds - 1);
	}
	if (options->jobs > options->last - options->first + 1)
		options->jobs = (unsigned)(options->last - options->first + 1);
	(void)snprintf(how, sizeof how, "collective-sim run %s --seeds %" PRIu64 "..%" PRIu64, name,
		options->first, options->last);
	if (!options->json)
		(void)printf("# %s\n", how);
	(void)fflush(stdout);
	if (options->trace)
		r = run_traced(&scenario, options, how);
	else
		r = run_all(&scenario, options);
	scenario_free(&scenario);
	return r;
}

static int command_replay(const char *path, struct options *options)
{
	struct scenario scenario;
	struct batch_report report = {.seed = 0};
	FILE *trace = NULL;
	int r = load(&scenario, path);

	if (r != 0)
		return r;
	if (options->trace)
		trace = strcmp(options->trace, "-") == 0 ? stdout : fopen(options->trace, "we");
	report.seed = scenario.seed;
	if (trace)
		run_scenario(&scenario, scenario.seed, true, trace, &report.result);
	else
		r = batch_run_one(&scenario, &report.result);
	if (trace && trace != stdout)
		(void)fclose(trace);
	print_plain(&scenario, &report);
	if (scenario.expected != PROPERTY_NONE && report.result.failed != scenario.expected)
		(void)printf(
			"it was %s that failed: the program, or the compiler's view of it, has "
			"changed\n",
			property_name(scenario.expected));
	else if (scenario.hash != 0 && scenario.hash != report.result.hash)
		(void)printf("the same property fails, on another way: trace %016" PRIx64
			     " was recorded\n",
			scenario.hash);
	else if (scenario.expected != PROPERTY_NONE)
		(void)printf("exactly as it was recorded\n");
	scenario_free(&scenario);
	return report.result.failed == PROPERTY_NONE ? 0 : 1;
}

static int command_shrink(const char *path, const struct options *options)
{
	struct scenario scenario;
	struct run_result result;
	const char *out = options->out ? options->out : path;
	FILE *file;
	int r = load(&scenario, path);

	if (r != 0)
		return r;
	r = batch_run_one(&scenario, &result);
	if (result.failed == PROPERTY_NONE ||
		(scenario.expected != PROPERTY_NONE && result.failed != scenario.expected)) {
		(void)fprintf(
			stderr, "%s does not fail as it says: there is nothing to shrink\n", path);
		scenario_free(&scenario);
		return EXIT_USE;
	}
	scenario.expected = result.failed;
	shrink_scenario(&scenario, isatty(STDERR_FILENO) ? stderr : NULL);
	file = fopen(out, "we");
	if (!file) {
		(void)fprintf(stderr, "%s: %s\n", out, strerror(errno));
		r = EXIT_USE;
	} else {
		scenario_write(file, &scenario);
		if (fclose(file) != 0)
			r = EXIT_USE;
		(void)printf("%u faults among %u sites are enough for %s: written to %s\n",
			scenario.plan.count, scenario.sites, property_name(scenario.expected), out);
	}
	scenario_free(&scenario);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int command_list(void)
{
	DIR *directory = opendir(scenario_directory());
	char *names[SCENARIOS_MAX];
	size_t count = 0;
	struct dirent *entry;
	int status = 0;

	if (!directory) {
		(void)fprintf(stderr,
			"%s: %s\nCOLLECTIVE_SCENARIOS names another directory of scenarios\n",
			scenario_directory(), strerror(errno));
		return EXIT_USE;
	}
	while ((entry = readdir(directory)) && count < SCENARIOS_MAX) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && strcmp(dot, ".yaml") == 0)
			names[count++] = strndup(entry->d_name, (size_t)(dot - entry->d_name));
	}
	(void)closedir(directory);
	qsort(names, count, sizeof names[0], by_name);
	for (size_t i = 0; i < count; i++) {
		struct scenario scenario;

		if (load(&scenario, names[i]) == 0) {
			(void)printf("%-36s %4u sites  %4u seeds  %s\n", names[i], scenario.sites,
				scenario.seeds, scenario.claim);
			scenario_free(&scenario);
		} else {
			status = 1;
		}
		free(names[i]);
	}
	return status;
}

/* Reading the command line. */

static bool read_seed(const char *text, char **end, uint64_t *ret)
{
	errno = 0;
	*ret = strtoull(text, end, 10);
	return *end != text && errno == 0 && text[0] != '-';
}

static bool read_seeds(const char *text, struct options *options)
{
	char *end;

	options->seeds_given = true;
	if (!read_seed(text, &end, &options->first))
		return false;
	options->last = options->first;
	if (strncmp(end, "..", 2) == 0 && !read_seed(end + 2, &end, &options->last))
		return false;
	return *end == '\0' && options->last >= options->first;
}

static bool read_without(const char *text, struct options *options)
{
	for (const char *at = text; *at;) {
		size_t length = strcspn(at, ",");
		bool found = false;

		for (int property = 1; property < PROPERTIES; property++) {
			const char *name = property_name((enum property)property);

			if (strlen(name) != length || strncmp(name, at, length) != 0)
				continue;
			options->without |= 1u << property;
			found = true;
		}
		if (!found)
			return false;
		at += length + (at[length] == ',');
	}
	return true;
}

static bool read_option(int option, struct options *options)
{
	char *end;

	switch (option) {
	case 's':
		return read_seeds(optarg, options);
	case 'j':
		options->jobs = (unsigned)strtoul(optarg, &end, 10);
		return *end == '\0' && options->jobs >= 1 && options->jobs <= JOBS_MAX;
	case 't':
		options->trace = optarg;
		return true;
	case 'o':
		options->out = optarg;
		return true;
	case 'n':
		options->sites_max = (uint32_t)strtoul(optarg, &end, 10);
		return *end == '\0' && options->sites_max >= 2;
	case 'w':
		return read_without(optarg, options);
	case 'J':
		options->json = true;
		return true;
	default:
		return false;
	}
}

static int command_sweep(const struct options *options)
{
	const struct sweep_options sweep = {
		.directory = options->out ? options->out : ".",
		.sites_max = options->sites_max,
		.jobs = options->jobs,
		.first = options->seeds_given ? options->first : 1,
		.last = options->seeds_given ? options->last : 5,
	};

	return sweep_run(&sweep);
}

static int obey(const char *command, const char *subject, bool more, struct options *options)
{
	if (strcmp(command, "list") == 0 && !subject)
		return command_list();
	if (strcmp(command, "sweep") == 0 && !subject)
		return command_sweep(options);
	if (!subject || more)
		return usage(stderr, EXIT_USE);
	if (strcmp(command, "run") == 0)
		return command_run(subject, options);
	if (strcmp(command, "replay") == 0)
		return command_replay(subject, options);
	if (strcmp(command, "shrink") == 0)
		return command_shrink(subject, options);
	return usage(stderr, EXIT_USE);
}

int simulator_main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 's'},
		{"jobs", required_argument, NULL, 'j'},
		{"trace", required_argument, NULL, 't'},
		{"out", required_argument, NULL, 'o'},
		{"sites", required_argument, NULL, 'n'},
		{"without", required_argument, NULL, 'w'},
		{"json", no_argument, NULL, 'J'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {.jobs = 1, .sites_max = 1000};
	int option;

	if (sodium_init() < 0)
		return EXIT_USE;
	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, 0);
		if (!read_option(option, &options)) {
			(void)fprintf(stderr, "see 'collective-sim --help'\n");
			return EXIT_USE;
		}
	}
	return obey(optind < argc ? argv[optind] : "", optind + 1 < argc ? argv[optind + 1] : NULL,
		optind + 2 < argc, &options);
}
