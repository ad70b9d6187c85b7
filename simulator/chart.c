/* SPDX-License-Identifier: MIT */
#include "simulator/chart.h"

#include <inttypes.h>
#include <string.h>

/* Lengths are in tenths of a pixel. */
#define PX 10
#define LEFT (64 * PX)
#define GAP (44 * PX)   /* between panels with one title of y for all, */
#define GAP_2 (64 * PX) /* and with one each */
#define RIGHT (20 * PX)
#define TOP (104 * PX)
#define BOTTOM (56 * PX)
#define HIGH (300 * PX) /* a panel */
#define WIDE_ALL (1000 * PX)
#define WIDE_ONE (560 * PX)
#define PAD (14 * PX)   /* between the frame and the first and last values of x */
#define LINE (14 * PX)  /* between two labels at curves' ends */
#define STEPS 16        /* along a line between two points, to see what it meets */
#define LETTER (7 * PX) /* as wide as one is on average, rather more */

static const struct {
	const char *colour;
	const char *text; /* dark enough for letters */
} tones[CHART_TONES] = {
	[CHART_BLUE] = {"#0072b2", "#005a8e"},
	[CHART_ORANGE] = {"#d55e00", "#a84a00"},
	[CHART_GREEN] = {"#009e73", "#00724f"},
	[CHART_GREY] = {"#666666", "#444444"},
};

/* Where a panel stands, and what it shows. */
struct frame {
	const struct chart *chart;
	const struct chart_panel *panel;
	int64_t left;
	int64_t width;
};

/* Numbers. */

int64_t chart_log2(uint64_t value)
{
	int64_t result = 0;
	uint64_t mantissa = value;

	for (; mantissa >= UINT64_C(1) << 32; mantissa >>= 1)
		result++;
	for (; mantissa < UINT64_C(1) << 31; mantissa <<= 1)
		result--;
	result += 31;
	/* Squaring doubles the logarithm: one bit of it comes out at a time. */
	for (int i = 0; i < 16; i++) {
		mantissa = mantissa * mantissa >> 31;
		result *= 2;
		if (mantissa >= UINT64_C(1) << 32) {
			mantissa >>= 1;
			result++;
		}
	}
	return result;
}

/* Steps are 1, 2 and 5 times a power of ten. */
static int64_t next_step(int64_t step)
{
	int64_t power = 1;

	while (power * 10 <= step)
		power *= 10;
	return step == power ? 2 * power : step == 2 * power ? 5 * power : 10 * power;
}

uint32_t chart_ticks(int64_t least, int64_t most, int64_t ticks[static CHART_TICKS_MAX])
{
	int64_t step = 1;
	uint32_t count = 0;

	while ((most - least) / step >= 8)
		step = next_step(step);
	for (int64_t at = (least + step - 1) / step * step; at <= most; at += step)
		ticks[count++] = at;
	return count;
}

uint32_t chart_ticks_log(int64_t least, int64_t most, int64_t ticks[static CHART_TICKS_MAX])
{
	bool decades = most / 1000 >= least;
	uint32_t count = 0;

	for (int64_t at = 1; at <= most && count < CHART_TICKS_MAX;
		at = decades ? 10 * at : next_step(at)) {
		if (at >= least)
			ticks[count++] = at;
	}
	return count;
}

void chart_number(int64_t value, int64_t unit, char *out, size_t size)
{
	int64_t thousandths = (value % unit * 1000 + unit / 2) / unit;
	int64_t whole = value / unit + thousandths / 1000;
	size_t length;

	thousandths %= 1000;
	(void)snprintf(out, size, "%" PRId64 ".%03" PRId64, whole, thousandths);
	for (length = strlen(out); out[length - 1] == '0'; length--)
		out[length - 1] = '\0';
	if (out[length - 1] == '.')
		out[length - 1] = '\0';
}

static int64_t share(int64_t part, int64_t whole, int64_t length)
{
	return whole > 0 ? part * length / whole : 0;
}

