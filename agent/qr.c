/* SPDX-License-Identifier: MIT */
/*
 * The library is loaded when it is wanted: the agent, which is the same program, never has it in
 * its memory.
 */
#include "agent/qr.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#include "agent/command.h"

#ifdef HAVE_QRENCODE

#include <qrencode.h>

#define LIBRARY "libqrencode.so.4"
#define QUIET 4                /* modules around the code that stay light */
#define COLOURS "\033[30;107m" /* whatever the terminal's own are */
#define COLOURS_END "\033[0m"

struct library {
	void *handle;
	__typeof__(&QRcode_encodeString8bit) encode;
	__typeof__(&QRcode_free) release;
};

static int load(struct library *library)
{
	library->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (library->handle) {
		*(void **)&library->encode = dlsym(library->handle, "QRcode_encodeString8bit");
		*(void **)&library->release = dlsym(library->handle, "QRcode_free");
	}
	if (library->handle && library->encode && library->release)
		return 0;
	say("drawing it needs libqrencode: \"apt install libqrencode4\"");
	return -ENOENT;
}

static bool is_dark(const QRcode *code, int row, int column)
{
	return row >= 0 && column >= 0 && row < code->width && column < code->width &&
	       code->data[row * code->width + column] & 1;
}

/* Two rows of modules stand in one of characters, which are twice as high as they are wide. */
static void draw(FILE *out, const QRcode *code)
{
	static const char *const halves[2][2] = {{" ", "\u2584"}, {"\u2580", "\u2588"}};

	for (int row = -QUIET; row < code->width + QUIET; row += 2) {
		(void)fputs(COLOURS, out);
		for (int column = -QUIET; column < code->width + QUIET; column++)
			(void)fputs(
				halves[is_dark(code, row, column)][is_dark(code, row + 1, column)],
				out);
		(void)fputs(COLOURS_END "\n", out);
	}
}

int qr_draw(FILE *out, const char *text)
{
	struct library library = {.handle = NULL};
	QRcode *code;
	int r = load(&library);

	if (r == 0) {
		code = library.encode(text, 0, QR_ECLEVEL_L);
		if (code) {
			draw(out, code);
			library.release(code);
		} else {
			r = -errno;
			say("this is too long for a picture");
		}
	}
	if (library.handle)
		(void)dlclose(library.handle);
	return r;
}

#else

int qr_draw(FILE *out, const char *text)
{
	(void)out;
	(void)text;
	say("this program was built without pictures of invites");
	return -ENOSYS;
}

#endif
