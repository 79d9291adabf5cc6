// Says that somebody takes care of an alert.

import {path, post, session} from "./api.js";
import {element} from "./dom.js";

const WHO = "bp_faust-who";
const SHOWS_AFTER = 1500;

/** Tells whether this worker lets people change things over HTTP at all: with a token only. */
export async function canAcknowledge() {
  return (await session.state()).token_needed;
}

/** Returns the button that opens the form; onDone() is called when the acknowledgement should show. */
export function acknowledging(alert, onDone) {
  const place = element("div", {className: "acknowledging"});
  const button = element("button", {type: "button", ariaLabel: `Acknowledge: ${alert.title} of ${alert.patient_id}`,
    onclick: open}, "Acknowledge");
  place.append(button);

  function open() {
    const who = element("input", {id: `who-${alert.alert_id}`, value: sessionStorage.getItem(WHO) || "", required: true,
      maxLength: 1000, autocomplete: "name"});
    const why = element("input", {id: `why-${alert.alert_id}`, required: true, maxLength: 1000, autocomplete: "off"});
    const refused = element("p", {className: "problem", role: "alert"});
    const send = element("button", null, "Acknowledge");
    const cancel = element("button", {type: "button", className: "plain", onclick: leave}, "Cancel");
    const form = element("form", {className: "acknowledge"},
      element("div", null, element("label", {htmlFor: who.id}, "Your name"), who),
      element("div", null, element("label", {htmlFor: why.id}, "What is done about it"), why),
      element("div", {className: "buttons"}, send, cancel), refused);
    form.addEventListener("keydown", event => event.key === "Escape" && leave());
    form.addEventListener("submit", async event => {
      event.preventDefault();
      send.disabled = true;
      refused.textContent = "";
      try {
        sessionStorage.setItem(WHO, who.value);
        await post(path("patients", alert.patient_id, "alerts", alert.alert_id, "acknowledge"),
          {who: who.value, why: why.value});
        place.replaceChildren(element("p", {role: "status", tabIndex: -1}, "Acknowledged; it shows in a moment."));
        place.firstChild.focus();
        setTimeout(onDone, SHOWS_AFTER);
      } catch (error) {
        refused.textContent = error.message;
        send.disabled = false;
      }
    });
    place.replaceChildren(form);
    place.classList.add("open");
    (who.value ? why : who).focus();
  }

  function leave() {
    place.classList.remove("open");
    place.replaceChildren(button);
    button.focus();
  }

  return place;
}
