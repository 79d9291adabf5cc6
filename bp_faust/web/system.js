// How the installation stands: workers, partitions, tables, settings.

import {get} from "./api.js";
import {element, table} from "./dom.js";
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
    place.replaceChildren(
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
    {title: "Address", cell: worker => worker.address === asked ? `${worker.address} (this one)` : worker.address},
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

function partitionsOf({partitions}) {
  return table("Partitions", [
    {title: "Topic", cell: one => one.topic, className: "long"},
    {title: "Partition", number: true, cell: one => one.partition},
    {title: "Worker", cell: one => one.worker || "nobody"},
    {title: "Behind", number: true, cell: one => one.lag === null ? "–" : count(one.lag)},
  ], partitions);
}

function tablesOf({tables}) {
  return table("Tables", [
    {title: "Table", cell: one => one.table},
    {title: "Partition", number: true, cell: one => one.partition},
    {title: "Worker", cell: one => one.worker},
    {title: "Kept as", cell: one => one.active ? "active" : "standby"},
    {title: "Changelog position", number: true, cell: one => count(one.position)},
  ], tables);
}

function settingsOf({settings}) {
  return table("Settings in force", [
    {title: "Setting", cell: one => one.name},
    {title: "Value", cell: one => one.value, className: "long"},
    {title: "From", cell: one => one.from},
  ], settings, {captionHidden: true});
}
