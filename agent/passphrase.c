/* SPDX-License-Identifier: MIT */
#include "agent/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/command.h"

enum { KEY_INTERRUPT = 3, KEY_END = 4, KEY_BACKSPACE = 8, KEY_KILL = 21, KEY_DELETE = 127 };

/* Reads up to a line end. Returns 0, -EINVAL when it is too long, or what reading returned. */
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
		if (length == PASSPHRASE_SIZE - 1)
			return -EINVAL;
		out[length++] = c;
	}
	if (length > 0 && out[length - 1] == '\r')
		length--;
	out[length] = '\0';
	return 0;
}

/* One key at a time, so that an interrupt cannot leave the terminal without echo. */
static int read_keys(int fd, char out[static PASSPHRASE_SIZE])
{
	size_t length = 0;
	char c;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || c == KEY_INTERRUPT || (c == KEY_END && length == 0))
			return -ECANCELED;
		if (c == '\n' || c == '\r')
			break;
		if (c == KEY_BACKSPACE || c == KEY_DELETE)
			length -= length > 0;
		else if (c == KEY_KILL)
			length = 0;
		else if (length == PASSPHRASE_SIZE - 1)
			return -EINVAL;
		else
			out[length++] = c;
	}
	out[length] = '\0';
	return 0;
}

static int ask(const char *question, char out[static PASSPHRASE_SIZE])
{
	struct termios before;
	struct termios silent;
	int r;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	silent.c_cc[VMIN] = 1;
	silent.c_cc[VTIME] = 0;
	(void)fprintf(stderr, "%s: ", question);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0)
		return -errno;
	r = read_keys(STDIN_FILENO, out);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)fputc('\n', stderr);
	return r;
}

static int ask_person(int confirm, char out[static PASSPHRASE_SIZE])
{
	char again[PASSPHRASE_SIZE];
	int r = ask("Passphrase", out);

	if (r < 0 || !confirm)
		return r;
	r = ask("Once more", again);
	if (r == 0 && strcmp(out, again) != 0) {
		say("the two are not the same");
		r = -EINVAL;
	}
	sodium_memzero(again, sizeof again);
	return r;
}

int passphrase_read(const char *file, int confirm, char out[static PASSPHRASE_SIZE])
{
	int fd;
	int r;

	if (!file && isatty(STDIN_FILENO)) {
		r = ask_person(confirm, out);
		if (r == -ECANCELED)
			say("cancelled; nothing was done");
		return r;
	}
	fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
	r = fd < 0 ? -errno : read_line(fd, out);
	if (r == -EINVAL)
		say("the passphrase is longer than %d characters", PASSPHRASE_SIZE - 1);
	else if (r < 0)
		say("%s: %s", file ? file : "standard input", strerror(-r));
	if (file && fd >= 0)
		(void)close(fd);
	return r;
}