static int64_t text_width(const char *text)
{
	return (int64_t)strlen(text) * LETTER;
}

static int64_t place_x(const struct frame *frame, uint32_t x)
{
	const struct chart *chart = frame->chart;
	int64_t first = chart_log2(chart->ticks[0]);
	int64_t last = chart_log2(chart->ticks[chart->tick_count - 1]);

	return frame->left + PAD +
	       share(chart_log2(x) - first, last - first, frame->width - 2 * PAD);
}

static int64_t place_y(const struct frame *frame, int64_t y)
{
	const struct chart_panel *panel = frame->panel;
	int64_t within = y < panel->least ? panel->least : y > panel->most ? panel->most : y;

	if (!panel->logarithmic)
		return TOP + HIGH - share(within - panel->least, panel->most - panel->least, HIGH);
	return TOP + HIGH -
	       share(chart_log2((uint64_t)within) - chart_log2((uint64_t)panel->least),
		       chart_log2((uint64_t)panel->most) - chart_log2((uint64_t)panel->least),
		       HIGH);
}

/* Writing. */

#define AT "%" PRId64 ".%" PRId64
#define TENTHS(v) (v) / PX, (v) % PX

static void write_text(FILE *out, int64_t x, int64_t y, const char *attributes, const char *text)
{
	(void)fprintf(out, "<text x=\"" AT "\" y=\"" AT "\"%s>", TENTHS(x), TENTHS(y), attributes);
	for (; *text; text++) {
		if (*text == '<')
			(void)fputs("&lt;", out);
		else if (*text == '&')
			(void)fputs("&amp;", out);
		else
			(void)fputc(*text, out);
	}
	(void)fputs("</text>\n", out);
}

static void write_line(
	FILE *out, int64_t x1, int64_t y1, int64_t x2, int64_t y2, const char *attributes)
{
	(void)fprintf(out, "<path d=\"M" AT " " AT "L" AT " " AT "\"%s/>\n", TENTHS(x1), TENTHS(y1),
		TENTHS(x2), TENTHS(y2), attributes);
}

/* Circle, square or triangle; a ring is drawn larger. */
static void write_mark(FILE *out, int64_t x, int64_t y, enum chart_tone tone, bool hollow)
{
	int64_t half = hollow ? 50 : 32;

	if (tone == CHART_ORANGE)
		(void)fprintf(out, "<path d=\"M" AT " " AT "h" AT "v" AT "h-" AT "z\"",
			TENTHS(x - half), TENTHS(y - half), TENTHS(2 * half), TENTHS(2 * half),
			TENTHS(2 * half));
	else if (tone == CHART_GREEN)
		(void)fprintf(out, "<path d=\"M" AT " " AT "l" AT " " AT "h-" AT "z\"", TENTHS(x),
			TENTHS(y - half * 5 / 4), TENTHS(half * 5 / 4), TENTHS(half * 9 / 4),
			TENTHS(half * 5 / 2));
	else
		(void)fprintf(out, "<circle cx=\"" AT "\" cy=\"" AT "\" r=\"" AT "\"", TENTHS(x),
			TENTHS(y), TENTHS(half));
	(void)fprintf(out, " fill=\"%s\" stroke=\"%s\" stroke-width=\"1.4\"/>\n",
		hollow ? "#ffffff" : tones[tone].colour, tones[tone].colour);
}

static void write_y_axis(FILE *out, const struct frame *frame)
{
	const struct chart_panel *panel = frame->panel;
	int64_t ticks[CHART_TICKS_MAX];
	uint32_t count = panel->logarithmic ? chart_ticks_log(panel->least, panel->most, ticks)
					    : chart_ticks(panel->least, panel->most, ticks);

	for (uint32_t i = 0; i < count; i++) {
		int64_t y = place_y(frame, ticks[i]);
		char text[32];

		chart_number(ticks[i], panel->unit, text, sizeof text);
		write_line(out, frame->left, y, frame->left + frame->width, y, " class=\"grid\"");
		write_text(out, frame->left - 7 * PX, y + 4 * PX, " class=\"end\"", text);
	}
}

