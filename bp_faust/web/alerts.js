// The alerts that are not resolved, gravest first: filter them, and say that somebody takes care.

import {acknowledging, canAcknowledge} from "./acknowledge.js";
import {get} from "./api.js";
import {element, link, problem, setText} from "./dom.js";
import {SEVERITIES, ago, plural, time} from "./format.js";

const SHOWN = 100, LEAST_WAIT = 3000;

export function title() {
  return "Alerts";
}

export async function show(place) {
  const canChange = await canAcknowledge();
  let alerts = [], known = null, asking = false, asked = 0, timer = null, closed = false, limit = SHOWN;
  const severity = choice("severity", [["", "All severities"], ...SEVERITIES.map(one => [one, capital(one)])]);
  const acknowledged = choice("acknowledged", [["no", "Not acknowledged"], ["yes", "Acknowledged"], ["", "Both"]]);
  const text = element("input", {id: "text", type: "search", autocomplete: "off", spellcheck: false});
  const found = element("p", {className: "quiet", role: "status"});
  const trouble = element("div");
  const list = element("ol", {className: "alerts"});
  const more = element("button", {type: "button", onclick: showMore}, "Show more");
  if (!canChange) place.append(element("p", {className: "quiet"},
    "Alerts can be acknowledged here once BP_FAUST_WEB_TOKEN is set; until then by command: alerts acknowledge."));
  place.append(
    element("div", {className: "filters"},
      element("label", {htmlFor: "severity"}, "Severity"), severity,
      element("label", {htmlFor: "acknowledged"}, "Taken care of"), acknowledged,
      element("label", {htmlFor: "text"}, "Patient or finding"), text),
    found, trouble, list, more);
  for (const one of [severity, acknowledged, text])
    one.addEventListener("input", () => {
      limit = SHOWN;
      draw();
    });

  function showMore() {
    limit += SHOWN;
    draw();
  }

  function isWanted(alert) {
    const words = `${alert.patient_id} ${alert.title} ${alert.policy} ${alert.rule}`.toLowerCase();
    return (!severity.value || alert.severity === severity.value)
      && (!acknowledged.value || (acknowledged.value === "yes") === (alert.status === "acknowledged"))
      && words.includes(text.value.toLowerCase().trim());
  }

  function draw() {
    const wanted = alerts.filter(isWanted);
    const shown = wanted.slice(0, limit);
    const items = new Map([...list.children].map(item => [item.dataset.alert, item]));
    // What is there stays, with what is being written in it; only what differs is made anew.
    const rows = shown.map(alert => {
      const before = items.get(alert.alert_id);
      const version = JSON.stringify(alert);
      if (before && before.dataset.version === version) return before;
      const made = item(alert, canChange ? refresh : null);
      made.dataset.alert = alert.alert_id;
      made.dataset.version = version;
      return made;
    });
    if (rows.length !== list.children.length || rows.some((row, place) => list.children[place] !== row))
      list.replaceChildren(...rows);
    more.hidden = wanted.length <= limit;
    setText(found, wanted.length ? plural(wanted.length, "alert") : alerts.length
      ? "No alert of this kind." : "No alerts: nobody's readings ask for attention.");
  }

  async function refresh() {
    clearTimeout(timer);
    if (asking || closed) return;
    asking = true;
    asked = Date.now();
    try {
      alerts = (await get("/alerts/")).alerts;
      trouble.replaceChildren();
    } catch (error) {
      if (!trouble.firstChild) trouble.append(problem(`${error.message} What is shown may be old.`));
      known = null;
    } finally {
      asking = false;
    }
    if (!closed) draw();
  }

  await refresh();
  return {
    // The counts tell when something changed; then, and only then, is the queue asked for, and not too often.
    update(overview) {
      for (const one of list.querySelectorAll(".ago")) setText(one, ago(one.dataset.since));
      const now = JSON.stringify([overview.alerts, overview.alert_changes]);
      if (known === now) return;
      known = now;
      clearTimeout(timer);
      timer = setTimeout(refresh, Math.max(0, asked + LEAST_WAIT - Date.now()));
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function choice(id, options) {
  return element("select", {id}, options.map(([value, name]) => element("option", {value}, name)));
}

function capital(word) {
  return word[0].toUpperCase() + word.slice(1);
}

/** Returns what is shown of an alert; refresh is called once it was acknowledged, none where it cannot be here. */
export function item(alert, refresh) {
  const {acknowledged_by: by, acknowledged_at: at, acknowledged_because: because} = alert;
  return element("li", {className: "card alert", dataset: {severity: alert.severity}},
    element("div", {className: "alert-head"},
      element("span", {className: "severity", dataset: {severity: alert.severity}}, capital(alert.severity)),
      element("strong", null, alert.title),
      link(alert.patient_id, "patients", alert.patient_id),
      alert.status === "escalated" ? element("span", {className: "tag"}, "escalated") : null,
      alert.muted ? element("span", {className: "tag"}, "muted") : null),
    element("p", {className: "quiet"}, `Since ${time(alert.opened)}, `,
      element("span", {className: "ago", dataset: {since: alert.opened}}, ago(alert.opened)),
      alert.timestamp === alert.opened ? "" : `; last changed ${time(alert.timestamp)}`),
    element("details", null, element("summary", null, `By ${alert.policy || "what is set for the patient"}`),
      element("p", {className: "quiet"}, `${alert.rule}: ${alert.citation}`)),
    alert.status === "acknowledged"
      ? element("p", {className: "known"}, `Acknowledged by ${by}, ${time(at)}: “${because}”`)
      : refresh ? acknowledging(alert, refresh) : null);
}
