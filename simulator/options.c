/* SPDX-License-Identifier: MIT */
#include "simulator/options.h"

#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/words.h"
#include "simulator/commands.h"

#define BIT(option) (1u << (option))
#define NAME_SIZE 64
#define SHOWN_SIZE 64
#define SITES_DEFAULT 1000

enum option_id {
	OPTION_SEED,
	OPTION_SEEDS,
	OPTION_JOBS,
	OPTION_TRACE,
	OPTION_OUT,
	OPTION_WITHOUT,
	OPTION_SITES,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTIONS,
};

struct option_row {
	const char *name;
	char letter;          /* 0: none */
	bool everywhere;      /* taken with every command */
	const char *argument; /* NULL: takes none */
	const char *help;
	bool (*read)(const char *text, struct options *options); /* NULL: nothing to be read */
	const char *allowed;                                     /* what read() takes */
};

struct command {
	const char *name;
	const char *arguments; /* as in the usage line; "" for none */
	const char *summary;   /* one line */
	const char *help;      /* more lines, or "" */
	unsigned least;        /* words */
	unsigned most;
	unsigned options; /* bits of those it takes beside the ones taken everywhere */
	int (*run)(const struct options *options);
};

void say(const char *format, ...)
{
	va_list arguments;

	/* Where both go to the same place, in order. */
	(void)fflush(stdout);
	(void)fputs("collective-sim: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
}

/* Values of options. */

/* Digits alone; says where they end. */
static bool read_digits(const char *text, const char **end, uint64_t *ret)
{
	*ret = 0;
	for (*end = text; **end >= '0' && **end <= '9'; (*end)++) {
		uint64_t digit = (uint64_t)(**end - '0');

		if (*ret > (UINT64_MAX - digit) / 10)
			return false;
		*ret = *ret * 10 + digit;
	}
	return *end != text;
}

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	const char *end;

	return read_digits(text, &end, ret) && *end == '\0' && *ret >= least && *ret <= most;
}

static bool read_seed(const char *text, struct options *options)
{
	options->seeds_given = true;
	if (!read_number(text, 0, UINT64_MAX, &options->first))
		return false;
	options->last = options->first;
	return true;
}

static bool read_seeds(const char *text, struct options *options)
{
	const char *end;

	options->seeds_given = true;
	return read_digits(text, &end, &options->first) && strncmp(end, "..", 2) == 0 &&
	       read_number(end + 2, options->first, UINT64_MAX, &options->last) &&
	       options->last - options->first < SCENARIO_SEEDS_MAX;
}

static bool read_jobs(const char *text, struct options *options)
{
	uint64_t jobs;

	if (!read_number(text, 1, JOBS_MAX, &jobs))
		return false;
	options->jobs = (unsigned)jobs;
	return true;
}

static bool read_sites(const char *text, struct options *options)
{
	uint64_t sites;

	if (!read_number(text, 2, WORLD_HOSTS_MAX, &sites))
		return false;
	options->sites_max = (uint32_t)sites;
	return true;
}

static bool read_trace(const char *text, struct options *options)
{
	options->trace = text;
	return *text != '\0';
}

static bool read_out(const char *text, struct options *options)
{
	options->out = text;
	return *text != '\0';
}

static bool read_without(const char *text, struct options *options)
{
	const char *at = text;

	for (;;) {
		size_t length = strcspn(at, ",");
		char name[NAME_SIZE];
		enum property property;

		(void)snprintf(name, sizeof name, "%.*s", length < NAME_SIZE ? (int)length : 0, at);
		property = property_of(name);
		if (property == PROPERTY_NONE || property == PROPERTY_DETERMINISM)
			return false;
		options->without |= 1u << property;
		if (at[length] == '\0')
			return true;
		at += length + 1;
	}
}

static bool read_json(const char *text, struct options *options)
{
	(void)text;
	options->json = true;
	return true;
}

/* The tables. */

static const struct option_row option_rows[OPTIONS] = {
	[OPTION_SEED] = {.name = "seed",
		.argument = "N",
		.help = "with this seed",
		.read = read_seed,
		.allowed = "one number from 0 to 18446744073709551615"},
	[OPTION_SEEDS] = {.name = "seeds",
		.argument = "A..B",
		.help = "with the seeds from A to B",
		.read = read_seeds,
		.allowed = "two numbers, the first not above the second, as in 1..20, for at most "
			   "10000000 seeds"},
	[OPTION_JOBS] = {.name = "jobs",
		.argument = "J",
		.help = "so many runs at a time, from 1 to 64 (default 1)",
		.read = read_jobs,
		.allowed = "a number from 1 to 64"},
	[OPTION_TRACE] = {.name = "trace",
		.argument = "FILE",
		.help = "write what happened, line by line; \"-\" is standard output",
		.read = read_trace,
		.allowed = "the name of a file"},
	[OPTION_OUT] = {.name = "out",
		.argument = "FILE",
		.help = "where to write; what is there is replaced",
		.read = read_out,
		.allowed = "the name of a file, or of a directory for a sweep"},
	[OPTION_WITHOUT] = {.name = "without",
		.argument = "P1[,P2]",
		.help = "do not look at these properties",
		.read = read_without,
		.allowed = "names from P1 to P15, as in P1,P10; P14 cannot be left out"},
	[OPTION_SITES] = {.name = "sites",
		.argument = "N",
		.help = "the largest collective (default 1000)",
		.read = read_sites,
		.allowed = "a number from 2 to 20000"},
	[OPTION_JSON] = {.name = "json",
		.help = "one JSON object a line, for scripts",
		.read = read_json},
	[OPTION_HELP] = {.name = "help",
		.letter = 'h',
		.everywhere = true,
		.help = "explain, and do nothing"},
	[OPTION_VERSION] = {.name = "version",
		.letter = 'V',
		.everywhere = true,
		.help = "print the version, and do nothing"},
};

