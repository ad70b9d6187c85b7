/* SPDX-License-Identifier: MIT */
/*
 * chart.h - figures as SVG: panels side by side, sites along the bottom on a logarithmic scale.
 *
 * All is reckoned in integers, so the same values give the same bytes on every machine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHART_POINTS_MAX 16
#define CHART_CURVES_MAX 8
#define CHART_RULES_MAX 4
#define CHART_PANELS_MAX 3
#define CHART_KEYS_MAX 8
#define CHART_TICKS_MAX 24

struct chart_point {
	uint32_t x;
	int64_t y;
};

/* How a curve is drawn: a colour and a shape that tell apart also without colour. */
enum chart_tone { CHART_BLUE, CHART_ORANGE, CHART_GREEN, CHART_GREY, CHART_TONES };

struct chart_curve {
	enum chart_tone tone;
	bool hollow;       /* rings on a line of dashes: seen also around other curves' marks */
	const char *label; /* at its end; NULL: none */
	uint32_t count;
	struct chart_point points[CHART_POINTS_MAX];
};

/* A limit, from side to side. */
struct chart_rule {
	int64_t y;
	bool faint; /* a bound that nothing can be below, not a limit */
	char label[48];
};

struct chart_panel {
	char title[64];
	const char *y_title; /* NULL: that of the panel to the left */
	int64_t unit;        /* so much of y is one on the axis */
	bool logarithmic;
	int64_t least; /* the y axis reaches from here */
	int64_t most;
	uint32_t curve_count;
	struct chart_curve curves[CHART_CURVES_MAX];
	uint32_t rule_count;
	struct chart_rule rules[CHART_RULES_MAX];
};

struct chart_key {
	enum chart_tone tone;
	bool hollow;
	const char *text;
};

struct chart {
	const char *title;
	const char *subtitle;
	const char *description; /* for who cannot see it */
	const char *x_title;
	uint32_t tick_count;
	uint32_t ticks[CHART_POINTS_MAX]; /* of x, ascending */
	uint32_t key_count;
	struct chart_key keys[CHART_KEYS_MAX];
	uint32_t panel_count;
	struct chart_panel panels[CHART_PANELS_MAX];
};

void chart_write(FILE *out, const struct chart *chart);

/* The logarithm to the base two in 65536ths, rounded down; value is at least 1. */
int64_t chart_log2(uint64_t value);

/*
 * Ticks from least to most, both included where they fall on one: multiples of 1, 2 or 5 times a
 * power of ten, at most eight. Returns how many.
 */
uint32_t chart_ticks(int64_t least, int64_t most, int64_t ticks[static CHART_TICKS_MAX]);

/* Ticks of a logarithmic axis: 1, 2 and 5 in each decade; over many decades, 1 alone. */
uint32_t chart_ticks_log(int64_t least, int64_t most, int64_t ticks[static CHART_TICKS_MAX]);

/* Writes value/unit with as few decimals as it takes, at most three: "0.5", "20". */
void chart_number(int64_t value, int64_t unit, char *out, size_t size);
