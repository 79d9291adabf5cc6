"use strict";
const SHOWN = 200, EVERY = 2000;
const at = id => document.getElementById(id);
let patients = [];

function cell(row, text, className, link) {
  const td = row.insertCell();
  if (className) td.className = className;
  if (link) {
    const a = td.appendChild(document.createElement("a"));
    a.href = link;
    a.textContent = text;
  } else td.textContent = text;
}

function value(number) { return number === null ? "–" : Math.round(number * 10) / 10; }

function draw() {
  const wanted = at("filter").value.toLowerCase();
  const found = patients.filter(p => p.patient_id.toLowerCase().includes(wanted));
  const rows = document.createDocumentFragment();
  for (const p of found.slice(0, SHOWN)) {
    const row = rows.appendChild(document.createElement("tr")), latest = p.latest;
    cell(row, p.patient_id, "", `/patients/${encodeURIComponent(p.patient_id)}/`);
    cell(row, p.readings, "number");
    cell(row, p.anomalies.Hypertension || 0, "number");
    cell(row, p.anomalies.Hypotension || 0, "number");
    cell(row, p.implausible, "number");
    cell(row, latest ? `${value(latest.systolic_pressure)} / ${value(latest.diastolic_pressure)}` : "", "number");
    cell(row, latest && latest.anomaly_type || "", latest && latest.anomaly_type || "");
    cell(row, latest ? new Date(latest.timestamp).toLocaleString() : "");
  }
  at("patients").replaceChildren(rows);
  at("more").textContent = found.length > SHOWN ? `The first ${SHOWN} of ${found.length} patients.` : "";
  const sum = of => patients.reduce((total, p) => total + of(p), 0).toLocaleString();
  at("total-patients").textContent = patients.length.toLocaleString();
  at("total-readings").textContent = sum(p => p.readings);
  at("total-implausible").textContent = sum(p => p.implausible);
  for (const type of ["Hypertension", "Hypotension"])
    at(`total-${type}`).textContent = sum(p => p.anomalies[type] || 0);
}

class SignInNeeded extends Error {}

async function get(path) {
  const response = await fetch(path, {signal: AbortSignal.timeout(5000)});
  if (response.status === 401) throw new SignInNeeded();
  if (!response.ok) throw new Error(response.status);
  return response.json();
}

async function refreshRefusals() {
  const reasons = Object.entries((await get("/refusals/")).refusals);
  at("total-refused").textContent = reasons.reduce((total, [, count]) => total + count, 0).toLocaleString();
  at("refusals").textContent = reasons.length
    ? `Refused because of ${reasons.map(([reason, count]) => `${reason} (${count.toLocaleString()})`).join(", ")}.` : "";
}

async function refresh() {
  try {
    const answer = await get("/patients/");
    patients = answer.patients;
    draw();
    at("view").hidden = false;
    await refreshRefusals();
    const missing = answer.workers_missing;
    at("state").textContent = missing.length ? `No answer from ${missing.join(", ")}: not all patients are here`
                                             : `Updated ${new Date().toLocaleTimeString()}`;
    at("state").className = missing.length ? "stale" : "";
  } catch (error) {
    if (error instanceof SignInNeeded) {
      askForToken();
      return;
    }
    at("state").textContent = "The worker does not answer; what is shown is old.";
    at("state").className = "stale";
  }
  setTimeout(refresh, EVERY);
}

// Whoever comes to this browser next sees nothing of what was shown.
function askForToken() {
  patients = [];
  draw();
  at("refusals").textContent = "";
  at("view").hidden = at("sign-out").hidden = true;
  at("sign-in").hidden = false;
  at("state").textContent = "";
  at("state").className = "";
  at("token").focus();
}

async function signIn(event) {
  event.preventDefault();
  const body = JSON.stringify({token: at("token").value});
  at("token").value = at("refused").textContent = "";
  try {
    const response = await fetch("/session/", {method: "POST", body});
    if (response.ok) begin();
    else at("refused").textContent = (await response.json()).error;
  } catch {
    at("refused").textContent = "The worker does not answer; try again.";
  }
}

async function signOut() {
  await fetch("/session/", {method: "DELETE"});
  location.reload();
}

async function begin() {
  try {
    const session = await get("/session/");
    at("sign-in").hidden = true;
    at("sign-out").hidden = !session.signed_in;
    if (session.token_needed && !session.signed_in) askForToken();
    else refresh();
  } catch {
    at("state").textContent = "The worker does not answer.";
    setTimeout(begin, EVERY);
  }
}

at("filter").addEventListener("input", draw);
at("sign-in").addEventListener("submit", signIn);
at("sign-out").addEventListener("click", signOut);
begin();
