#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the CSV of tools/bench/compare as SVG. Standard library only.

    plot.py [--caption TEXT] REPORT.csv [OUT.svg]

OUT.svg (default: REPORT.svg) has two bars for each row: llama.cpp, whose bar has length 1, and
lfm2. The longer bar is better in every row, also where the figure is a time or a size.
OUT-curves.svg has tokens/s over prompt length and over depth. Each figure is the median of its
rounds. Rows without figures of both programs are left out, and so are the rows qwen-*, which
compare two models. A picture without data is not written. Prints the names of the files written.
"""
import argparse
import csv
import os
import statistics
import sys
import textwrap
from xml.sax.saxutils import escape

# row of the CSV: (label, unit, whether less is better)
WORK = {
    "pp512": ("Prefill, 512 tokens", "tokens/s", False),
    "pp2048": ("Prefill, 2,048 tokens", "tokens/s", False),
    "pp32": ("First token, prompt of 32", "ms", True),
    "tg32": ("Decode, empty context", "tokens/s", False),
    "tg32-d4096": ("Decode at depth 4,096", "tokens/s", False),
    "tg32-d16384": ("Decode at depth 16,384", "tokens/s", False),
    "npl8": ("8 sequences together", "tokens/s", False),
    "npl16": ("16 sequences together", "tokens/s", False),
    "start": ("Start to first token", "s", True),
    "start-nocache": ("Start without pack cache", "s", True),
    "rss": ("Peak memory", "MB", True),
}
PROGRAMS = ("llama.cpp", "lfm2")
BREAK_AT = 10  # a bar of a larger ratio is drawn with a gap

STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
       font-size: 14px; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.note { font-size: 12px; fill: #59636e; }
.strong { font-weight: 600; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.grid { stroke: #d1d9e0; }
.gap { stroke: #ffffff; stroke-width: 4; }
.llama { fill: #8c959f; }
.lfm2 { fill: #0969da; }
.line-llama { stroke: #8c959f; stroke-width: 2.5; fill: none; }
.line-lfm2 { stroke: #0969da; stroke-width: 2.5; fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .note { fill: #9198a1; }
  .page { fill: #0d1117; stroke: #3d444d; }
  .grid { stroke: #3d444d; }
  .gap { stroke: #0d1117; }
  .lfm2 { fill: #4493f8; }
  .line-lfm2 { stroke: #4493f8; }
}
"""


# ---- Data ----------------------------------------------------------------------------------------

def read_medians(path):
    """{row: {program: median figure}} of the rows that both programs completed."""
    figures = {}
    with open(path, encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["figure"] and line["side"] in PROGRAMS:
                row = figures.setdefault(line["row"], {name: [] for name in PROGRAMS})
                row[line["side"]].append(float(line["figure"]))
    return {
        row: {name: statistics.median(values) for name, values in sides.items()}
        for row, sides in figures.items()
        if all(sides.values()) and min(map(min, sides.values())) > 0
    }


def shown(x):
    """Three digits, with commas between thousands."""
    return f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:,.0f}"


# ---- SVG -----------------------------------------------------------------------------------------

WIDTH, LABEL, NOTE = 820, 16, 17  # pixels: of a picture, left margin, height of a line of notes

