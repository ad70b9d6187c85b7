/* SPDX-License-Identifier: MIT */
/*
 * passphrase.h - asking a person for a passphrase, or a script.
 */
#pragma once

#define PASSPHRASE_SIZE 256

/*
 * Reads a passphrase: from the first line of file when file is not NULL; else, where standard input
 * is a terminal, asked for there without echo, and twice when confirm is set; else from the first
 * line of standard input. Returns 0, or a negative errno after saying what went wrong. The caller
 * wipes out.
 */
int passphrase_read(const char *file, int confirm, char out[static PASSPHRASE_SIZE]);
