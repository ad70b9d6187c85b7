/* SPDX-License-Identifier: MIT */
/*
 * qr.h - a text as a picture that a telephone's camera reads, drawn in a terminal.
 */
#pragma once

#include <stdio.h>

/* Draws it. Returns 0, or an error that was said. */
int qr_draw(FILE *out, const char *text);
