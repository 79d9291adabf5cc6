// One patient: pressures over time before the policy's categories, averages, findings, alerts, readings, settings.

import {canAcknowledge} from "./acknowledge.js";
import {item} from "./alerts.js";
import {get, path} from "./api.js";
import {element, problem, setText, table} from "./dom.js";
import {capital, count, plural, pressure, time} from "./format.js";
import {pressureChart} from "./pressure_chart.js";

const LEAST_WAIT = 2000, FEW = 10;

export function title([patientId]) {
  return `Patient ${patientId}`;
}

export async function show(place, [patientId]) {
  const canChange = await canAcknowledge();
  let patient = await get(path("patients", patientId));
  let known = null, asked = Date.now(), timer = null, closed = false;
  const trouble = element("div");
  const summary = element("p", {className: "quiet"});
  const figures = element("dl", {className: "figures few"});
  const alerts = section("Alerts");
  const charts = chartsOf(patient);
  const readings = readingsOf();
  const findings = section("Findings");
  const judged = section("How readings are judged");
  const drawn = new Map();
  place.append(trouble, summary, figures, alerts.element, charts.element, readings.element,
    element("div", {className: "columns"}, findings.element, judged.element));

  /** Draws a part where what it shows has changed, so that nobody loses what they write or have opened. */
  function part(name, shown, draw) {
    const text = JSON.stringify(shown);
    if (drawn.get(name) === text) return;
    drawn.set(name, text);
    draw(shown);
  }

  function draw() {
    setText(summary, summarised(patient));
    part("figures", [patient.latest, patient.averages], () => figures.replaceChildren(...figuresOf(patient)));
    part("alerts", patient.alerts, () => alerts.fill(alertsOf(patient.alerts, canChange ? refresh : null)));
    part("charts", [patient.latest_readings, patient.days, patient.judged_by], () => charts.draw(patient));
    part("readings", patient.latest_readings, () => readings.draw(patient));
    part("findings", [patient.findings, patient.rules], () => findings.fill(findingsOf(patient)));
    part("judged", [patient.judged_by, patient.settings], () => judged.fill(judgedBy(patient)));
  }

  async function refresh() {
    clearTimeout(timer);
    asked = Date.now();
    try {
      patient = await get(path("patients", patientId));
      trouble.replaceChildren();
    } catch (error) {
      if (!trouble.firstChild) trouble.append(problem(`${error.message} What is shown may be old.`));
      known = null;
    }
    if (!closed) draw();
  }

  draw();
  return {
    // The whole installation's counts change with every reading; then the patient is asked for, and not too often.
    update(overview) {
      const now = JSON.stringify([overview.readings, overview.implausible, overview.alerts, overview.alert_changes]);
      if (known === now) return;
      known = now;
      clearTimeout(timer);
      timer = setTimeout(refresh, Math.max(0, asked + LEAST_WAIT - Date.now()));
    },
    close() {
      closed = true;
      clearTimeout(timer);
      charts.close();
    },
  };
}

function section(heading) {
  const content = element("div");
  return {
    element: element("section", {className: "card"}, element("h2", null, heading), content),
    fill: (...children) => content.replaceChildren(...children.flat()),
  };
}

function summarised(patient) {
  const anomalies = Object.entries(patient.anomalies).map(([type, number]) => `${count(number)} ${type}`);
  return [
    plural(patient.readings, "reading"),
    ...(anomalies.length ? anomalies : ["no anomaly"]),
    ...(patient.implausible ? [`${count(patient.implausible)} implausible`] : []),
    ...(patient.pseudonym ? [`in Elasticsearch ${patient.pseudonym}`] : []),
  ].join(", ") + ".";
}

function figuresOf({latest, averages}) {
  const figure = (name, systolic, diastolic, more, type) => element("div",
    {className: "card figure", dataset: type ? {severity: "moderate"} : {}},
    element("dt", null, name),
    element("dd", null, element("strong", null, `${pressure(systolic)} / ${pressure(diastolic)}`),
      element("span", {className: "quiet"}, more)));
  return [
    latest
      ? figure("Latest reading (mmHg)", latest.systolic_pressure, latest.diastolic_pressure,
        `${time(latest.timestamp)}${latest.anomaly_type ? `, ${latest.anomaly_type}` : ""}`, latest.anomaly_type)
      : figure("Latest reading (mmHg)", null, null, "none that counts"),
    ...averages.filter(Boolean).map(average => figure(`Mean of ${average.days} days (mmHg)`, whole(average.systolic),
      whole(average.diastolic), `${plural(average.readings, "reading")} on ${plural(average.days_with_readings, "day")}`)),
  ];
}

function whole(number) {
  return number === null ? null : Math.round(number);
}

function alertsOf(alerts, refresh) {
  return alerts.length
    ? element("ol", {className: "alerts"}, alerts.map(alert => item(alert, refresh)))
    : element("p", {className: "quiet"}, "None that is not resolved.");
}

/** Both pressures, one above the other; each reading, or each day with its lowest and highest. */
function chartsOf(patient) {
  let shown = patient;
  const made = ["systolic", "diastolic"].map(name => [name, pressureChart(capital(name))]);
  const over = element("select", {id: "over", oninput: () => draw(shown)},
    element("option", {value: "readings"}, "Each of the latest readings"),
    element("option", {value: "days"}, "Each day, with its lowest and highest"));
  const by = element("p", {className: "quiet"});

  function draw(now) {
    shown = now;
    for (const [name, chart] of made)
      chart.draw(over.value === "days" ? daysOf(now, name) : pointsOf(now, name), now.judged_by[name]);
    setText(by, `Behind them are the categories of “${now.judged_by.title}”, each for one pressure alone.`);
  }

  return {
    element: element("section", {className: "card"}, element("h2", null, "Pressures over time"),
      element("div", {className: "filters"}, element("label", {htmlFor: "over"}, "Show"), over),
      made.map(([, chart]) => chart.element), by),
    draw,
    close: () => made.forEach(([, chart]) => chart.close()),
  };
}

