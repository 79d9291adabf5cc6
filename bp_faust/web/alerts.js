// The alerts that are not resolved, gravest first: filter them, and say that somebody takes care.

import {acknowledging, canAcknowledge} from "./acknowledge.js";
import {get} from "./api.js";
import {element, link, problem, setText} from "./dom.js";
import {SEVERITIES, ago, capital, count, plural, time} from "./format.js";

const SHOWN = 100, LEAST_WAIT = 3000, TYPING = 250;

export function title() {
  return "Alerts";
}

export async function show(place) {
  const canChange = await canAcknowledge();
  let known = null, turn = 0, asked = 0, timer = null, closed = false, limit = SHOWN;
  const severity = choice("severity", [["", "All severities"], ...SEVERITIES.map(one => [one, capital(one)])]);
  const acknowledged = choice("acknowledged", [["no", "Not acknowledged"], ["yes", "Acknowledged"], ["", "Both"]]);
  const text = element("input", {id: "text", type: "search", autocomplete: "off", spellcheck: false});
  const found = element("p", {className: "quiet", role: "status"});
  const trouble = element("div");
  const list = element("ol", {className: "alerts"});
  const more = element("button", {type: "button", hidden: true, onclick: showMore}, "Show more");
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
      again(one === text ? TYPING : 0);
    });

  function showMore() {
    limit += SHOWN;
    refresh();
  }

  function again(milliseconds) {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(refresh, milliseconds);
  }

  async function refresh() {
    clearTimeout(timer);
    const now = ++turn;
    asked = Date.now();
    const query = new URLSearchParams({limit, search: text.value.trim()});
    if (severity.value) query.set("severity", severity.value);
    if (acknowledged.value) query.set("acknowledged", acknowledged.value);
    try {
      const answer = await get(`/alerts/?${query}`);
      if (now !== turn || closed) return;
      trouble.replaceChildren();
      draw(answer);
    } catch (error) {
      if (now !== turn || closed) return;
      if (!trouble.firstChild) trouble.append(problem(`${error.message} What is shown may be old.`));
      again(LEAST_WAIT);
    }
  }

  function draw({alerts, total}) {
    const items = new Map([...list.children].map(one => [one.dataset.alert, one]));
    // Only what differs is made anew, and nothing while somebody writes in it.
    const rows = alerts.map(alert => {
      const before = items.get(alert.alert_id);
      const version = JSON.stringify(alert);
      if (before && (before.dataset.version === version || before.querySelector("form"))) return before;
      const made = item(alert, canChange ? refresh : null);
      made.dataset.alert = alert.alert_id;
      made.dataset.version = version;
      return made;
    });
    if (rows.length !== list.children.length || rows.some((row, place) => list.children[place] !== row)) {
      const held = document.activeElement;
      list.replaceChildren(...rows);
      if (list.contains(held)) held.focus();
    }
    more.hidden = total <= alerts.length;
    const isAll = !severity.value && !text.value.trim() && acknowledged.value !== "yes";
    setText(found, total > alerts.length ? `The first ${plural(alerts.length, "alert")} of ${count(total)}`
      : total ? plural(total, "alert") : isAll ? "No open alerts." : "No alert of this kind.");
  }

  await refresh();
  return {
    // The counts tell when something changed; then, and only then, is the queue asked for, and not too often.
    update(overview) {
      for (const one of list.querySelectorAll(".ago")) setText(one, ago(one.dataset.since));
      const now = JSON.stringify([overview.alerts, overview.alert_changes]);
      if (known === now) return;
      known = now;
      again(Math.max(0, asked + LEAST_WAIT - Date.now()));
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
