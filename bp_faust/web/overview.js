// How the whole installation stands, and what Elasticsearch makes of its anomalies.

import {charts} from "./charts.js";
import {element, setText} from "./dom.js";
import {SEVERITIES, count, plural, rate, sum} from "./format.js";

export function title() {
  return "Overview";
}

export async function show(place, _, latest) {
  const figures = {};
  const cards = element("dl", {className: "figures"},
    figure(figures, "rate", "Readings/s"),
    figure(figures, "patients", "Patients", "#/patients"),
    figure(figures, "anomalies", "Anomalies", "#/patients"),
    figure(figures, "alerts", "Open alerts", "#/alerts"),
    figure(figures, "refused", "Refused", "#/refused"),
    figure(figures, "lag", "Lag", "#/system"),
    figure(figures, "health", "Health", "#/system"));
  const chartsPlace = element("div");
  place.append(cards, chartsPlace);
  const drawn = charts(chartsPlace);
  if (latest) update(latest);

  function tell(name, value, ...more) {
    setText(figures[name].value, value);
    const lines = more.filter(Boolean);
    if (figures[name].lines === lines.join("\n")) return;
    figures[name].lines = lines.join("\n");
    figures[name].more.replaceChildren(...lines.map(line => element("span", null, line)));
  }

  function update(now) {
    const waiting = Object.fromEntries(SEVERITIES.map(one => [one, now.alerts[one] ? now.alerts[one].open : 0]));
    const acknowledged = Object.values(now.alerts).reduce((total, one) => total + one.acknowledged, 0);
    const reasons = Object.entries(now.refusals).sort(([, one], [, other]) => other - one);
    const types = Object.entries(now.anomalies).sort(([, one], [, other]) => other - one);
    tell("rate", rate(now.readings_per_second), "over the last 10 seconds");
    tell("patients", count(now.patients), plural(now.readings, "reading"),
      now.implausible ? `${count(now.implausible)} implausible` : "");
    tell("anomalies", count(sum(now.anomalies)), ...types.map(([type, number]) => `${count(number)} ${type}`));
    tell("alerts", count(sum(waiting)),
      ...SEVERITIES.filter(one => waiting[one]).map(one => `${count(waiting[one])} ${one}`),
      acknowledged ? `${count(acknowledged)} acknowledged` : "");
    figures.alerts.card.dataset.severity = SEVERITIES.find(one => waiting[one]) || "";
    tell("refused", count(sum(now.refusals)), ...reasons.slice(0, 3).map(([reason, number]) => `${count(number)} ${reason}`),
      reasons.length > 3 ? `${count(reasons.length - 3)} more reasons` : "");
    tell("lag", count(sum(now.lag)), "records behind", ...Object.entries(now.lag).filter(([, behind]) => behind).map(
      ([topic, behind]) => `${count(behind)} ${topic}`));
    const [state, ...why] = health(now);
    tell("health", state, ...why);
    figures.health.card.dataset.severity = {Good: "good", Limited: "moderate"}[state] || "severe";
  }

  return {update, close: drawn.close};
}

/** Returns one word for how the workers stand, and why where it is not good. */
export function health(now) {
  const unready = now.workers.filter(worker => !worker.ready);
  const why = [
    ...now.workers_missing.map(address => `no answer from ${address}`),
    ...unready.map(worker => worker.recovering
      ? `${worker.address} reads its tables, ${plural(worker.entries_to_recover, "entry", "entries")} left`
      : `${worker.address} is not ready`),
    ...unready.flatMap(worker => [...worker.no_sign_of.map(one => `no sign of ${one}`), ...Object.values(worker.hindrances)]),
  ];
  if (why.length) return ["Not good", ...why];
  if (now.workers.some(worker => !worker.sink_reachable)) return ["Limited", "Elasticsearch does not answer"];
  return ["Good", plural(now.workers.length, "worker")];
}

function figure(figures, name, text, href) {
  const value = element("strong", null, "–");
  const more = element("span", {className: "quiet"});
  const heading = href ? element("a", {href}, text) : text;
  const card = element("div", {className: `card figure${name === "anomalies" ? " wide" : ""}`}, element("dt", null, heading), element("dd", null, value, more));
  figures[name] = {value, more, card, lines: ""};
  return card;
}
