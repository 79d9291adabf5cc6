// All patients, a page at a time, and the search for one.

import {get} from "./api.js";
import {element, link, problem, refill, setText, table} from "./dom.js";
import {count, plural, pressure, sum, time} from "./format.js";

const PAGE = 50, EVERY = 5000, TYPING = 250;

export function title() {
  return "Patients";
}

const COLUMNS = [
  {title: "Patient", cell: patient => link(patient.patient_id, "patients", patient.patient_id), className: "long"},
  {title: "Latest (mmHg)", number: true, cell: latest},
  {title: "Finding", cell: finding},
  {title: "Measured", cell: patient => patient.latest ? time(patient.latest.timestamp) : ""},
  {title: "Readings", number: true, cell: patient => count(patient.readings)},
  {title: "Anomalies", number: true, cell: patient => count(sum(patient.anomalies))},
  {title: "Implausible", number: true, cell: patient => count(patient.implausible)},
];

function latest({latest: reading}) {
  return reading ? `${pressure(reading.systolic_pressure)} / ${pressure(reading.diastolic_pressure)}` : "–";
}

function finding({latest: reading}) {
  const type = reading && reading.anomaly_type;
  return type ? element("span", {className: "finding", dataset: {type}}, type) : "";
}

export async function show(place) {
  // The patients behind which each page so far begins.
  const before = [""];
  let following = null, turn = 0, timer = null, closed = false;
  const search = element("input", {id: "search", type: "search", autocomplete: "off", spellcheck: false});
  const found = element("p", {className: "quiet", role: "status"});
  const list = element("div", {className: "card"});
  const previous = element("button", {type: "button", onclick: () => go(-1)}, "Previous");
  const next = element("button", {type: "button", onclick: () => go(1)}, "Next");
  const pages = element("nav", {className: "pages", ariaLabel: "Pages"}, previous, next);
  place.append(
    element("div", {className: "filters"}, element("label", {htmlFor: "search"}, "Find a patient by id"), search),
    found, list, pages);
  search.addEventListener("input", () => {
    before.length = 1;
    again(TYPING);
  });

  function go(by) {
    if (by > 0 && following !== null) before.push(following);
    if (by < 0 && before.length > 1) before.pop();
    refresh().then(() => scrollTo(0, 0));
  }

  function again(milliseconds) {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(refresh, milliseconds);
  }

  async function refresh() {
    const now = ++turn;
    const query = new URLSearchParams({limit: PAGE, after: before.at(-1), search: search.value.trim()});
    try {
      const answer = await get(`/patients/?${query}`);
      if (now !== turn || closed) return;
      draw(answer);
    } catch (error) {
      if (now !== turn || closed) return;
      if (!list.querySelector("table")) list.replaceChildren(problem(error.message));
    }
    again(EVERY);
  }

  function draw({patients, more}) {
    following = more ? patients.at(-1).patient_id : null;
    previous.disabled = before.length === 1;
    next.disabled = !more;
    pages.hidden = before.length === 1 && !more;
    const text = search.value.trim(), what = text ? ` with “${text}” in the id` : "";
    const where = more || before.length > 1 ? `Page ${count(before.length)}: ` : "";
    setText(found, patients.length ? `${where}${plural(patients.length, "patient")}${what}` : `No patient${what}`);
    refill(list, ...(patients.length ? [table("Patients", COLUMNS, patients, {captionHidden: true})] : []));
  }

  await refresh();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
