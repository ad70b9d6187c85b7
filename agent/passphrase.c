/* SPDX-License-Identifier: MIT */
#include "agent/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/command.h"

enum { KEY_INTERRUPT = 3, KEY_END = 4, KEY_BACKSPACE = 8, KEY_KILL = 21, KEY_DELETE = 127 };

/* Reads up to a line end. Returns 0, -E2BIG when it is too long, -EILSEQ for a NUL, or an errno. */
static int read_line(int fd, char out[static PASSPHRASE_SIZE])
{
	size_t length = 0;
	char c;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || c == '\n')
			break;
		/* What stands behind a NUL would silently not count. */
		if (c == '\0')
			return -EILSEQ;
		if (length == PASSPHRASE_SIZE - 1)
			return -E2BIG;
		out[length++] = c;
	}
	if (length > 0 && out[length - 1] == '\r')
		length--;
	out[length] = '\0';
	return 0;
}

/* The signal that came while a person was asked. */
static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
	caught = number;
}

/* The length without its last character, which may be of several bytes. */
static size_t cut_character(const char *text, size_t length)
{
	while (length > 0 && ((unsigned char)text[length - 1] & 0xc0) == 0x80)
		length--;
	return length > 0 ? length - 1 : 0;
}

/* One key at a time. Returns 0, -ECANCELED, -E2BIG, or an errno. */
static int read_keys(int fd, char out[static PASSPHRASE_SIZE])
{
	size_t length = 0;
	char c;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR && !caught)
			continue;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0 || c == KEY_INTERRUPT || (c == KEY_END && length == 0))
			return -ECANCELED;
		if (c == '\n' || c == '\r')
			break;
		if (c == KEY_BACKSPACE || c == KEY_DELETE)
			length = cut_character(out, length);
		else if (c == KEY_KILL)
			length = 0;
		else if (length == PASSPHRASE_SIZE - 1)
			return -E2BIG;
		else
			out[length++] = c;
	}
	out[length] = '\0';
	return 0;
}

/* With echo off, whatever ends the program first gives the terminal back as it was. */
static int read_silently(const char *question, const struct termios *silent,
	const struct termios *before, char out[static PASSPHRASE_SIZE])
{
	static const int numbers[] = {SIGTERM, SIGHUP, SIGQUIT, SIGINT};
	struct sigaction actions[sizeof numbers / sizeof numbers[0]];
	const struct sigaction catching = {.sa_handler = catch_signal};
	int r;

	caught = 0;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		(void)sigaction(numbers[i], &catching, &actions[i]);
	/* The question comes once the terminal is silent: whoever answers it is not seen. */
	r = tcsetattr(STDIN_FILENO, TCSAFLUSH, silent) < 0 ? -errno : 0;
	if (r == 0) {
		(void)fprintf(stderr, "%s: ", question);
		r = read_keys(STDIN_FILENO, out);
	}
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		(void)sigaction(numbers[i], &actions[i], NULL);
	(void)fputc('\n', stderr);
	if (caught) {
		sodium_memzero(out, PASSPHRASE_SIZE);
		(void)raise(caught);
	}
	return r;
}

static int ask(const char *question, char out[static PASSPHRASE_SIZE])
{
	struct termios before;
	struct termios silent;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	silent.c_cc[VMIN] = 1;
	silent.c_cc[VTIME] = 0;
	return read_silently(question, &silent, &before, out);
}

/* Returns 0, -EKEYREJECTED when the two differ, or what asking returned. */
static int ask_person(int confirm, char out[static PASSPHRASE_SIZE])
{
	char again[PASSPHRASE_SIZE];
	int r = ask("Passphrase", out);

	if (r < 0 || !confirm)
		return r;
	r = ask("Once more", again);
	if (r == 0 && strcmp(out, again) != 0)
		r = -EKEYREJECTED;
	sodium_memzero(again, sizeof again);
	return r;
}

static void explain_failure(int r, const char *from)
{
	switch (r) {
	case -ECANCELED:
		say("cancelled; nothing was done");
		break;
	case -EKEYREJECTED:
		say("the two are not the same; nothing was done");
		break;
	case -E2BIG:
		say("the passphrase is longer than %d bytes", PASSPHRASE_SIZE - 1);
		break;
	case -EILSEQ:
		say("%s: a passphrase is text, and this holds a NUL byte", from);
		break;
	default:
		say("%s: %s", from, strerror(-r));
		break;
	}
}

int passphrase_read(const char *file, int confirm, char out[static PASSPHRASE_SIZE])
{
	int fd = STDIN_FILENO;
	int r = 0;

	if (file) {
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		r = fd < 0 ? -errno : 0;
	}
	if (r == 0 && !file && isatty(STDIN_FILENO))
		r = ask_person(confirm, out);
	else if (r == 0)
		r = read_line(fd, out);
	if (r < 0) {
		sodium_memzero(out, PASSPHRASE_SIZE);
		explain_failure(r, file ? file : "standard input");
	}
	if (file && fd >= 0)
		(void)close(fd);
	return r;
}
