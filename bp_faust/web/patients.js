// All patients, a page at a time, and the search for one.

import {get} from "./api.js";
import {element, link, problem, setText, table} from "./dom.js";
import {count, plural, pressure, time} from "./format.js";

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
  {title: "Anomalies", number: true, cell: anomalies},
  {title: "Implausible", number: true, cell: patient => count(patient.implausible)},
];

function latest({latest: reading}) {
  return reading ? `${pressure(reading.systolic_pressure)} / ${pressure(reading.diastolic_pressure)}` : "–";
}

function finding({latest: reading}) {
  const type = reading && reading.anomaly_type;
  return type ? element("span", {className: "finding", dataset: {type}}, type) : "";
}

function anomalies(patient) {
  return count(Object.values(patient.anomalies).reduce((total, number) => total + number, 0));
}

export async function show(place) {
  // The patients behind which each page so far begins.
  const before = [""];
  let asked = 0, timer = null, closed = false;
  const search = element("input", {id: "search", type: "search", autocomplete: "off", spellcheck: false});
  const found = element("p", {className: "quiet", role: "status"});
  const list = element("div");
  const previous = element("button", {type: "button", onclick: () => turn(-1)}, "Previous");
  const next = element("button", {type: "button", onclick: () => turn(1)}, "Next");
  const pages = element("nav", {className: "pages", ariaLabel: "Pages"}, previous, next);
  place.append(
    element("div", {className: "filters"}, element("label", {htmlFor: "search"}, "Find a patient by id"), search),
    found, list, pages);
  search.addEventListener("input", () => {
    before.length = 1;
    again(TYPING);
  });

  let following = null;
  function turn(by) {
    if (by > 0 && following !== null) before.push(following);
    if (by < 0 && before.length > 1) before.pop();
    refresh().then(() => scrollTo(0, 0));
  }

  function again(milliseconds) {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(refresh, milliseconds);
  }

  async function refresh() {
    const turn = ++asked;
    const query = new URLSearchParams({limit: PAGE, after: before.at(-1), search: search.value});
    try {
      const answer = await get(`/patients/?${query}`);
      if (turn !== asked || closed) return;
      draw(answer);
    } catch (error) {
      if (turn !== asked || closed) return;
      if (!list.querySelector("table")) list.replaceChildren(problem(error.message));
    }
    again(EVERY);
  }

  function draw({patients, more}) {
    following = more ? patients.at(-1).patient_id : null;
    previous.disabled = before.length === 1;
    next.disabled = !more;
    pages.hidden = before.length === 1 && !more;
    const what = search.value ? ` with “${search.value}” in the id` : "";
    const where = more || before.length > 1 ? `Page ${count(before.length)}: ` : "";
    setText(found, patients.length ? `${where}${plural(patients.length, "patient")}${what}` : `No patient${what}`);
    const held = document.activeElement && list.contains(document.activeElement) ? document.activeElement.href : null;
    const scrolled = list.firstChild ? list.firstChild.scrollLeft : 0;
    list.replaceChildren(...(patients.length
      ? [table("Patients", COLUMNS, patients, {captionHidden: true})] : []));
    if (list.firstChild) list.firstChild.scrollLeft = scrolled;
    if (held) [...list.querySelectorAll("a")].find(one => one.href === held)?.focus();
  }

  await refresh();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
