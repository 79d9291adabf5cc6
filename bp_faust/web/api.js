// Asks the worker. Whoever is not signed in is told so once, by the function given to onSignInNeeded.

export class SignInNeeded extends Error {
  constructor() {
    super("Sign in to see this.");
  }
}

/** What the worker answers in place of what was asked: its sentence, the HTTP status, and all of its JSON. */
export class Refusal extends Error {
  constructor(status, answer) {
    super((answer && answer.error) || `The worker answered with status ${status}.`);
    this.status = status;
    this.answer = answer;
  }
}

const SECONDS = 10;
let tellSignInNeeded = () => {};

export function onSignInNeeded(callback) {
  tellSignInNeeded = callback;
}

/** Returns the JSON of a path; raises Refusal, SignInNeeded, or another Error where nobody answers in time. */
export async function get(path, seconds = SECONDS) {
  return ask(path, {}, seconds);
}

/** Posts JSON, and returns the JSON that is answered; raises as get does. */
export async function post(path, body, seconds = SECONDS) {
  return ask(path, {method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json"}}, seconds);
}

/** Posts a text as it is; returns and raises as post does. */
export async function postText(path, text, seconds = SECONDS) {
  return ask(path, {method: "POST", body: text, headers: {"Content-Type": "application/json"}}, seconds);
}

/** Returns a path of the worker, with each part escaped. */
export function path(...parts) {
  return `/${parts.map(encodeURIComponent).join("/")}/`;
}

async function ask(where, options, seconds) {
  let response;
  try {
    response = await fetch(where, {...options, signal: AbortSignal.timeout(seconds * 1000)});
  } catch (error) {
    throw new Error("The worker does not answer.", {cause: error});
  }
  const answer = await response.json().catch(() => null);
  if (response.status === 401 && where !== "/session/") {
    tellSignInNeeded();
    throw new SignInNeeded();
  }
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

export const session = {
  state: () => ask("/session/", {}, SECONDS),
  begin: token => ask("/session/", {method: "POST", body: JSON.stringify({token})}, SECONDS),
  end: () => ask("/session/", {method: "DELETE"}, SECONDS),
};