static const struct command commands[] = {
	{
		.name = "list",
		.arguments = "",
		.summary = "print the scenarios and what they claim",
		.help = "",
		.options = BIT(OPTION_JSON),
		.run = command_list,
	},
	{
		.name = "run",
		.arguments = "SCENARIO",
		.summary = "run a scenario with its seeds",
		.help = "SCENARIO is a name from the list; what has a \".\" or a \"/\" in it is a "
			"file.\n"
			"Without --seed and --seeds it runs with the seeds from 1 to its own "
			"number.\n"
			"Of the runs that fail the one with the lowest seed is written to\n"
			"NAME-SEED.failure.yaml, or where --out says. --trace takes one seed.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_SEED) | BIT(OPTION_SEEDS) | BIT(OPTION_JOBS) |
			   BIT(OPTION_TRACE) | BIT(OPTION_OUT) | BIT(OPTION_WITHOUT) |
			   BIT(OPTION_JSON),
		.run = command_run,
	},
	{
		.name = "replay",
		.arguments = "FAILURE",
		.summary = "run a failure again, and say whether it fails as it did",
		.help = "The exit status is 0 when it fails exactly as it was recorded, and 1 "
			"when\n"
			"something else happens.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_TRACE),
		.run = command_replay,
	},
	{
		.name = "shrink",
		.arguments = "FAILURE",
		.summary = "make a failure as small as can be",
		.help = "The smaller failure takes the place of FAILURE, or goes where --out says.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_OUT),
		.run = command_shrink,
	},
	{
		.name = "sweep",
		.arguments = "",
		.summary = "draw curves over sites, loss and delay",
		.help = "Without --seeds each point is run with the seeds from 1 to 5. The table "
			"and the\n"
			"curves go to the current directory, or to the one that --out names. It "
			"takes long.",
		.options = BIT(OPTION_SITES) | BIT(OPTION_JOBS) | BIT(OPTION_SEEDS) |
			   BIT(OPTION_OUT),
		.run = command_sweep,
	},
	{
		.name = "version",
		.arguments = "",
		.summary = "print the version",
		.help = "",
	},
	{
		.name = "help",
		.arguments = "[COMMAND]",
		.summary = "explain a command",
		.help = "",
		.most = 1,
	},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

/* Help. */

static void print_option(FILE *out, const struct option_row *row)
{
	char left[48];

	(void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", row->letter ? "-" : " ",
		row->letter ? row->letter : ' ', row->letter ? ", " : "  ", row->name,
		row->argument ? " " : "", row->argument ? row->argument : "");
	(void)fprintf(out, "  %-22s %s\n", left, row->help);
}

static void print_overview(FILE *out)
{
	(void)fputs(
		"Usage: collective-sim COMMAND [ARGUMENT]... [OPTION]...\n\n"
		"Runs the code of a collective in a virtual world, to find out whether what is\n"
		"claimed of it holds.\n\n"
		"Commands:\n",
		out);
	for (size_t i = 0; i < COMMANDS; i++) {
		char left[48];

		(void)snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].arguments);
		(void)fprintf(out, "  %-22s %s\n", left, commands[i].summary);
	}
	(void)fputs("\nOptions, before or after the command:\n", out);
	for (int i = 0; i < OPTIONS; i++) {
		if (option_rows[i].everywhere)
			print_option(out, &option_rows[i]);
	}
	(void)fputs("\n"
		    "COLLECTIVE_SCENARIOS names the directory of scenarios. Default:\n"
		    "simulator/scenarios here, as in the source, or else the installed one.\n"
		    "\n"
		    "The exit status is 0 when what was claimed holds, or a failure is replayed as "
		    "it\n"
		    "was; 1 when not; 2 when nothing could be tried.\n"
		    "\n"
		    "\"collective-sim help COMMAND\" says more; so does the manual, "
		    "collective-sim(1).\n",
		out);
}

