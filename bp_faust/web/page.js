// The page: who is signed in, which view is shown, and whether what it shows is live.
//
// A view is a module that exports
//
//   title(parameters)                           what stands above it, and in the browser's tab
//   async show(element, parameters, overview)   fills the element; parameters are the parts of the address behind the
//                                               view's name, overview is the last event of /events/, or null
//
// show returns {update(overview), close()}: update is called with every event (once a second, see live.js; its fields
// are those of Installation in bp_faust/telemetry/installation.py), close when another view comes or the session ends; timers and
// listeners end there. Both may be left out. What show raises is told in the view's place. Views make elements with
// dom.js, never from HTML, and ask the worker with api.js.

import * as alerts from "./alerts.js";
import * as api from "./api.js";
import {element, problem, setText} from "./dom.js";
import {clock, count} from "./format.js";
import {follow} from "./live.js";
import * as overview from "./overview.js";
import * as patient from "./patient.js";
import * as patients from "./patients.js";
import * as refused from "./refused.js";
import * as refusedRecord from "./refused_record.js";
import * as system from "./system.js";

// By the address's first part, and by how many parts follow.
const VIEWS = {
  overview: {0: overview},
  patients: {0: patients, 1: patient},
  alerts: {0: alerts},
  refused: {0: refused, 2: refusedRecord},
  system: {0: system},
};
const RETRY = 2000;

const at = id => document.getElementById(id);
let live = null, latest = null, latestAt = null, shown = null, showing = 0, unanswered = false;

function wanted() {
  let parts;
  try {
    parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return null;
  }
  const [name = "overview", ...parameters] = parts;
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name][parameters.length] : undefined;
  return view ? {name, view, parameters} : null;
}

async function navigate({focus}) {
  const turn = ++showing;
  closeView();
  const found = wanted();
  for (const one of at("nav").querySelectorAll("a"))
    one.ariaCurrent = found && one.hash === `#/${found.name}` ? "page" : null;
  const title = found ? found.view.title(found.parameters) : "There is no such view";
  document.title = `${title} · Blood pressure`;
  at("heading").textContent = title;
  if (focus) {
    at("heading").focus();
    scrollTo(0, 0);
  }
  if (!found) return;
  const place = element("div", {className: `view ${found.name}`});
  at("view").replaceChildren(place);
  try {
    const view = await found.view.show(place, found.parameters, latest);
    if (turn === showing) shown = view || {};
    else if (view && view.close) view.close();
    if (turn === showing && latest && shown.update) shown.update(latest);
  } catch (error) {
    if (turn !== showing || error instanceof api.SignInNeeded) return;
    tellFailure(place, error);
    unanswered = !(error instanceof api.Refusal);
  }
}

function tellFailure(place, error) {
  const again = element("button", {type: "button", onclick: () => navigate({focus: true})}, "Try again");
  place.replaceChildren(problem(error.message), again);
}

function closeView() {
  if (shown && shown.close) shown.close();
  shown = null;
  unanswered = false;
  at("view").replaceChildren();
}

function onOverview(overview, now) {
  latest = overview;
  latestAt = now;
  const waiting = Object.values(overview.alerts).reduce((total, one) => total + one.open, 0);
  at("alerts-waiting").hidden = !waiting;
  setText(at("alerts-waiting"), count(waiting));
  at("alerts-waiting").title = `${count(waiting)} not acknowledged`;
  tellCompleteness(overview);
  if (unanswered) navigate({focus: false});
  else if (shown && shown.update) shown.update(overview);
}

function tellCompleteness(overview) {
  const missing = overview.workers_missing;
  if (missing.length) tellState("partial", `No answer from ${missing.join(", ")}: not all patients are here.`);
  else if (overview.partitions_missing.length) tellState("partial", "Some patients are being taken over by a worker.");
  else tellState("live", "Live");
}

function onState(state) {
  if (state === "connecting") tellState("", "Connecting …");
  if (state === "stale") tellState("stale", latestAt ? "Not live: the worker does not answer." : "The worker does not answer.");
}

function tellState(className, text) {
  at("state").className = className;
  setText(at("state"), text);
  tellAge();
}

function tellAge() {
  const isOld = at("state").className === "stale" && latestAt;
  const seconds = latestAt ? Math.round((Date.now() - latestAt) / 1000) : 0;
  setText(at("age"), isOld ? `What is shown is of ${clock(latestAt)}, ${count(seconds)} s ago.` : "");
  document.body.classList.toggle("is-stale", Boolean(isOld));
}

// Whoever comes to this browser next sees nothing of what was shown.
function askForToken() {
  ++showing;
  if (live) live.close();
  live = latest = latestAt = null;
  closeView();
  document.title = "Blood pressure";
  at("heading").textContent = "Sign in";
  at("nav").hidden = at("sign-out").hidden = true;
  at("sign-in").hidden = false;
  tellState("", "");
  at("token").focus();
}

async function signIn(event) {
  event.preventDefault();
  const token = at("token").value;
  at("token").value = at("refused").textContent = "";
  try {
    await api.session.begin(token);
    begin({focus: true});
  } catch (error) {
    at("refused").textContent = error.message;
    at("token").focus();
  }
}

async function signOut() {
  let trouble = "";
  try {
    await api.session.end();
  } catch (error) {
    trouble = `${error.message} Whoever reloads this page may still be signed in.`;
  }
  askForToken();
  at("refused").textContent = trouble;
}

async function begin({focus}) {
  let session;
  try {
    session = await api.session.state();
  } catch {
    tellState("stale", "The worker does not answer.");
    setTimeout(begin, RETRY, {focus});
    return;
  }
  at("sign-in").hidden = true;
  at("sign-out").hidden = !session.signed_in;
  if (session.token_needed && !session.signed_in) {
    askForToken();
    return;
  }
  at("nav").hidden = false;
  if (live) live.close();
  live = follow({onOverview, onState, onSignInNeeded: askForToken});
  navigate({focus});
}

api.onSignInNeeded(askForToken);
at("sign-in").addEventListener("submit", signIn);
at("sign-out").addEventListener("click", signOut);
document.querySelector(".skip").addEventListener("click", event => {
  event.preventDefault();
  at("heading").focus();
});
addEventListener("hashchange", () => {
  if (live) navigate({focus: true});
});
setInterval(tellAge, 1000);
begin({focus: false});
