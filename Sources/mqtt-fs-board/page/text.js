// Foreign text, times and sizes. All that comes from jobs is set as text, never as markup.

const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text in which nothing is hidden: control characters and direction overrides are shown by their numbers. */
export function clean(text) {
  return String(text).replace(hidden, (c) => `\\u{${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}}`);
}

/** The same on one line. */
export function line(text) {
  return clean(String(text).replace(/[\n\t]+/g, " "));
}

/** An element with a class, and with children or text. */
export function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets text only when it changes, so that a selection and screen readers are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** A duration, as in `850 ms`, `42.1 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  let rest = Math.floor(ms / 1000);
  const parts = [];
  for (const [unit, seconds] of units) {
    const count = Math.floor(rest / seconds);
    if (count > 0 || parts.length > 0) parts.push([count, unit]);
    rest -= count * seconds;
  }
  return parts.slice(0, 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** The time since `then`, as in `just now`, `2 min ago`. */
export function ago(then, now = Date.now()) {
  const seconds = Math.round((now - then) / 1000);
  if (Math.abs(seconds) < 5) return "just now";
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size);
  const count = Math.floor(Math.abs(seconds) / size);
  return seconds < 0 ? `in ${count} ${unit}` : `${count} ${unit} ago`;
}

/** A `<time>` that says how long ago, and the exact time as its title. `tick` keeps it current. */
export function time(then) {
  const element = make("time");
  setTime(element, then);
  return element;
}

export function setTime(element, then) {
  const date = new Date(then);
  if (Number.isNaN(date.getTime())) return;
  element.dateTime = element.title = date.toISOString();
  element.dataset.then = then;
  setText(element, ago(then));
}

export function tick() {
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-then]")) setText(element, ago(+element.dataset.then, now));
  for (const element of document.querySelectorAll("[data-since]")) {
    setText(element, duration(Math.floor((now - +element.dataset.since) / 1000) * 1000));
  }
}

/** Bytes, as in `1.5 MiB`. */
export function bytes(count) {
  if (!Number.isFinite(count)) return "";
  const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (count >= 1024 && unit < names.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count : count.toFixed(1)} ${names[unit]}`;
}

export function number(count) {
  return count.toLocaleString("en");
}

const labels = {
  running: "Running", queued: "Queued", "awaiting-approval": "Needs approval", pending: "Pending",
  success: "Success", failed: "Failed", timeout: "Timed out", canceled: "Canceled", error: "Error", lost: "Lost",
  rejected: "Rejected", skipped: "Skipped", waiting: "Waiting", ended: "Ended", unknown: "Unknown",
  idle: "Idle", busy: "Busy", halted: "Halted", offline: "Offline", silent: "Silent",
};
const tones = {
  running: "go", busy: "go", success: "good", idle: "good", failed: "bad", timeout: "bad", error: "bad", lost: "bad",
  silent: "bad", canceled: "odd", rejected: "odd", halted: "odd", "awaiting-approval": "odd",
};

/** A word for a state, with a mark that differs in form and not only in colour. */
export function badge(state, element = make("span")) {
  const known = labels[state] ? state : "unknown";
  element.className = `badge ${tones[known] ?? "calm"}`;
  element.dataset.state = known;
  setText(element, labels[known]);
  return element;
}
