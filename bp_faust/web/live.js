// Follows /events/, on which the worker tells once a second how the whole installation stands; says when it does not.

import {session} from "./api.js";

/** After how many seconds without an event what is shown is called old, and after how many it is asked for anew. */
const STALE_SECONDS = 4, RECONNECT_SECONDS = 12;
const SHORTEST_WAIT = 1000, LONGEST_WAIT = 5000;

/**
 * Calls onOverview(overview) with every event, onState("live" | "stale" | "connecting", date of the last event) with
 * every change of state, and onSignInNeeded() where there is no session any more. close() ends it.
 *
 * A page that nobody sees has no stream: browsers allow few to a worker, all of their pages together.
 */
export function follow({onOverview, onState, onSignInNeeded}) {
  let source = null, retry = null, wait = SHORTEST_WAIT, last = null, opened = 0, awaited = Date.now(), state = "", closed = false;

  function tell(now) {
    if (state !== now) onState(state = now, last);
  }

  function open() {
    clearTimeout(retry);
    if (closed || document.hidden) return;
    stop();
    opened = Date.now();
    source = new EventSource("/events/");
    source.addEventListener("overview", event => {
      last = new Date();
      wait = SHORTEST_WAIT;
      onOverview(JSON.parse(event.data), last);
      tell("live");
    });
    source.onerror = () => lost();
  }

  function stop() {
    if (source) source.close();
    source = null;
  }

  async function lost() {
    stop();
    if (closed) return;
    retry = setTimeout(open, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
    const known = await session.state().catch(() => null);
    if (known && known.token_needed && !known.signed_in && !closed) onSignInNeeded();
  }

  function look() {
    const now = Date.now();
    const silent = (now - Math.max(last ? last.getTime() : 0, awaited)) / 1000;
    if (document.hidden || silent < STALE_SECONDS) return;
    tell("stale");
    // A connection that died without a word.
    if (source && silent > RECONNECT_SECONDS && (now - opened) / 1000 > RECONNECT_SECONDS) open();
  }

  function seen() {
    awaited = Date.now();
    if (document.hidden) stop();
    else open();
  }

  const watch = setInterval(look, 1000);
  document.addEventListener("visibilitychange", seen);
  tell("connecting");
  open();
  return {
    close() {
      closed = true;
      stop();
      clearTimeout(retry);
      clearInterval(watch);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}