static void print_command(const struct command *command)
{
	(void)printf("Usage: collective-sim %s%s%s [OPTION]...\n\n%c%s.\n", command->name,
		command->arguments[0] ? " " : "", command->arguments,
		command->summary[0] - 'a' + 'A', command->summary + 1);
	if (command->help[0])
		(void)printf("\n%s\n", command->help);
	(void)printf("\nOptions:\n");
	for (int i = 0; i < OPTIONS; i++) {
		if (option_rows[i].everywhere || (command->options & BIT(i)))
			print_option(stdout, &option_rows[i]);
	}
}

static const struct command *find_command(const char *word)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, word) == 0)
			return &commands[i];
	}
	return NULL;
}

/* Says that there is no such command, with the nearest one there is. */
static int refuse_command(const char *word)
{
	struct text_nearest nearest;
	char shown[SHOWN_SIZE];

	text_nearest_init(&nearest, word);
	for (size_t i = 0; i < COMMANDS; i++)
		text_nearest_offer(&nearest, commands[i].name);
	text_show(word, strlen(word), shown, sizeof shown);
	if (nearest.best)
		say("there is no command \"%s\": did you mean \"%s\"?", shown, nearest.best);
	else
		say("there is no command \"%s\": \"collective-sim help\" lists them", shown);
	return STATUS_WRONG_USE;
}

static int help(const char *word)
{
	const struct command *command = word ? find_command(word) : NULL;

	if (word && !command)
		return refuse_command(word);
	if (command)
		print_command(command);
	else
		print_overview(stdout);
	return STATUS_DONE;
}

/* Reading the command line. */

/* What the words ask for, and with which options. */
struct asked {
	struct options options;
	unsigned given; /* bits */
};

static int take_option(int option, const char *argument, void *context)
{
	const struct option_row *row = &option_rows[option];
	struct asked *asked = context;
	char shown[SHOWN_SIZE];

	asked->given |= BIT(option);
	if (!row->read || row->read(argument, &asked->options))
		return 0;
	text_show(argument, strlen(argument), shown, sizeof shown);
	say("--%s \"%s\": what belongs here is %s", row->name, shown, row->allowed);
	return STATUS_WRONG_USE;
}

/* Reads the options out of the words. Returns 0 or an exit status. */
static int read_options(int argc, char **argv, struct asked *asked)
{
	struct words words = {.program = "collective-sim",
		.list = "collective-sim help COMMAND",
		.count = OPTIONS,
		.wrong_use = STATUS_WRONG_USE};

	for (int i = 0; i < OPTIONS; i++)
		words.options[i] = (struct words_option){
			option_rows[i].name, option_rows[i].letter, option_rows[i].argument};
	return words_read(&words, argc, argv, take_option, asked);
}

static int check_use(const struct command *command, unsigned given, unsigned words)
{
	for (int i = 0; i < OPTIONS; i++) {
		if ((given & BIT(i)) && !option_rows[i].everywhere &&
			!(command->options & BIT(i))) {
			say("\"%s\" takes no --%s", command->name, option_rows[i].name);
			return STATUS_WRONG_USE;
		}
	}
	if ((given & BIT(OPTION_SEED)) && (given & BIT(OPTION_SEEDS))) {
		say("either --seed or --seeds");
		return STATUS_WRONG_USE;
	}
	if (words >= command->least && words <= command->most)
		return 0;
	say("usage: collective-sim %s%s%s [OPTION]...", command->name,
		command->arguments[0] ? " " : "", command->arguments);
	return STATUS_WRONG_USE;
}

static int print_version(void)
{
	(void)printf("collective-sim %s\n", COLLECTIVE_VERSION);
	return STATUS_DONE;
}

static int dispatch(char **words, unsigned count, struct options *options, unsigned given)
{
	const struct command *command;
	int status;

	if (given & BIT(OPTION_VERSION))
		return print_version();
	if (given & BIT(OPTION_HELP))
		return help(count > 0 ? words[0] : NULL);
	if (count == 0) {
		print_overview(stderr);
		return STATUS_WRONG_USE;
	}
	command = find_command(words[0]);
	if (!command)
		return refuse_command(words[0]);
	status = check_use(command, given, count - 1);
	if (status)
		return status;
	options->subject = count > 1 ? words[1] : NULL;
	if (command->run)
		return command->run(options);
	return strcmp(command->name, "help") == 0 ? help(options->subject) : print_version();
}

int simulator_main(int argc, char **argv)
{
	struct asked asked = {.options = {.jobs = 1, .sites_max = SITES_DEFAULT}};
	int status = read_options(argc, argv, &asked);

	if (status)
		return status;
	if (sodium_init() < 0) {
		say("libsodium cannot be used here");
		return STATUS_WRONG_USE;
	}
	status = dispatch(argv + optind, (unsigned)(argc - optind), &asked.options, asked.given);
	/* A full disk behind a redirection is a failure of what was asked for. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		say("cannot write the answer: %s", strerror(errno));
		return STATUS_WRONG_USE;
	}
	return status;
}
