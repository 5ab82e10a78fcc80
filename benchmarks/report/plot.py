# SPDX-License-Identifier: BSL-1.0
"""Line plots as SVG, by hand: the x axis has named places, the y axis is logarithmic."""
import html
import math

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 190, 40, 50
COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#8d6a9f", "#5c5c5c", "#2e4057", "#c06e52")


def short(value):
    for size, name in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


def svg(title, x_name, y_name, places, series):
    """`series`: name -> one value or None for each of `places`."""
    values = [v for line in series.values() for v in line if v]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def x(i):
        return LEFT + (WIDTH - LEFT - RIGHT) * (i + 0.5) / len(places)

    def y(v):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(v) - low) / (high - low)

    def text(at_x, at_y, words, anchor="middle", more=""):
        return f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}"{more}>{html.escape(words)}</text>'

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
           ' font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(WIDTH / 2, 20, title, more=' font-size="15"'),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_name), text(LEFT, TOP - 10, y_name)]
    for power in range(low, high + 1):
        at = y(10 ** power)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        out.append(text(LEFT - 8, at + 4, short(10 ** power), "end"))
    out += [text(x(i), HEIGHT - BOTTOM + 18, place) for i, place in enumerate(places)]
    for n, (name, line) in enumerate(series.items()):
        colour = COLOURS[n % len(COLOURS)]
        points = [(x(i), y(v)) for i, v in enumerate(line) if v]
        joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        out.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        at = TOP + 10 + 20 * n
        out.append(f'<rect x="{WIDTH - RIGHT + 15}" y="{at - 9}" width="12" height="12" fill="{colour}"/>')
        out.append(text(WIDTH - RIGHT + 33, at + 1, name, "start"))
    return "\n".join([*out, "</svg>", ""])


def by_payload(r):
    sizes = sorted({payload for (payload,) in r.keys("payload")})
    # The windows of the bars: 1000 messages of 100 bytes, 200 of the larger ones.
    rows = {size: max(w for p, w in r.keys("payload", "window") if p == size) for size in sizes}
    series = {mode: [r.median("msgs_per_s", mode=mode, tls=0, payload=s, window=rows[s]) for s in sizes]
              for (mode,) in r.keys("mode")}
    return svg("Acknowledged messages a second, plain", "payload in bytes", "msg/s", [str(s) for s in sizes],
               drawn(series))


def by_window(r):
    windows = sorted({window for (window,) in r.keys("window")})
    series = {mode: [r.median("p50_us", mode=mode, tls=0, window=w) for w in windows] for (mode,) in r.keys("mode")}
    return svg("Median latency, 100 bytes, plain", "messages in flight", "us", [str(w) for w in windows], drawn(series))


def by_threads(r):
    counts = sorted({n for (n,) in r.keys("threads")})
    series = {"push": [r.median("msgs_per_s", threads=n) for n in counts]}
    return svg("Threads that push on one producer", "threads", "msg/s", [str(n) for n in counts], drawn(series))


def drawn(series):
    return {name: line for name, line in series.items() if any(line)}


OF_PART = {"throughput": by_payload, "latency": by_window, "threads": by_threads}
