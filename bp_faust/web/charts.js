// The charts of anomalies over a time that people choose; Elasticsearch makes them, so they may be away alone.

import {get} from "./api.js";
import {address, element, link, setText, table} from "./dom.js";
import {count, pressure} from "./format.js";
import {stackedBars} from "./stacked_bars.js";

const RANGES = {"15m": "15 minutes", "1h": "hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days"};
const SHORT = {"15m": "15 min", "1h": "1 h", "6h": "6 h", "24h": "24 h", "7d": "7 d", "30d": "30 d"};
const CHOSEN = "bp_faust-range";
const EVERY = 10_000;

/** Fills an element with the charts, and keeps them fresh until close() is called. */
export function charts(place) {
  let range = sessionStorage.getItem(CHOSEN), timer = null, turn = 0, drawn = "";
  if (!Object.hasOwn(RANGES, range)) range = "1h";
  const trouble = element("p", {className: "problem", role: "status"});
  const overTime = stackedBars();
  const medians = element("div"), byType = element("div");
  place.append(
    element("div", {className: "ranges"}, element("h2", {id: "charts"}, "Anomalies over the last"), choice()),
    trouble,
    element("div", {className: "charts"},
      element("section", {className: "card wide"}, overTime.element),
      element("section", {className: "card"}, medians),
      element("section", {className: "card"}, byType)));

  function choice() {
    return element("div", {className: "segments", role: "radiogroup", ariaLabel: "Anomalies over the last"},
      Object.keys(RANGES).map(name => element("label", null,
        element("input", {type: "radio", name: "range", value: name, checked: name === range, onchange: chosen}),
        element("span", {title: RANGES[name]}, SHORT[name]))));
  }

  function chosen(event) {
    range = event.target.value;
    sessionStorage.setItem(CHOSEN, range);
    refresh();
  }

  async function refresh() {
    clearTimeout(timer);
    const now = ++turn;
    try {
      const answer = await get(`/charts/?range=${range}`);
      if (now !== turn) return;
      setText(trouble, "");
      draw(answer);
    } catch (error) {
      if (now !== turn) return;
      setText(trouble, error.status === 503 ? `${error.message} All else goes on.` : error.message);
    }
    if (now === turn) timer = setTimeout(refresh, EVERY);
  }

  function draw(answer) {
    overTime.draw(answer, RANGES[answer.range]);
    const text = JSON.stringify([answer.medians, answer.by_type, answer.range]);
    if (text === drawn) return;
    drawn = text;
    medians.replaceChildren(mediansOf(answer));
    byType.replaceChildren(typesOf(answer));
  }

  refresh();
  return {
    close() {
      ++turn;
      clearTimeout(timer);
      overTime.close();
    },
  };
}

function mediansOf({medians, pseudonyms}) {
  if (!medians.length) return none("Highest median systolic pressures", "No hypertension in this time.");
  const highest = Math.max(...medians.map(one => one.systolic_pressure));
  return table("Median systolic pressure of patients with hypertension", [
    {title: "Patient", cell: one => patientOf(one.patient_id, pseudonyms), className: "id"},
    {title: "mmHg", number: true, cell: one => bar(pressure(one.systolic_pressure), one.systolic_pressure / highest),
      className: "bar-cell"},
  ], medians, {className: "bars"});
}

function typesOf({by_type: types, pseudonyms}) {
  if (!types.length) return none("Anomalies by type and patient", "No anomalies in this time.");
  const rows = types.flatMap(type => [
    {heading: true, name: type.anomaly_type ?? "Other types", count: type.count},
    ...type.patients.map(one => ({...one, of: type.count})),
  ]);
  return table("Anomalies by type and patient", [
    {title: "Type and patient", className: "id",
      cell: row => row.heading ? element("strong", null, row.name) : row.patient_id === null
        ? element("span", {className: "indented"}, "Other")
        : element("span", {className: "indented"}, patientOf(row.patient_id, pseudonyms))},
    {title: "Anomalies", number: true, className: "bar-cell",
      cell: row => row.heading ? element("strong", null, count(row.count)) : bar(count(row.count), row.count / row.of)},
  ], rows, {className: "bars"});
}

function none(heading, text) {
  return element("div", null, element("h3", null, heading), element("p", {className: "quiet"}, text));
}

function bar(text, part) {
  return element("span", {className: "bar", style: {"--part": `${Math.round(part * 1000) / 10}%`}},
    element("span", {className: "track"}), element("span", null, text));
}

/** Returns a link to a patient; whose pseudonym it is, is found out when it is followed. */
function patientOf(identity, isPseudonym) {
  if (!isPseudonym) return link(identity, "patients", identity);
  return element("a", {href: "#/patients", onclick: async event => {
    event.preventDefault();
    const {patients} = await get(`/patients/?${new URLSearchParams({pseudonym: identity})}`).catch(() => ({patients: []}));
    location.hash = patients.length ? address("patients", patients[0].patient_id) : "#/patients";
  }}, identity);
}