class Svg:
    """A picture with its own background, title and legend."""

    def __init__(self, height, title, description):
        self.elements = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(description)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" '
            f'height="{height - 1}" rx="6"/>',
        ]
        self.text(LABEL, 30, title, "title")
        self.legend(600, 30)

    def text(self, x, y, text, style="", anchor="start"):
        self.elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def bar(self, x, y, width, height, style):
        self.elements.append(
            f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="2"/>'
        )

    def line(self, points, style):
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.elements.append(f'<polyline class="{style}" points="{where}"/>')

    def dot(self, x, y, style):
        self.elements.append(f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')

    def legend(self, x, y):
        for name, style in zip(PROGRAMS, ("llama", "lfm2")):
            self.bar(x, y - 10, 12, 12, style)
            self.text(x + 18, y, name)
            x += 100

    def caption(self, y, lines):
        for i, line in enumerate(lines):
            self.text(LABEL, y + NOTE * i, line, "note")

    def write(self, path):
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write("\n".join(self.elements) + "\n</svg>\n")


# ---- Bars ----------------------------------------------------------------------------------------

BARS, BARS_END, RATIO = 236, 600, 804
TOP, PITCH, THICK = 84, 46, 16


def ratio_of(row, medians):
    """How many times better lfm2 is."""
    theirs, ours = (medians[row][name] for name in PROGRAMS)
    return theirs / ours if WORK[row][2] else ours / theirs


def draw_bars(medians, caption):
    rows = [row for row in WORK if row in medians]
    ratios = {row: ratio_of(row, medians) for row in rows}
    longest = max([1.0] + [r for r in ratios.values() if r <= BREAK_AT])
    unit = (BARS_END - BARS) / longest
    height = TOP + PITCH * len(rows) + 14 + NOTE * len(caption)
    description = "; ".join(
        f"{WORK[row][0]}: llama.cpp {shown(medians[row]['llama.cpp'])}, lfm2 "
        f"{shown(medians[row]['lfm2'])} {WORK[row][1]}, {shown(ratios[row])} times" for row in rows
    )
    svg = Svg(height, "llama.cpp and lfm2 on the same model file", description)
    note = "Longer is better; llama.cpp is 1 in each row. A bar with a gap is cut short."
    svg.text(LABEL, 52, note, "note")
    svg.text(RATIO, 70, "ratio", "note", "end")
    for i, row in enumerate(rows):
        y = TOP + PITCH * i
        label, unit_name, _ = WORK[row]
        svg.text(LABEL, y + THICK + 5, label)
        for k, (name, length) in enumerate(zip(PROGRAMS, (1, ratios[row]))):
            end = BARS + unit * min(length, longest)
            at = y + k * (THICK + 2)
            svg.bar(BARS, at, end - BARS, THICK, ("llama", "lfm2")[k])
            if length > longest:
                gap = end - 30
                svg.line([(gap, at + THICK + 1), (gap + 8, at - 1)], "gap")
            svg.text(end + 8, at + 13, f"{shown(medians[row][name])} {unit_name}")
        svg.text(RATIO, y + THICK + 6, f"{shown(ratios[row])}\u00d7", "strong", "end")
    svg.caption(TOP + PITCH * len(rows) + 14, caption)
    return svg if rows else None


# ---- Curves --------------------------------------------------------------------------------------

def curve_points(medians, rows, speed):
    """{program: [(x, tokens/s)]} of the rows {row: x} that were measured."""
    return {
        name: [(x, speed(row, medians[row][name])) for row, x in rows.items() if row in medians]
        for name in PROGRAMS
    }


def draw_panel(svg, left, title, points, position):
    """One diagram, 340 wide; position gives 0 to 1 for an x."""
    bottom, top, width = 270, 96, 340
    highest = max(y for line in points.values() for _, y in line) * 1.15
    svg.text(left, 72, title, "strong")
    svg.line([(left, bottom), (left + width, bottom)], "grid")
    lowest = [min(pair) for pair in zip(*([y for _, y in points[name]] for name in PROGRAMS))]
    for name, style in zip(PROGRAMS, ("llama", "lfm2")):
        line = [
            (left + 24 + (width - 48) * position(x), bottom - (bottom - top) * y / highest)
            for x, y in points[name]
        ]
        svg.line(line, f"line-{style}")
        for (x, y), (_, value), low in zip(line, points[name], lowest):
            svg.dot(x, y, style)
            # The smaller figure is below its dot if the axis leaves space for it.
            below = value == low and y + 22 < bottom
            svg.text(x, y + 20 if below else y - 10, shown(value), "", "middle")
    for x, _ in points[PROGRAMS[0]]:
        svg.text(left + 24 + (width - 48) * position(x), bottom + 20, f"{x:,}", "note", "middle")


def draw_curves(medians, caption):
    prefill = curve_points(
        medians, {"pp32": 32, "pp512": 512, "pp2048": 2048},
        lambda row, figure: 32e3 / figure if row == "pp32" else figure)
    decode = curve_points(
        medians, {"tg32": 0, "tg32-d4096": 4096, "tg32-d16384": 16384}, lambda row, figure: figure)
    panels = [
        ("Prefill, tokens/s over prompt length", prefill, lambda x: (x.bit_length() - 6) / 6),
        ("Decode, tokens/s over depth", decode, lambda x: x / 16384),
    ]
    panels = [panel for panel in panels if len(panel[1][PROGRAMS[0]]) > 1]
    description = ". ".join(
        title + ": " + "; ".join(
            name + " " + ", ".join(f"{shown(y)} at {x:,}" for x, y in points[name])
            for name in PROGRAMS)
        for title, points, _ in panels)
    svg = Svg(314 + NOTE * len(caption), "Speed over prompt length and over depth", description)
    for i, (title, points, position) in enumerate(panels):
        draw_panel(svg, LABEL + 400 * i, title, points, position)
    svg.caption(318, caption)
    return svg if panels else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--caption", default="", help="text below the pictures")
    parser.add_argument("csv", metavar="REPORT.csv")
    parser.add_argument("out", metavar="OUT.svg", nargs="?")
    args = parser.parse_args()
    out = args.out or os.path.splitext(args.csv)[0] + ".svg"
    pictures = (draw_bars, out), (draw_curves, os.path.splitext(out)[0] + "-curves.svg")
    try:
        medians = read_medians(args.csv)
        for draw, path in pictures:
            svg = draw(medians, textwrap.wrap(args.caption, 120))
            if svg:
                svg.write(path)
                print(path)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"plot.py: {args.csv}: {error}")


if __name__ == "__main__":
    main()
