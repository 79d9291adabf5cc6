// What was refused: how many records by reason, and the latest of them.

import {get} from "./api.js";
import {address, element, problem, refill, setText, table} from "./dom.js";
import {count, time} from "./format.js";

const LEAST_WAIT = 3000;

export function title() {
  return "Refused records";
}

export async function show(place, _, overview) {
  const [{reasons}, first] = await Promise.all([
    get("/refusals/reasons/"), overview ? overview.refusals : get("/refusals/").then(answer => answer.refusals)]);
  let records = [], before = null, pages = 0, asked = 0, known = "", codes = "", timer = null, closed = false;
  const byReason = element("div", {className: "card"});
  const chosen = element("select", {id: "reason", oninput: () => refresh()});
  const found = element("p", {className: "quiet", role: "status"});
  const trouble = element("div");
  const list = element("div");
  const older = element("button", {type: "button", onclick: () => more()}, "Show older ones");
  place.append(byReason,
    element("section", {className: "card"}, element("h2", null, "The latest"),
      element("div", {className: "filters"}, element("label", {htmlFor: "reason"}, "Reason"), chosen),
      found, trouble, list, older));

  function drawCounts(now) {
    const rows = Object.entries(now).sort(([, one], [, other]) => other - one);
    known = JSON.stringify(now);
    drawChoice(Object.keys(now).sort());
    refill(byReason, rows.length
      ? table("By reason", [
        {title: "Reason", cell: ([reason]) => element("code", null, reason)},
        {title: "Records", number: true, cell: ([, number]) => count(number)},
        {title: "What it means", className: "long", cell: ([reason]) => reasons[reason] ? reasons[reason].meaning : ""},
        {title: "What its sender should do", className: "long",
          cell: ([reason]) => reasons[reason] ? reasons[reason].remedy : ""},
      ], rows)
      : element("p", {className: "quiet"}, "Nothing was refused."));
  }

  /** Leaves the choice alone while it is the same: somebody may have it open. */
  function drawChoice(reasons) {
    if (codes === reasons.join()) return;
    codes = reasons.join();
    const wanted = chosen.value;
    chosen.replaceChildren(element("option", {value: ""}, "All reasons"),
      ...reasons.map(reason => element("option", {value: reason}, reason)));
    chosen.value = reasons.includes(wanted) ? wanted : "";
  }

  const columns = [
    {title: "Refused", cell: ({refused, dead_letter: {partition, offset}}) =>
      element("a", {href: address("refused", String(partition), String(offset))}, time(refused))},
    {title: "Reason", cell: reasonsOf},
    {title: "Where", className: "long", cell: ({reasons: [why]}) => why ? element("code", null, why.path) : ""},
    {title: "From", className: "long", cell: ({topic, partition, offset}) => `${topic}/${partition}/${offset}`},
    {title: "Sent again", cell: ({replayed}) => replayed ? time(replayed) : ""},
  ];

  function reasonsOf({reasons: whys, rejections}) {
    const more = rejections > 1 ? ` and ${count(rejections - 1)} more` : "";
    return [element("code", null, whys.length ? whys[0].reason : "unknown"), more];
  }

  function draw() {
    refill(list, ...(records.length ? [table("The latest refused records", columns, records, {captionHidden: true})] : []));
    older.hidden = before === null;
    const what = chosen.value ? ` because of ${chosen.value}` : "";
    setText(found, records.length ? `${count(records.length)} shown${what}, each with the record that was sent.`
      : before === null ? `No refused record${what} is left in Kafka.` : `None${what} among the latest; there may be older ones.`);
  }

  async function ask(position) {
    const turn = asked = Date.now(), wanted = chosen.value;
    const query = new URLSearchParams(position === null ? {} : {before: position});
    if (wanted) query.set("reason", wanted);
    try {
      const answer = await get(`/refusals/records/?${query}`, 20);
      if (closed || turn !== asked || wanted !== chosen.value) return;
      trouble.replaceChildren();
      records = position === null ? answer.records : [...records, ...answer.records];
      pages = position === null ? 1 : pages + 1;
      before = answer.before;
      draw();
    } catch (error) {
      if (closed || turn !== asked) return;
      trouble.replaceChildren(problem(error.message));
      if (pages < 2) refreshSoon();
    }
  }

  function refresh() {
    clearTimeout(timer);
    return ask(null);
  }

  function refreshSoon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, asked + LEAST_WAIT - Date.now()));
  }

  async function more() {
    older.disabled = true;
    await ask(before);
    older.disabled = false;
    older.focus();
  }

  drawCounts(first);
  await refresh();
  return {
    update(now) {
      if (JSON.stringify(now.refusals) === known) return;
      drawCounts(now.refusals);
      // Whoever reads older ones is left where they are.
      if (pages < 2) refreshSoon();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
