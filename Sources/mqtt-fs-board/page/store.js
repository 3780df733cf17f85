// What the board's server tells, kept current by one stream of events at a time. A hidden page has none.

const finished = new Set(["success", "failed", "timeout", "canceled", "error", "lost", "rejected"]);

/** A row as an object. Unknown words of a newer server, or of a strange file, are not trusted. */
export function job(row) {
  const [id, state, status, exitCode, attempt, worker, step, steps, stepName, since, end, durationMs, error, filter, logEnd, isUndelivered] = row;
  const job = { id, state, status, exitCode, attempt, worker, step, steps, stepName, since, end, durationMs, error, filter, logEnd, isUndelivered };
  job.shown = job.state === "finished" ? (finished.has(job.status) ? job.status : "unknown") : job.state;
  job.when = job.state === "finished" ? job.end ?? job.since : job.since;
  return job;
}

export const store = { jobs: new Map(), workers: [], facts: {}, isLoaded: false };

const listeners = new Set();
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
function tell(news) { for (const listener of [...listeners]) listener(news); }

/** What early.js has asked for already, once. */
function early(path) {
  const answer = path === "/api/jobs" ? window.early : undefined;
  if (answer) window.early = undefined;
  return answer;
}

/** Asks the server; throws an error with its sentence. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await (early(path) ?? fetch(path, { credentials: "same-origin", ...options }));
  } catch {
    throw Object.assign(new Error("the board's server does not answer"), { isUnreachable: true });
  }
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(told.error ?? `the server answers ${answer.status}`), { status: answer.status });
}

let version = "";
let source = null;
let wanted = null;
let again = 0;

async function load() {
  const answer = await ask("/api/jobs");
  version = answer.version;
  store.jobs = new Map(answer.rows.map((row) => [row[0], job(row)]));
  store.isLoaded = true;
  tell({ kind: "all" });
}

function close() {
  clearTimeout(again);
  source?.close();
  source = null;
}

/** Tries again after a moment; a server without the right to read says so at once. */
async function retry(error) {
  close();
  // There is no such job, or no more.
  if (error?.status === 404 || error?.status === 400) return tell({ kind: "gone", message: error.message });
  if (error?.status === 401) return tell({ kind: "login" });
  tell({ kind: "lost", message: error?.message });
  again = setTimeout(open, 1500);
}

async function open() {
  close();
  if (wanted === null || document.hidden) return;
  const now = wanted;
  try {
    if (now.path === null) {
      await load();
      if (wanted !== now) return;
    }
    const stream = new EventSource(now.path ?? `/api/events?since=${encodeURIComponent(version)}`);
    source = stream;
    stream.onopen = () => tell({ kind: "live" });
    stream.onerror = async () => {
      if (source !== stream) return;
      close();
      // An event stream does not say why it failed.
      try {
        await ask(now.check ?? "/api/jobs");
        retry();
      } catch (error) {
        retry(error);
      }
    };
    const take = (name, use) => stream.addEventListener(name, (event) => {
      if (source === stream) use(JSON.parse(event.data));
    });
    if (now.path === null) {
      take("reset", open);
      take("jobs", (news) => {
        version = news.version;
        for (const row of news.rows) store.jobs.set(row[0], job(row));
        for (const id of news.removed) store.jobs.delete(id);
        tell({ kind: "jobs", count: news.rows.length });
      });
      take("workers", (workers) => {
        store.workers = workers;
        tell({ kind: "workers" });
      });
      take("facts", (facts) => {
        store.facts = facts;
        tell({ kind: "facts" });
      });
    } else {
      for (const [name, use] of Object.entries(now.events)) take(name, use);
    }
  } catch (error) {
    if (wanted === now) retry(error);
  }
}

/** Follows the overview. */
export function followAll() {
  wanted = { path: null };
  open();
}

/** Follows one job, with its log. `events` maps names to functions; `check` is asked when the stream fails. */
export function followJob(path, check, events) {
  wanted = { path, check, events };
  open();
}

document.addEventListener("visibilitychange", open);
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
export { open as reopen };