static void write_x_axis(FILE *out, const struct frame *frame)
{
	const struct chart *chart = frame->chart;
	int64_t bottom = TOP + HIGH;
	int64_t last = INT64_MAX;

	for (uint32_t i = chart->tick_count; i > 0; i--) {
		int64_t x = place_x(frame, chart->ticks[i - 1]);
		char text[32];

		(void)snprintf(text, sizeof text, "%" PRIu32, chart->ticks[i - 1]);
		write_line(out, x, bottom, x, bottom + 4 * PX, " class=\"axis\"");
		/* A number that would touch its neighbour is left out. */
		if (last - x < text_width(text) + 4 * PX)
			continue;
		last = x;
		write_text(out, x, bottom + 18 * PX, " class=\"mid\"", text);
	}
	write_text(out, frame->left + frame->width / 2, bottom + 40 * PX, " class=\"mid big\"",
		chart->x_title);
}

static void write_rules(FILE *out, const struct frame *frame)
{
	for (uint32_t i = 0; i < frame->panel->rule_count; i++) {
		const struct chart_rule *rule = &frame->panel->rules[i];
		int64_t y = place_y(frame, rule->y);

		write_line(out, frame->left, y, frame->left + frame->width, y,
			rule->faint ? " class=\"bound\"" : " class=\"limit\"");
	}
}

/* Above their lines; a bound's below, where no curve is. */
static void write_rule_labels(FILE *out, const struct frame *frame)
{
	for (uint32_t i = 0; i < frame->panel->rule_count; i++) {
		const struct chart_rule *rule = &frame->panel->rules[i];
		int64_t y = place_y(frame, rule->y);

		write_text(out, frame->left + 6 * PX, rule->faint ? y + 14 * PX : y - 5 * PX,
			" class=\"halo\"", rule->label);
	}
}

static void write_curve(FILE *out, const struct frame *frame, const struct chart_curve *curve)
{
	if (curve->count == 0)
		return;
	(void)fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s d=\"",
		tones[curve->tone].colour, curve->hollow ? " stroke-dasharray=\"7 3\"" : "");
	for (uint32_t i = 0; i < curve->count; i++)
		(void)fprintf(out, "%c" AT " " AT, i == 0 ? 'M' : 'L',
			TENTHS(place_x(frame, curve->points[i].x)),
			TENTHS(place_y(frame, curve->points[i].y)));
	(void)fputs("\"/>\n", out);
	for (uint32_t i = 0; i < curve->count; i++)
		write_mark(out, place_x(frame, curve->points[i].x),
			place_y(frame, curve->points[i].y), curve->tone, curve->hollow);
}

/* A label at the end of a curve. */
struct label {
	const struct chart_curve *curve;
	int64_t x;
	int64_t y;
};

static uint32_t last_x(const struct chart_curve *curve)
{
	return curve->count > 0 ? curve->points[curve->count - 1].x : 0;
}

/* Other curves go on where this one ends. */
static bool ends_early(const struct chart_panel *panel, const struct chart_curve *curve)
{
	for (uint32_t i = 0; i < panel->curve_count; i++) {
		if (last_x(&panel->curves[i]) > last_x(curve))
			return true;
	}
	return false;
}

/* From the top down: a label moves below one that it would cover. */
static uint32_t lay_labels(const struct frame *frame, struct label labels[static CHART_CURVES_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < frame->panel->curve_count; i++) {
		const struct chart_curve *curve = &frame->panel->curves[i];
		struct label label = {.curve = curve};
		uint32_t at = count;

		if (!curve->label || curve->count == 0 || ends_early(frame->panel, curve))
			continue;
		label.x = place_x(frame, last_x(curve)) + 10 * PX;
		label.y = place_y(frame, curve->points[curve->count - 1].y) + 4 * PX;
		for (; at > 0 && labels[at - 1].y > label.y; at--)
			labels[at] = labels[at - 1];
		labels[at] = label;
		count++;
	}
	for (uint32_t i = 1; i < count; i++) {
		if (labels[i].y < labels[i - 1].y + LINE)
			labels[i].y = labels[i - 1].y + LINE;
	}
	return count;
}

