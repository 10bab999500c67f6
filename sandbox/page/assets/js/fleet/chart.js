// A small line chart of one signal of one service, with its limits and the deployments.

import { h, s } from "../dom.js";
import { clockWithSeconds, span } from "../time.js";
import { figure } from "./figures.js";

const WIDTH = 300;
const HEIGHT = 64;
const ROOM = 1.15; // above the highest figure

/** A chart as an element; `marks` are the moments of deployments in seconds. */
export function chart({ title, service, unit, points, start, step, warning, critical, marks, state }) {
  const known = points.filter((value) => value !== null);
  const now = points.at(-1) ?? null;
  const top = Math.max(...known, critical ?? 0, 1e-9) * ROOM;
  const x = (number) => (number / (points.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - (Math.min(value, top) / top) * (HEIGHT - 2) - 1;
  const limits = [["warning", warning], ["critical", critical]].filter(([, value]) => value);
  const drawing = s(
    "svg",
    { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    limits.map(([name, value]) => s("line", { class: `limit ${name}`, x1: 0, x2: WIDTH, y1: y(value), y2: y(value) })),
    marks.map((at) => s("line", { class: "deployment", x1: x((at - start) / step), x2: x((at - start) / step), y1: 0, y2: HEIGHT })),
    runs(points).map((run) => [
      s("path", { class: "area", d: `${path(run, x, y)}L${x(run.at(-1)[0])} ${HEIGHT}L${x(run[0][0])} ${HEIGHT}Z` }),
      s("path", { class: "line", d: path(run, x, y) }),
    ]),
  );
  const highest = known.length ? Math.max(...known) : null;
  const words = known.length
    ? `${title} of ${service}: now ${figure(now, unit)}, highest ${figure(highest, unit)} in the last ${span(points.length * step)}`
    : `${title} of ${service}: not measured`;
  const readout = h("span", { class: "readout" }, known.length ? `max ${figure(highest, unit)}` : "");
  const box = h("figure", { class: `chart-box ${state}`, role: "img", "aria-label": words }, h("figcaption", { "aria-hidden": "true" }, h("span", {}, title), h("b", {}, figure(now, unit))), drawing, readout);
  const rest = readout.textContent;
  drawing.addEventListener("pointermove", (event) => {
    const number = Math.round((event.offsetX / drawing.clientWidth) * (points.length - 1));
    const value = points[number];
    readout.textContent = value === undefined ? rest : `${clockWithSeconds(new Date((start + number * step) * 1000))}  ${figure(value, unit)}`;
  });
  drawing.addEventListener("pointerleave", () => (readout.textContent = rest));
  return box;
}

/** Neighbouring points that are known, as [number, value]: a gap stays a gap. */
function runs(points) {
  const found = [];
  points.forEach((value, number) => {
    if (value === null) return;
    if (number && points[number - 1] !== null && found.length) found.at(-1).push([number, value]);
    else found.push([[number, value]]);
  });
  return found;
}

function path(run, x, y) {
  return run.map(([number, value], index) => `${index ? "L" : "M"}${x(number).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}
