// How the installation stands: workers, partitions, tables, settings.

import {get} from "./api.js";
import {element, refill, table} from "./dom.js";
import {count} from "./format.js";

const EVERY = 5000;

export function title() {
  return "System";
}

export async function show(place) {
  let timer = null, closed = false, open = false;

  async function refresh() {
    const system = await get("/system/");
    if (closed) return;
    draw(system);
    again();
  }

  function again() {
    if (!closed) timer = setTimeout(() => refresh().catch(again), EVERY);
  }

  function draw(system) {
    const settings = element("details", {open, ontoggle: event => { open = event.target.open; }},
      element("summary", null, "Settings of this worker"), settingsOf(system));
    refill(place,
      ...(system.workers_missing.length ? [missing(system.workers_missing)] : []),
      element("section", {className: "card"}, workersOf(system)),
      element("section", {className: "card"}, partitionsOf(system)),
      element("section", {className: "card"}, tablesOf(system)),
      element("section", {className: "card"}, settings));
  }

  await refresh();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function missing(addresses) {
  return element("p", {className: "problem"}, `No answer from ${addresses.join(", ")}.`);
}

function workersOf({workers, asked}) {
  return table("Workers", [
    {title: "Address", cell: worker => worker.address === asked ? `${hostOf(worker.address)} (this one)` : hostOf(worker.address)},
    {title: "State", cell: stateOf},
    {title: "Elasticsearch", cell: worker => worker.sink_reachable ? "answers" : "does not answer"},
    {title: "Partitions", number: true, cell: worker => count(worker.partitions.length)},
    {title: "Version", cell: worker => worker.version},
    {title: "Python", cell: worker => worker.python},
  ], workers);
}

function stateOf(worker) {
  if (worker.recovering)
    return `reading its tables: ${count(worker.entries_to_recover)} of ${count(worker.entries_of_recovery)} entries left`;
  return worker.ready ? "ready" : ["not ready", ...worker.no_sign_of.map(one => `no sign of ${one}`),
    ...Object.values(worker.hindrances)].join("; ");
}

/** Returns a row for each topic and the worker that has some of its partitions. */
function partitionsOf({partitions}) {
  const rows = new Map();
  for (const one of partitions) {
    const key = JSON.stringify([one.topic, one.worker]);
    if (!rows.has(key)) rows.set(key, {topic: one.topic, worker: one.worker, partitions: [], lag: 0});
    rows.get(key).partitions.push(one.partition);
    rows.get(key).lag += one.lag || 0;
  }
  return table("Who works on which partitions", [
    {title: "Topic", cell: row => row.topic, className: "long"},
    {title: "Partitions", cell: row => row.partitions.join(", ")},
    {title: "Worker", cell: row => row.worker ? hostOf(row.worker) : element("span", {className: "problem"}, "nobody")},
    {title: "Behind", number: true, cell: row => row.worker ? count(row.lag) : "–"},
  ], [...rows.values()]);
}

function tablesOf({tables}) {
  return table("Tables", [
    {title: "Table", cell: one => `${one.table} ${one.partition}`},
    {title: "Worker", cell: one => hostOf(one.worker)},
    {title: "Kept as", cell: one => one.active ? "active" : "standby"},
    {title: "Changelog position", number: true, cell: one => count(one.position)},
  ], tables);
}

function hostOf(address) {
  return address.replace(/^https?:\/\//, "");
}

function settingsOf({settings}) {
  return table("Settings in force", [
    {title: "Setting", cell: one => one.name},
    {title: "Value", cell: one => one.value, className: "long"},
    {title: "From", cell: one => one.from},
  ], settings, {captionHidden: true});
}