static void write_label(
	FILE *out, int64_t x, int64_t y, const char *classes, const struct chart_curve *curve)
{
	char attributes[64];

	(void)snprintf(attributes, sizeof attributes, " class=\"%s\" style=\"fill:%s\"", classes,
		tones[curve->tone].text);
	write_text(out, x, y, attributes, curve->label);
}

/* A rectangle in the picture. */
struct box {
	int64_t left, right, top, bottom;
};

/* Whether another curve runs through it. */
static bool is_crossed(
	const struct frame *frame, const struct chart_curve *own, const struct box *box)
{
	for (uint32_t i = 0; i < frame->panel->curve_count * CHART_POINTS_MAX * STEPS; i++) {
		const struct chart_curve *curve =
			&frame->panel->curves[i / STEPS / CHART_POINTS_MAX];
		uint32_t point = i / STEPS % CHART_POINTS_MAX;
		int64_t x;
		int64_t y;

		if (curve == own || point + 1 >= curve->count)
			continue;
		x = place_x(frame, curve->points[point].x);
		y = place_y(frame, curve->points[point].y);
		x += (place_x(frame, curve->points[point + 1].x) - x) * (i % STEPS) / (STEPS - 1);
		y += (place_y(frame, curve->points[point + 1].y) - y) * (i % STEPS) / (STEPS - 1);
		if (x > box->left && x < box->right && y > box->top && y < box->bottom)
			return true;
	}
	return false;
}

/* Behind the end too where there is room between the others, else above it. */
static void write_early_label(FILE *out, const struct frame *frame, const struct chart_curve *curve)
{
	int64_t x = place_x(frame, last_x(curve));
	int64_t y = place_y(frame, curve->points[curve->count - 1].y);
	const struct box behind = {
		x + 10 * PX, x + 10 * PX + text_width(curve->label), y - LINE, y + LINE};

	if (is_crossed(frame, curve, &behind))
		write_label(out, x + 5 * PX, y - 10 * PX, "end halo", curve);
	else
		write_label(out, x + 10 * PX, y + 4 * PX, "halo", curve);
}

static void write_labels(FILE *out, const struct frame *frame)
{
	struct label labels[CHART_CURVES_MAX];
	uint32_t count = lay_labels(frame, labels);

	for (uint32_t i = 0; i < count; i++)
		write_label(out, labels[i].x, labels[i].y, "halo", labels[i].curve);
	for (uint32_t i = 0; i < frame->panel->curve_count; i++) {
		const struct chart_curve *curve = &frame->panel->curves[i];

		if (curve->label && curve->count > 0 && ends_early(frame->panel, curve))
			write_early_label(out, frame, curve);
	}
}

/* What labels need to the right of a panel, where a curve reaches its end. */
static int64_t label_room(const struct chart *chart)
{
	int64_t room = 0;

	for (uint32_t i = 0; i < chart->panel_count * CHART_CURVES_MAX; i++) {
		const struct chart_curve *curve =
			&chart->panels[i / CHART_CURVES_MAX].curves[i % CHART_CURVES_MAX];

		if (curve->label && last_x(curve) == chart->ticks[chart->tick_count - 1] &&
			text_width(curve->label) > room)
			room = text_width(curve->label);
	}
	return room;
}

