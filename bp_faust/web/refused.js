// What was refused, by reason.

import {get} from "./api.js";
import {element, table} from "./dom.js";
import {count} from "./format.js";

export function title() {
  return "Refused records";
}

export async function show(place, _, overview) {
  const refusals = overview ? overview.refusals : (await get("/refusals/")).refusals;

  function draw(counts) {
    const rows = Object.entries(counts);
    place.replaceChildren(rows.length
      ? table("Refused records by reason", [
        {title: "Reason", cell: ([reason]) => reason},
        {title: "Records", number: true, cell: ([, number]) => count(number)},
      ], rows)
      : element("p", {className: "quiet"}, "Nothing was refused."));
  }

  let drawn = JSON.stringify(refusals);
  draw(refusals);
  return {
    update(now) {
      const text = JSON.stringify(now.refusals);
      if (text !== drawn) draw(now.refusals);
      drawn = text;
    },
  };
}
