"""Figures as SVG, for compare.py: values as dots on lines, and pairs as squares."""
import math

COLOURS = {"collective": "#0072b2", "nebula": "#d55e00", "nebula_unrelayed": "#e69f00", "tinc": "#009e73", "wireguard": "#666666", "serf": "#cc79a7"}
STYLE = """<style>
text { font: 12px Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif; fill: #222222 }
text.mid { text-anchor: middle }
text.end { text-anchor: end }
text.bold { font-weight: bold; font-size: 13px }
text.title { font-weight: bold; font-size: 16px }
text.small { font-size: 9px; text-anchor: middle }
.grid { stroke: #e3e3e3; stroke-width: 1 }
.axis { stroke: #444444; stroke-width: 1 }
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
"""
LEFT, RIGHT, LINE = 124, 850, 20


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escaped(words)}</text>\n'


def head(width, height, title, subtitle):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">\n'
            f"<title>{escaped(title)}</title>\n<desc>{escaped(subtitle)}</desc>\n{STYLE}"
            + text(24, 28, title, "title") + text(24, 48, subtitle))


def short(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def seconds(milliseconds):
    return "<.01" if milliseconds < 10 else f"{milliseconds / 1000:.{0 if milliseconds >= 9950 else 1 if milliseconds >= 995 else 2}f}"


class Axis:
    """From values to places. What never came lies behind its end."""

    def __init__(self, values, logarithmic):
        finite = [value for value in values if value != math.inf]
        most = max(finite, default=1) or 1
        self.logarithmic = logarithmic
        if logarithmic:
            self.least = 10 ** math.floor(math.log10(max(min(finite, default=1), 0.1)))
            self.most = 10 ** math.ceil(math.log10(max(most, self.least * 10)))
            self.ticks = [10 ** i for i in range(round(math.log10(self.least)), round(math.log10(self.most)) + 1)]
            return
        step = 10 ** math.floor(math.log10(most))
        step = next(step * part for part in (0.1, 0.2, 0.25, 0.5, 1, 2) if most / (step * part) <= 6)
        self.least, self.most = 0, step * math.ceil(most / step)
        self.ticks = [step * i for i in range(round(self.most / step) + 1)]

    def place(self, value):
        if value == math.inf:
            return RIGHT + 16
        if self.logarithmic:
            part = math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        else:
            part = value / self.most
        return LEFT + part * (RIGHT - LEFT)


def panels(title, subtitle, shown):
    """SHOWN: title, unit, logarithmic, and lines of name, program and values. Logarithmic panels have one axis."""
    shared = Axis([value for _, _, logarithmic, lines in shown if logarithmic for _, _, values in lines for value in values], True)
    height = 64 + sum(52 + LINE * len(lines) for _, _, _, lines in shown)
    out, top = [head(1000, height, title, subtitle)], 64
    for words, unit, logarithmic, lines in shown:
        axis = shared if logarithmic else Axis([value for _, _, values in lines for value in values], False)
        bottom = top + 18 + LINE * len(lines)
        out.append(text(24, top + 10, f"{words}, {unit}" if unit != "ratio" else words, "bold"))
        for tick in axis.ticks:
            x = axis.place(tick)
            out.append(f'<path d="M{x:.1f} {top + 18}V{bottom}" class="grid"/>\n' + text(x, bottom + 14, short(tick), "mid"))
        for i, (name, program, values) in enumerate(lines):
            y, colour = top + 18 + LINE * (i + 0.5), COLOURS[program]
            median = sorted(values)[(len(values) - 1) // 2]
            out.append(text(LEFT - 10, y + 4, name, "end"))
            for value in values:
                x = axis.place(value)
                if value == math.inf:
                    out.append(f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m-8 0l8 -8" stroke="{colour}" stroke-width="1.6"/>\n')
                else:
                    out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}" fill-opacity="0.45"/>\n')
            x = axis.place(median)
            out.append(f'<path d="M{x:.1f} {y - 8:.1f}v16" stroke="{colour}" stroke-width="2.5"/>\n')
            never = sum(value == math.inf for value in values)
            out.append(text(RIGHT + 26, y + 4, (short(round(median, 2 if median < 10 else 1)) if median != math.inf else "never")
                            + (f", {never} never" if never and median != math.inf else "")))
        out.append(f'<path d="M{LEFT} {bottom}H{RIGHT}" class="axis"/>\n')
        top = bottom + 34
    return "".join(out) + "</svg>\n"


def matrix(title, subtitle, programs, pairs, again):
    """PAIRS: by "A and B", milliseconds by program; AGAIN: the same, if B begins, of those that A did not make."""
    types = []
    for case in pairs:
        for kind in case.split(" and "):
            if kind not in types:
                types.append(kind)
    side = 28
    wide = side * len(types) + 40
    width, top = 140 + wide * len(programs), 84
    height = top + side * len(types) + 96
    out = [head(width, height, title, subtitle)]
    for i, (name, program) in enumerate(programs):
        left = 140 + wide * i
        out.append(text(left, top - 10, name, "bold"))
        for row, a in enumerate(types):
            if i == 0:
                out.append(text(left - 8, top + side * row + 18, a, "end"))
            x, y = left + side * row + 18, top + side * len(types) + 8
            out.append(f'<text x="{x}" y="{y}" class="end" transform="rotate(-50 {x} {y})">{escaped(a)}</text>\n')
            for column, b in enumerate(types[:row + 1]):
                case = f"{b} and {a}" if f"{b} and {a}" in pairs else f"{a} and {b}"
                times = pairs.get(case, {})
                if program not in times:
                    continue
                x, y = left + side * column, top + side * row
                met, other = times[program] != math.inf, again.get(case, {}).get(program, math.inf) != math.inf
                out.append(f'<rect x="{x + 1}" y="{y + 1}" width="{side - 2}" height="{side - 2}" fill="{COLOURS[program] if met else "#ffffff"}" '
                           f'fill-opacity="0.35" stroke="#999999"/>\n')
                if met:
                    out.append(text(x + side / 2, y + 18, seconds(times[program]), "small"))
                elif other:
                    out.append(text(x + side / 2, y + 18, "B", "small"))
    return "".join(out) + "</svg>\n"
