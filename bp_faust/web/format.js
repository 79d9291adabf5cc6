// Puts numbers and times into words.

export const SEVERITIES = ["severe", "moderate", "mild"];

export function count(number) {
  return number === null || number === undefined ? "–" : number.toLocaleString();
}

/** Returns a figure with one digit behind the point where it is small. */
export function rate(number) {
  return number >= 100 ? count(Math.round(number)) : (Math.round(number * 10) / 10).toLocaleString();
}

export function pressure(number) {
  return number === null || number === undefined ? "–" : String(Math.round(number * 10) / 10);
}

export function time(iso) {
  return new Date(iso).toLocaleString(undefined, {dateStyle: "medium", timeStyle: "short"});
}

export function clock(date) {
  return date.toLocaleTimeString();
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Returns how long ago something was, roughly: "12 s", "5 min", "3 h", "2 d". */
export function ago(iso, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function sum(counts) {
  return Object.values(counts).reduce((total, number) => total + number, 0);
}