function pointsOf(patient, name) {
  return patient.latest_readings
    .filter(reading => reading.counted && reading[`${name}_pressure`] !== null)
    .map(reading => ({time: Date.parse(reading.timestamp) / 1000, value: reading[`${name}_pressure`]}))
    .reverse();
}

function daysOf(patient, name) {
  return patient.days.filter(day => day[name]).map(day => ({
    time: Date.parse(`${day.date}T12:00`) / 1000, value: day[name].mean, low: day[name].minimum, high: day[name].maximum,
  }));
}

function readingsOf() {
  let shown = null, isWhole = false;
  const list = element("div");
  const all = element("button", {type: "button", className: "plain", onclick: () => {
    isWhole = true;
    draw(shown);
    list.querySelector(".scroll").focus();
  }});
  const columns = rules => [
    {title: "Measured", cell: reading => time(reading.timestamp)},
    {title: "Systolic (mmHg)", number: true, cell: reading => pressure(reading.systolic_pressure)},
    {title: "Diastolic (mmHg)", number: true, cell: reading => pressure(reading.diastolic_pressure)},
    {title: "Finding", cell: reading => reading.anomaly_type
      ? element("span", {className: "finding", dataset: {type: reading.anomaly_type}}, namesOf(reading, rules)) : ""},
    {title: "Notes", cell: notesOf, className: "long"},
  ];

  function draw(patient) {
    shown = patient;
    const readings = patient.latest_readings;
    list.replaceChildren(table("The latest readings", columns(patient.rules), isWhole ? readings : readings.slice(0, FEW),
      {captionHidden: true}));
    all.hidden = isWhole || readings.length <= FEW;
    setText(all, `Show ${readings.length < patient.readings ? "the latest" : "all"} ${count(readings.length)}`);
  }

  return {element: element("section", {className: "card"}, element("h2", null, "Latest readings"), list, all), draw};
}

function namesOf(reading, rules) {
  return reading.findings.map(rule => rules[rule] ? rules[rule].title : rule).join(", ") || reading.anomaly_type;
}

function notesOf(reading) {
  const isWithdrawn = !reading.counted && !reading.flags.includes("implausible");
  return [...reading.flags, ...(isWithdrawn ? ["withdrawn"] : [])].join(", ");
}

function findingsOf({findings, rules, readings}) {
  const rows = Object.entries(findings).sort(([, one], [, other]) => other - one);
  if (!rows.length) return element("p", {className: "quiet"}, "None: no reading that counts is too high or too low.");
  return table("Findings", [
    {title: "Finding", className: "long", cell: ([rule]) => rules[rule] ? rules[rule].title : rule},
    {title: "Readings", number: true, cell: ([, number]) => `${count(number)} of ${count(readings)}`},
    {title: "By", className: "long", cell: ([rule]) => element("details", null, element("summary", null, rule),
      element("p", {className: "quiet"}, rules[rule] ? rules[rule].citation : "No longer known here."))},
  ], rows, {captionHidden: true});
}

const WORDS = {
  setting: ["Measured", setting => ({office: "in an office", home: "at home"}[setting])],
  pregnant: ["Pregnant", pregnant => pregnant ? "yes" : "no"],
  birth_date: ["Born", String],
  cohort: ["Cohort", String],
  muted_until: ["Alerts muted until", time],
  measure_every_days: ["To be measured", days => `at least every ${plural(days, "day")}`],
  thresholds: ["Own thresholds", limits => Object.entries(limits).map(
    ([name, value]) => `${name.replace("_", " ")} ${pressure(value)}`).join(", ")],
};

function judgedBy({judged_by: judged, settings}) {
  const own = settings || {};
  const rows = Object.entries(WORDS).filter(([name]) => judged.settings[name] !== undefined).flatMap(([name, [word, say]]) => [
    element("dt", null, word),
    element("dd", null, say(judged.settings[name]), own[name] === undefined
      ? element("span", {className: "quiet"}, " (for the cohort or all)") : null),
  ]);
  const bound = number => number === null ? "–" : pressure(number);
  const bands = ["systolic", "diastolic"].flatMap(name => judged[name].map(band => [name, band]));
  return [
    element("p", null, element("strong", null, judged.title)),
    element("dl", {className: "settings"}, rows),
    judged.age === null ? element("p", {className: "quiet"}, "No birth date is set: the categories are an adult's.") : null,
    element("p", {className: "quiet"}, judged.citation),
    element("details", null, element("summary", null, "The categories of each pressure"),
      table("The categories of each pressure", [
        {title: "Pressure", cell: ([name]) => capital(name)},
        {title: "From (mmHg)", number: true, cell: ([, band]) => bound(band.low)},
        {title: "Below (mmHg)", number: true, cell: ([, band]) => bound(band.high)},
        {title: "Category", cell: ([, band]) => band.title || "none"},
        {title: "Severity", cell: ([, band]) => band.severity},
      ], bands, {captionHidden: true})),
  ].filter(Boolean);
}