static void write_panel(FILE *out, const struct frame *frame)
{
	char turned[96];
	int64_t x = frame->left - 48 * PX;
	int64_t y = TOP + HIGH / 2;

	(void)snprintf(turned, sizeof turned,
		" class=\"mid big\" transform=\"rotate(-90 %" PRId64 " %" PRId64 ")\"", x / PX,
		y / PX);
	if (frame->panel->y_title)
		write_text(out, x, y, turned, frame->panel->y_title);
	write_text(out, frame->left, TOP - 10 * PX, " class=\"bold\"", frame->panel->title);
	write_y_axis(out, frame);
	write_x_axis(out, frame);
	write_line(out, frame->left, TOP, frame->left, TOP + HIGH, " class=\"axis\"");
	write_line(out, frame->left, TOP + HIGH, frame->left + frame->width, TOP + HIGH,
		" class=\"axis\"");
	write_rules(out, frame);
	for (uint32_t i = frame->panel->curve_count; i > 0; i--)
		write_curve(out, frame, &frame->panel->curves[i - 1]);
	write_rule_labels(out, frame);
	write_labels(out, frame);
}

static void write_keys(FILE *out, const struct chart *chart)
{
	int64_t x = LEFT;
	int64_t y = 68 * PX;

	for (uint32_t i = 0; i < chart->key_count; i++) {
		const struct chart_key *key = &chart->keys[i];

		(void)fprintf(out,
			"<path d=\"M" AT " " AT "h30\" stroke=\"%s\" stroke-width=\"2\"%s/>\n",
			TENTHS(x), TENTHS(y), tones[key->tone].colour,
			key->hollow ? " stroke-dasharray=\"7 3\"" : "");
		write_mark(out, x + 15 * PX, y, key->tone, key->hollow);
		write_text(out, x + 37 * PX, y + 4 * PX, "", key->text);
		x += 37 * PX + text_width(key->text) + 14 * PX;
	}
}

static void write_head(FILE *out, const struct chart *chart, int64_t width, int64_t height)
{
	(void)fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRId64 "\" height=\"%" PRId64
		"\" viewBox=\"0 0 %" PRId64 " %" PRId64 "\" role=\"img\">\n"
		"<title>%s</title>\n<desc>%s</desc>\n",
		width / PX, height / PX, width / PX, height / PX, chart->title, chart->description);
	(void)fputs("<style>\n"
		    "text { font: 12px Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', "
		    "sans-serif; fill: #222222 }\n"
		    "text.mid { text-anchor: middle }\n"
		    "text.end { text-anchor: end }\n"
		    "text.big { font-size: 13px }\n"
		    "text.bold { font-weight: bold; font-size: 13px }\n"
		    "text.title { font-weight: bold; font-size: 16px }\n"
		    "text.halo { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; "
		    "stroke-linejoin: round }\n"
		    ".grid { stroke: #e3e3e3; stroke-width: 1 }\n"
		    ".axis { stroke: #444444; stroke-width: 1 }\n"
		    ".limit { stroke: #222222; stroke-width: 1.4; stroke-dasharray: 5 4 }\n"
		    ".bound { stroke: #777777; stroke-width: 1.2; stroke-dasharray: 1 3 }\n"
		    "</style>\n"
		    "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
		out);
}

void chart_write(FILE *out, const struct chart *chart)
{
	int64_t width = chart->panel_count > 1 ? WIDE_ALL : WIDE_ONE;
	int64_t count = chart->panel_count;
	int64_t gap = count > 1 && chart->panels[1].y_title ? GAP_2 : GAP;
	int64_t room = label_room(chart);
	int64_t height = TOP + HIGH + BOTTOM;

	write_head(out, chart, width, height);
	write_text(out, LEFT, 26 * PX, " class=\"title\"", chart->title);
	write_text(out, LEFT, 46 * PX, "", chart->subtitle);
	write_keys(out, chart);
	for (uint32_t i = 0; i < chart->panel_count; i++) {
		struct frame frame = {.chart = chart, .panel = &chart->panels[i]};

		frame.width = (width - LEFT - RIGHT - (count - 1) * gap) / count - room;
		frame.left = LEFT + i * (frame.width + room + gap);
		write_panel(out, &frame);
	}
	(void)fputs("</svg>\n", out);
}
