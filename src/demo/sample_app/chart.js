// A curve of one kind of measurement, as SVG with a table beside it that says the same.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [340, 190];
const EDGE = { top: 12, right: 12, bottom: 26, left: 40 };

/**
 * A card for `series`: { title, unit, lines: [{ name, points: [{ time, value, text }] }] }, points in the order of time.
 */
export function chart(series) {
    const card = element("article", { class: "chart" });
    const heading = element("h3", {}, series.title);
    const latest = element("p", { class: "latest" }, `${latestText(series)} ${series.unit}`);
    latest.append(element("span", { class: "when" }, ` on ${day(lastTime(series))}`));
    card.append(heading, latest);
    // One measurement is no curve.
    if (series.lines.some((line) => line.points.length > 1)) {
        card.append(drawing(series));
    }
    if (series.lines.length > 1) {
        card.append(legend(series.lines));
    }
    card.append(table(series));
    return card;
}

function drawing(series) {
    const points = series.lines.flatMap((line) => line.points);
    const times = scale(points.map((point) => point.time), EDGE.left, WIDTH - EDGE.right, 0);
    const values = scale(points.map((point) => point.value), HEIGHT - EDGE.bottom, EDGE.top, 0.1);
    const label = `${series.title}: ${points.length} values from ${day(times.least)} to ${day(times.most)}, `
        + `between ${Math.min(...points.map((p) => p.value))} and ${Math.max(...points.map((p) => p.value))} ${series.unit}`;
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
    for (const value of ticks(values.least, values.most)) {
        const y = values.at(value);
        svg.append(shape("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y, y2: y }));
        svg.append(shape("text", { x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, String(value)));
    }
    const below = HEIGHT - 8;
    svg.append(shape("text", { x: EDGE.left, y: below }, month(times.least)));
    svg.append(shape("text", { x: WIDTH - EDGE.right, y: below, "text-anchor": "end" }, month(times.most)));
    series.lines.forEach((line, index) => {
        const places = line.points.map((point) => [times.at(point.time), values.at(point.value)]);
        if (places.length > 1) {
            const path = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
            svg.append(shape("polyline", { class: `line line-${index}`, points: path }));
        }
        for (const [x, y] of places) {
            svg.append(shape("circle", { class: `dot dot-${index}`, cx: x.toFixed(1), cy: y.toFixed(1), r: 3 }));
        }
    });
    return svg;
}

function legend(lines) {
    const list = element("ul", { class: "legend" });
    lines.forEach((line, index) => list.append(element("li", { class: `key key-${index}` }, line.name)));
    return list;
}

function table(series) {
    const details = element("details");
    const rows = new Map();
    series.lines.forEach((line, index) => {
        for (const point of line.points) {
            const cells = rows.get(point.time) || series.lines.map(() => "");
            cells[index] = point.text;
            rows.set(point.time, cells);
        }
    });
    const count = rows.size === 1 ? "1 measurement" : `${rows.size} measurements`;
    details.append(element("summary", {}, `${count} as a table`));
    const scroller = element("div", { class: "table", tabindex: "0", role: "group", "aria-label": `${series.title} as a table` });
    const body = element("table");
    body.append(element("caption", {}, `${series.title}, ${series.unit}`));
    const head = element("tr");
    for (const name of ["Time", ...series.lines.map((line) => line.name)]) {
        head.append(element("th", { scope: "col" }, name));
    }
    body.append(head);
    for (const [time, cells] of [...rows].sort((one, other) => other[0] - one[0])) {
        const row = element("tr");
        row.append(element("th", { scope: "row" }, moment(time)));
        cells.forEach((cell) => row.append(element("td", {}, cell)));
        body.append(row);
    }
    scroller.append(body);
    details.append(scroller);
    return details;
}

// Maps numbers to places between `from` and `to`; a part `air` of their extent is left free on both sides.
function scale(numbers, from, to, air) {
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    const free = (last - first || Math.abs(last) || 1) * air;
    const [least, most] = [first - free, last + free];
    const at = (number) => (most === least ? (from + to) / 2 : from + ((number - least) / (most - least)) * (to - from));
    return { least, most, at };
}

// Three to six round numbers between `least` and `most`.
function ticks(least, most) {
    const raw = (most - least) / 5;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((part) => part * power).find((candidate) => candidate >= raw);
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    const found = [];
    for (let at = Math.ceil(least / step) * step; at <= most; at += step) {
        found.push(Number(at.toFixed(digits)));
    }
    return found;
}

function lastTime(series) {
    return Math.max(...series.lines.map((line) => line.points.at(-1).time));
}

function latestText(series) {
    return series.lines.map((line) => line.points.at(-1).text).join("/");
}

export function day(time) {
    return new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
}

function month(time) {
    return new Date(time).toLocaleDateString("en-GB", { month: "short", year: "numeric" });
}

function moment(time) {
    return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

function element(name, attributes = {}, text) {
    return dressed(document.createElement(name), attributes, text);
}

function shape(name, attributes = {}, text) {
    return dressed(document.createElementNS(SVG, name), attributes, text);
}

function dressed(node, attributes, text) {
    for (const [name, value] of Object.entries(attributes)) {
        node.setAttribute(name, value);
    }
    if (text !== undefined) {
        node.textContent = text;
    }
    return node;
}
