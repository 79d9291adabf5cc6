// Anomalies over time, stacked by type: a chart, what it shows where the pointer is, and the same as a table.

import {element, setText, table} from "./dom.js";
import {count, plural, sum} from "./format.js";
import uPlot from "./vendor/uPlot.esm.js";

const HEIGHT = 240;
const OTHER = "Other types";
const MINUTE = 60, DAY = 86_400;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map(minutes => minutes * MINUTE);
const LONG_STEPS = [1, 2, 3, 5, 7, 10].map(days => days * DAY);
const HIGH = ["--high-1", "--high-2", "--high-3"], OTHERS = ["--chart-1", "--chart-2", "--chart-3", "--chart-4"];
const INCREMENTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6];

const COMPACT = new Intl.NumberFormat(undefined, {notation: "compact"});

/** Returns {element, draw(charts, range in words), close()}. */
export function stackedBars() {
  let plot = null, charts = null;
  const heading = element("h3", null, "Anomalies over time");
  const legend = element("ul", {className: "legend"});
  const canvas = element("div", {className: "plot", role: "img", ariaLabel: "Anomalies over time: not here yet"});
  const readout = element("p", {className: "quiet readout"});
  const asTable = element("details", null, element("summary", null, "As a table"));
  const made = element("div", null, heading, legend, canvas, readout, asTable);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const resized = new ResizeObserver(() => plot && plot.setSize({width: canvas.clientWidth, height: HEIGHT}));
  resized.observe(canvas);
  dark.addEventListener("change", redraw);
  asTable.addEventListener("toggle", fillTable);

  function redraw() {
    if (charts) replot();
  }

  function draw(now, words) {
    charts = now;
    const total = charts.over_time.reduce((all, one) => all + sum(one.counts), 0);
    canvas.ariaLabel = `Anomalies over time, in the last ${words}: ${total ? charts.over_time.map(
      one => `${count(sum(one.counts))} ${nameOf(one)}`).join(", ") : "none"}`;
    const colours = coloursOf(charts.over_time);
    legend.replaceChildren(...charts.over_time.map((one, place) => element("li", {style: {
      "--colour": `var(${colours[place]})`}}, `${nameOf(one)} (${count(sum(one.counts))})`)));
    setText(readout, total ? "" : "No anomalies in this time.");
    replot();
    fillTable();
  }

  function replot() {
    if (plot) plot.destroy();
    const style = getComputedStyle(document.body);
    const colour = name => style.getPropertyValue(name).trim();
    const {over_time: series, bars, bar_seconds: length} = charts;
    const colours = coloursOf(series);
    const isLong = charts.until - charts.since > DAY;
    const axis = {stroke: colour("--quiet"), grid: {stroke: colour("--line"), width: 1}, ticks: {show: false},
      font: "12px system-ui"};
    // The highest bars come first, and the ones they stand on are drawn over them.
    const heights = series.map((_, place) => bars.map((__, bar) => series.slice(0, place + 1).reduce(
      (all, one) => all + one.counts[bar], 0)));
    plot = new uPlot({
      width: canvas.clientWidth,
      height: HEIGHT,
      padding: [8, 30, 0, 0],
      legend: {show: false},
      cursor: {y: false, points: {show: false}, drag: {x: false, y: false}},
      scales: {
        x: {time: true, range: () => bars.length ? [bars[0], bars.at(-1) + length] : [charts.since, charts.until]},
        y: {range: (_, __, highest) => [0, Math.max(highest || 0, 4)]},
      },
      axes: [{...axis, size: 30, space: 70, incrs: isLong ? LONG_STEPS : STEPS, values: (_, times) => times.map(one => tickOf(one, isLong))}, {...axis, incrs: INCREMENTS, size: 44, values: (_, numbers) => numbers.map(COMPACT.format)}],
      series: [{}, ...series.map((one, place) => ({
        label: nameOf(one),
        fill: colour(colours[place]),
        width: 0,
        points: {show: false},
        paths: uPlot.paths.bars({size: [0.85, 60], align: 1}),
      })).reverse()],
      hooks: {setCursor: [({cursor}) => tell(cursor.idx)]},
    }, [bars, ...heights.reverse()], canvas);
  }

  function tell(bar) {
    if (bar === null || bar === undefined || charts.bars[bar] === undefined) return;
    const of = charts.over_time.filter(one => one.counts[bar]).map(one => `${count(one.counts[bar])} ${nameOf(one)}`);
    setText(readout, `${timeOf(charts.bars[bar])}: ${of.join(", ") || "none"}`);
  }

  function fillTable() {
    if (!asTable.open || !charts) return;
    const rows = charts.bars.map((begin, bar) => ({begin, bar})).filter(
      ({bar}) => charts.over_time.some(one => one.counts[bar]));
    asTable.replaceChildren(asTable.firstChild, table(`Anomalies over time: ${plural(rows.length, "bar")} with any`, [
      {title: "From", cell: row => timeOf(row.begin)},
      ...charts.over_time.map(one => ({title: nameOf(one), number: true, cell: row => count(one.counts[row.bar])})),
    ], rows));
  }

  return {
    element: made,
    draw,
    close() {
      resized.disconnect();
      dark.removeEventListener("change", redraw);
      if (plot) plot.destroy();
    },
  };
}

function nameOf(series) {
  return series.anomaly_type ?? OTHER;
}

/** Returns a colour's name for each series: what is too high in reds, what is too low in blue, all else in others. */
function coloursOf(series) {
  let high = 0, others = 0;
  return series.map(({anomaly_type: type}) => {
    if (type === null) return "--chart-other";
    if (/hypotensi/i.test(type)) return "--low";
    return /hypertensi/i.test(type) ? HIGH[high++ % HIGH.length] : OTHERS[others++ % OTHERS.length];
  });
}

function tickOf(seconds, isLong) {
  const date = new Date(seconds * 1000);
  return isLong ? date.toLocaleDateString(undefined, {month: "short", day: "numeric"})
    : date.toLocaleTimeString(undefined, {timeStyle: "short"});
}

function timeOf(seconds) {
  return new Date(seconds * 1000).toLocaleString(undefined, {dateStyle: "short", timeStyle: "short"});
}
