// Draws a pressure over time, before the categories of the policy by which it is judged.

import uPlot from "./vendor/uPlot.esm.js";
import {element, setText} from "./dom.js";
import {pressure, time} from "./format.js";

const HEIGHT = 220, LEAST_SPAN = 60, MARGIN = 8, DAY = 86400;

/** In pixels: room for the names of categories beside the plot, from which width on there is some, and a name's height. */
const GUTTER = 170, WIDE = 640, NAME = 14;
const DARK = matchMedia("(prefers-color-scheme: dark)");

/**
 * Returns {element, draw(rows, bands), close()} for a chart titled `name`. Rows are {time: seconds since 1970, value, low,
 * high} in order, where low and high are the day's, or absent; bands are those of /patients/{id}/.
 */
export function pressureChart(name) {
  const canvas = element("div", {className: "plot", role: "img", ariaLabel: `${name} pressure`});
  const told = element("p", {className: "quiet readout", ariaHidden: "true"});
  const figure = element("figure", {className: "chart"},
    element("figcaption", null, `${name} pressure (mmHg)`), canvas, told);
  const data = {rows: [], bands: []};
  let plot = null, withDays = null;

  const resized = new ResizeObserver(() => {
    if (plot && canvas.clientWidth) plot.setSize({width: canvas.clientWidth, height: HEIGHT});
  });
  resized.observe(canvas);
  DARK.addEventListener("change", again);

  function again() {
    if (plot) plot.destroy();
    plot = null;
    draw(data.rows, data.bands);
  }

  function draw(rows, bands) {
    data.rows = rows;
    data.bands = bands;
    canvas.ariaLabel = described(name, rows);
    setText(told, rows.length ? "" : "There is no such reading.");
    const isOfDays = rows.some(row => row.low !== undefined);
    const columns = [rows.map(row => row.time), rows.map(row => row.value),
      ...(isOfDays ? [rows.map(row => row.high), rows.map(row => row.low)] : [])];
    if (plot && withDays === isOfDays) {
      plot.setData(columns);
      return;
    }
    if (plot) plot.destroy();
    withDays = isOfDays;
    plot = new uPlot(options(canvas, data, isOfDays, tell), columns, canvas);
  }

  function tell(row) {
    setText(told, row ? toldOf(row) : "");
  }

  return {
    element: figure,
    draw,
    close() {
      resized.disconnect();
      DARK.removeEventListener("change", again);
      if (plot) plot.destroy();
      plot = null;
    },
  };
}

function toldOf(row) {
  const range = row.low === undefined ? "" : ` on average, ${pressure(row.low)} to ${pressure(row.high)}`;
  const when = row.low === undefined ? time(new Date(row.time * 1000)) : new Date(row.time * 1000).toLocaleDateString();
  return `${when}: ${pressure(row.value)} mmHg${range}`;
}

function described(name, rows) {
  if (!rows.length) return `${name} pressure: no reading.`;
  const values = rows.flatMap(row => row.low === undefined ? [row.value] : [row.low, row.high]);
  const when = row => new Date(row.time * 1000).toLocaleDateString();
  return `${name} pressure from ${when(rows[0])} to ${when(rows.at(-1))}: between ${pressure(Math.min(...values))} and `
    + `${pressure(Math.max(...values))} mmHg. The table of readings below has each one.`;
}

function options(canvas, data, isOfDays, tell) {
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = {stroke: colour("quiet"), font: "12px system-ui, sans-serif", grid: {stroke: colour("line"), width: 1},
    ticks: {stroke: colour("line"), width: 1}};
  const line = {label: "Pressure", stroke: colour("text"), width: 1.5, spanGaps: true,
    points: {show: true, size: canvas.clientWidth < WIDE ? 4 : 6, fill: colour("surface"), stroke: colour("text"), width: 1.5}};
  const edge = {stroke: "transparent", points: {show: false}, spanGaps: true};
  return {
    width: canvas.clientWidth || 600,
    height: HEIGHT,
    legend: {show: false},
    cursor: {sync: {key: "pressures"}, y: false, points: {size: 9}},
    scales: {x: {range: span}, y: {range: (_, low, high) => reach(low, high)}},
    padding: [8, () => canvas.clientWidth < WIDE ? 30 : GUTTER, 0, 0],
    axes: [{...axis, space: 80, size: 44, values: times}, {...axis, size: 44}],
    series: [{}, line, ...(isOfDays ? [edge, edge] : [])],
    bands: isOfDays ? [{series: [2, 3], fill: `${colour("accent")}33`}] : [],
    hooks: {
      drawClear: [plot => drawBands(plot, data.bands, colour)],
      setCursor: [plot => tell(plot.cursor.idx === null || plot.cursor.idx === undefined ? null : data.rows[plot.cursor.idx])],
    },
  };
}

/** A single reading has a day around it. */
function span(_, from, to) {
  return from === to || from === null ? [(from || 0) - DAY / 2, (to || 0) + DAY / 2] : [from - (to - from) * 0.02, to + (to - from) * 0.02];
}

function reach(low, high) {
  if (low === null) return [60, 180];
  const missing = Math.max(0, LEAST_SPAN - (high - low)) / 2;
  return [Math.floor((low - missing - MARGIN) / 10) * 10, Math.ceil((high + missing + MARGIN) / 10) * 10];
}

function times(_, splits, __, ___, step) {
  let before = "";
  return splits.map(split => {
    const at = new Date(split * 1000);
    const day = at.toLocaleDateString(undefined, {day: "numeric", month: "short"});
    if (step >= DAY) return step >= 300 * DAY ? String(at.getFullYear()) : day;
    const isNew = day !== before;
    before = day;
    return at.toLocaleTimeString(undefined, {hour: "2-digit", minute: "2-digit"}) + (isNew ? `\n${day}` : "");
  });
}

/** Draws each category as a stripe, as far as it is in sight, with its name beside it; what is normal has no colour. */
function drawBands(plot, bands, colour) {
  const {ctx, bbox} = plot, {min, max} = plot.scales.y;
  const pixel = devicePixelRatio, right = bbox.left + bbox.width, isWide = plot.width >= WIDE;
  ctx.save();
  ctx.font = `${12 * pixel}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  for (const band of bands) {
    if ((band.low !== null && band.low >= max) || (band.high !== null && band.high <= min)) continue;
    const place = bound => Math.min(Math.max(plot.valToPos(bound, "y", true), bbox.top), bbox.top + bbox.height);
    const top = band.high === null ? bbox.top : place(band.high);
    const bottom = band.low === null ? bbox.top + bbox.height : place(band.low);
    if (band.severity !== "none") {
      ctx.fillStyle = colour(band.direction === "low" ? "low-ground" : `${band.severity}-ground`);
      ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    }
    if (!isWide || bottom - top < NAME * pixel) continue;
    ctx.fillStyle = colour(band.severity === "none" ? "quiet" : band.direction === "low" ? "low" : band.severity);
    ctx.fillText(band.title, right + 8 * pixel, (top + bottom) / 2);
  }
  ctx.restore();
}
