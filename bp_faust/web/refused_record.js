// One refused record: why it was refused, and what was sent; to be mended and sent again.

import {get, path, post, postText, session} from "./api.js";
import {address, element, problem} from "./dom.js";
import {plural, time} from "./format.js";
import {indented, locate} from "./json_text.js";

const LOOK_AGAIN = 1000, LOOKS = 20;

export function title() {
  return "A refused record";
}

export async function show(place, [partition, offset]) {
  const here = ["refusals", "records", partition, offset];
  const [{reasons}, first, {token_needed: canChange}] = await Promise.all(
    [get("/refusals/reasons/"), get(path(...here), 20), session.state()]);
  let record = first, closed = false;
  const why = element("div", {className: "card"});
  const text = indented(record.text);
  const answer = element("div", {role: "status", className: "answer"});
  const content = element("div");
  place.append(
    element("p", null, element("a", {href: address("refused")}, "All refused records")),
    why,
    element("section", {className: "card"}, element("h2", null, "What was sent"), content, answer));

  function drawWhy() {
    why.replaceChildren(
      ...record.reasons.flatMap(({reason, path: where, detail}) => [
        element("h2", null, element("code", null, reason)),
        element("p", null, `${detail} Where: `, element("code", null, where)),
        reasons[reason] ? element("p", {className: "quiet"}, reasons[reason].remedy) : null,
      ].filter(Boolean)),
      element("dl", {className: "settings"}, ...[
        ["Came in", `${time(record.received)}, as ${record.topic}/${record.partition}/${record.offset}`],
        ["Refused", time(record.refused)],
        ["Length", plural(record.bytes, "byte")],
        ...(record.key === null ? [] : [["Key", worded(record.key)]]),
        ...record.headers.map(([name, value]) => [`Header ${name}`, worded(value)]),
        ["Sent again", record.replayed ? time(record.replayed) : "not since it was refused"],
        ...(record.refused_now === null ? [] : [["By the settings in force", record.refused_now.length
          ? `it would be refused again: ${record.refused_now.map(one => one.reason).join(", ")}`
          : "it is not refused any more: send it again as it is"]]),
      ].flatMap(([name, value]) => [element("dt", null, name), element("dd", null, value)])));
  }

  function drawText() {
    const asIs = element("button", {type: "button", className: "second", onclick: () => send(asIs, () => post(path(...here, "replay"), {}))},
      "Send again as it is");
    const mend = record.mendable
      ? element("button", {type: "button", onclick: drawForm}, "Mend it")
      : element("p", {className: "quiet"}, "It cannot be mended here: it is too long, or no program outside sent it.");
    const unset = element("p", {className: "quiet"}, "It can be mended and sent again here once BP_FAUST_WEB_TOKEN is set; until "
      + "then by command: dlq replay.");
    content.replaceChildren(marked(text, record.reasons),
      element("div", {className: "actions"}, canChange ? [mend, asIs] : unset));
  }

  function drawForm() {
    answer.replaceChildren();
    const field = element("textarea", {id: "mended", value: text, spellcheck: false, autocomplete: "off", wrap: "off",
      rows: Math.min(24, text.split("\n").length + 1)});
    const button = element("button", null, "Check and send again");
    const cancel = element("button", {type: "button", className: "plain", onclick: () => {
      drawText();
      content.querySelector("button").focus();
    }}, "Cancel");
    const form = element("form", null, element("label", {htmlFor: "mended"}, "The record as it should have been"), field,
      element("div", {className: "actions"}, button, cancel));
    form.addEventListener("submit", event => {
      event.preventDefault();
      send(button, () => postText(path(...here, "mend"), field.value), field);
    });
    content.replaceChildren(form);
    field.focus();
    point(field, record.reasons);
  }

  async function send(button, ask, field) {
    button.disabled = true;
    answer.replaceChildren();
    try {
      const sent = await ask();
      drawText();
      answer.replaceChildren(element("p", {className: sent.refused_now?.length ? "problem" : "done"}, outcomeOf(sent)));
      await lookUntilNoted();
    } catch (error) {
      const still = error.answer && error.answer.refused_now;
      answer.replaceChildren(problem(error.message), ...(still ? [whys(still)] : []));
      if (still && field) {
        field.focus();
        point(field, still);
      }
    } finally {
      button.disabled = false;
    }
  }

  /** Kafka has it; that it was sent again is known when the worker has read that too. */
  async function lookUntilNoted() {
    const before = record.replayed;
    for (let look = 0; look < LOOKS && !closed && record.replayed === before; look++) {
      await new Promise(done => setTimeout(done, LOOK_AGAIN));
      if (closed) return;
      record = await get(path(...here), 20).catch(() => record);
    }
    if (!closed) drawWhy();
  }

  function whys(rejections) {
    return element("ul", null, ...rejections.map(({reason, path: where, detail}) => element("li", null,
      element("code", null, reason), ` at `, element("code", null, where), `: ${detail}`)));
  }

  drawWhy();
  drawText();
  return {
    close() {
      closed = true;
    },
  };
}

function outcomeOf({mended, refused_now: refused}) {
  if (refused === null) return "Sent again as it is; where it is refused once more, it is listed anew.";
  if (refused.length) return "Sent again as it is; by the settings in force it will be refused once more.";
  return mended ? "It can be read now, and was sent again. It counts in a moment." : "Sent again; it counts in a moment.";
}

function worded(value) {
  return typeof value === "string" || value === null ? String(value) : `base64 ${value.base64}`;
}

/** Returns the text with the places marked at which it was refused. */
function marked(text, rejections) {
  const places = rejections.map(({path: where}) => locate(text, where)).filter(Boolean)
    .sort(([one], [other]) => one - other);
  const parts = [];
  let at = 0;
  for (const [begin, end] of places) {
    if (begin < at) continue;
    parts.push(text.slice(at, begin), element("mark", null, text.slice(begin, end)));
    at = end;
  }
  parts.push(text.slice(at));
  const shown = element("pre", {className: "record", tabIndex: 0, role: "region", ariaLabel: "What was sent"}, parts);
  requestAnimationFrame(() => {
    const mark = shown.querySelector("mark");
    if (mark) shown.scrollTop = mark.offsetTop - shown.clientHeight / 2;
  });
  return shown;
}

/** Selects the place of the first refusal in a field, and shows it. */
function point(field, rejections) {
  const found = rejections.map(({path: where}) => locate(field.value, where)).find(Boolean);
  const [begin, end] = found || [0, 0];
  field.setSelectionRange(begin, end);
  const line = field.value.slice(0, begin).split("\n").length - 1;
  field.scrollTop = Math.max(0, line * parseFloat(getComputedStyle(field).lineHeight) - field.clientHeight / 2);
}
