// Puts numbers and times into words.

export const SEVERITIES = ["severe", "moderate", "mild"];

export function count(number) {
  return number === null || number === undefined ? "–" : number.toLocaleString();
}

/** Returns a figure with one digit behind the point where it is small. */
export function rate(number) {
  if (number === null) return "–";
  return number >= 100 ? count(Math.round(number)) : (Math.round(number * 10) / 10).toLocaleString();
}

export function pressure(number) {
  return number === null || number === undefined ? "–" : String(Math.round(number * 10) / 10);
}

/** Returns the time of today, else the day too. */
export function time(iso) {
  const then = new Date(iso);
  const isToday = then.toDateString() === new Date().toDateString();
  return isToday ? then.toLocaleTimeString(undefined, {timeStyle: "short"})
    : then.toLocaleString(undefined, {dateStyle: "medium", timeStyle: "short"});
}

export function capital(word) {
  return word[0].toUpperCase() + word.slice(1);
}

export function clock(date) {
  return date.toLocaleTimeString();
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Returns how long ago something was, roughly: "12 s ago", "5 min ago", "3 h ago", "2 d ago". */
export function ago(iso, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

export function sum(counts) {
  return Object.values(counts).reduce((total, number) => total + number, 0);
}
