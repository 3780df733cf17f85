// The pages of all jobs and of all workers.

import { followAll, listen, store } from "./store.js";
import { Table } from "./table.js";
import { badge, bytes, clean, duration, line, make, number, setText, setTime, time } from "./text.js";

const groups = [
  { key: "all", title: "All", has: () => true },
  { key: "running", title: "Running", tone: "go", has: (job) => job.state === "running" },
  { key: "waiting", title: "Waiting", tone: "odd", has: (job) => job.state !== "running" && job.state !== "finished" },
  { key: "failed", title: "Failed", tone: "bad", has: (job) => ["failed", "timeout", "error", "lost", "unknown"].includes(job.shown) },
  { key: "canceled", title: "Canceled", tone: "calm", has: (job) => job.shown === "canceled" || job.shown === "rejected" },
  { key: "success", title: "Succeeded", tone: "good", has: (job) => job.shown === "success" },
];
const rank = { running: 0, "awaiting-approval": 1, queued: 2, pending: 3, finished: 4 };
const mostCards = 12;

export function jobLink(id) {
  const link = make("a", "", clean(id));
  link.href = `#/job/${encodeURIComponent(id)}`;
  return link;
}

function view(name, main) {
  main.replaceChildren(document.getElementById(name).content.cloneNode(true));
}

/** What a reader has chosen stays while other pages are open, and is in the address. */
const chosen = { group: "all", words: "", order: { key: "when", down: true } };

function keepInAddress() {
  const values = new URLSearchParams();
  if (chosen.group !== "all") values.set("show", chosen.group);
  if (chosen.words) values.set("filter", chosen.words);
  if (chosen.order.key !== "when" || !chosen.order.down) values.set("sort", (chosen.order.down ? "-" : "") + chosen.order.key);
  history.replaceState(null, "", `#/${values.size ? `?${values}` : ""}`);
}

const columns = [
  { key: "status", title: "Status", className: "status", sort: (job) => `${rank[job.state] ?? 5}${job.shown}` },
  { key: "id", title: "Job", className: "name", isName: true, sort: (job) => job.id },
  { key: "worker", title: "Worker", className: "worker", sort: (job) => job.worker },
  { key: "note", title: "Progress or reason", className: "note", sort: (job) => job.error ?? "" },
  { key: "took", title: "Took", className: "took", isDown: true, sort: (job) => job.durationMs },
  // What is not over comes before what is.
  { key: "when", title: "When", className: "when", isDown: true, sort: (job) => (4 - (rank[job.state] ?? 5)) * 1e15 + (job.when ?? 0) },
];

function note(job) {
  if (job.state === "running") {
    if (job.step === null) return "starting";
    const place = job.steps ? `step ${job.step + 1} of ${job.steps}` : `step ${job.step + 1}`;
    return job.stepName ? `${place}: ${line(job.stepName)}` : place;
  }
  const undelivered = job.isUndelivered ? "result not delivered; " : "";
  if (job.error) return undelivered + line(job.error);
  if (job.state === "queued") return `a worker of ${line(job.filter ?? "")} takes it next`;
  if (job.state === "awaiting-approval") return "somebody must approve it";
  if (job.state === "pending") return "no worker has taken it";
  return undelivered;
}

function fillJob([status, name, worker, reason, took, when], job) {
  if (status.firstChild) badge(job.shown, status.firstChild);
  else status.append(badge(job.shown));
  let link = name.firstChild;
  if (link === null) {
    link = jobLink(job.id);
    name.append(link);
  }
  link.href = `#/job/${encodeURIComponent(job.id)}`;
  setText(link, clean(job.id));
  setText(worker, job.worker ? line(job.worker) + (job.attempt > 1 ? `, attempt ${job.attempt}` : "") : "");
  setText(reason, note(job));
  reason.title = reason.textContent;
  if (job.state === "running" && job.since) took.dataset.since = job.since;
  else delete took.dataset.since;
  setText(took, job.state === "running" && job.since ? duration(Math.floor((Date.now() - job.since) / 1000) * 1000) : job.durationMs === null ? "" : duration(job.durationMs));
  if (job.when === null) return when.replaceChildren();
  if (when.firstChild) setTime(when.firstChild, job.when);
  else when.append(time(job.when));
}

/** A running job, with the end of its log. */
function fillCard(card, job) {
  if (card.childElementCount === 0) {
    card.append(
      make("div", "title", jobLink(job.id), make("span", "elapsed")),
      make("div", "place"), make("div", "progress", make("div", "done")), make("code", "end"));
    card.querySelector(".progress").setAttribute("role", "progressbar");
  }
  const elapsed = card.querySelector(".elapsed");
  if (job.since) {
    elapsed.dataset.since = job.since;
    setText(elapsed, duration(Math.floor((Date.now() - job.since) / 1000) * 1000));
  }
  setText(card.querySelector(".place"), [note(job), job.worker ? `on ${line(job.worker)}` : "", job.attempt > 1 ? `attempt ${job.attempt}` : ""].filter(Boolean).join(" · "));
  const bar = card.querySelector(".progress");
  const share = job.steps ? Math.min(1, ((job.step ?? 0) + 0.5) / job.steps) : 0.5;
  bar.setAttribute("aria-label", "Steps");
  bar.setAttribute("aria-valuemin", 0);
  bar.setAttribute("aria-valuemax", job.steps ?? 1);
  bar.setAttribute("aria-valuenow", job.step ?? 0);
  bar.firstChild.style.width = `${share * 100}%`;
  setText(card.querySelector(".end"), job.logEnd ? clean(job.logEnd.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "").replace(/[\t\r]/g, " ")) : " ");
}

export function showJobs(main, announce, values) {
  view("jobs-view", main);
  if (values.get("show")) chosen.group = groups.some((group) => group.key === values.get("show")) ? values.get("show") : "all";
  if (values.get("filter") !== null) chosen.words = values.get("filter");
  const sort = values.get("sort");
  if (sort && columns.some((column) => column.key === sort.replace(/^-/, ""))) chosen.order = { key: sort.replace(/^-/, ""), down: sort.startsWith("-") };
  const tiles = new Map(groups.map((group) => {
    const tile = make("button", `tile ${group.tone ?? ""}`, make("span", "figure", "–"), make("span", "title", group.title));
    tile.addEventListener("click", () => {
      chosen.group = group.key;
      keepInAddress();
      show();
      announce(`${number(table.items.length)} jobs`);
    });
    return [group.key, tile];
  }));
  main.querySelector(".tiles").append(...tiles.values());
  const table = new Table(main.querySelector(".holder"), {
    label: "Jobs", columns, key: (job) => job.id, fill: fillJob, order: chosen.order,
    onOrder: (order) => {
      chosen.order = order;
      choice.value = order.key;
      keepInAddress();
    },
  });
  const choice = orderChoice(main, table, columns);
  const input = main.querySelector("input[type=search]");
  input.value = chosen.words;
  input.addEventListener("input", () => {
    chosen.words = input.value.trim();
    keepInAddress();
    show();
  });
  const cards = new Map();

  function show() {
    const jobs = [...store.jobs.values()];
    for (const group of groups) {
      const tile = tiles.get(group.key);
      setText(tile.firstChild, store.isLoaded ? number(jobs.filter(group.has).length) : "–");
      tile.setAttribute("aria-pressed", String(chosen.group === group.key));
    }
    const has = groups.find((group) => group.key === chosen.group).has;
    const words = chosen.words.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = jobs.filter((job) => has(job) && words.every((word) => matches(job, word)));
    table.show(shown, !store.isLoaded ? "Loading…" : jobs.length === 0 ? "There are no jobs on this volume yet." : "No job matches.");
    setText(main.querySelector(".count"), shown.length === jobs.length ? "" : `${number(shown.length)} of ${number(jobs.length)}`);
    showCards(jobs.filter((job) => job.state === "running"));
  }

  function showCards(running) {
    const list = main.querySelector(".cards");
    running.sort((a, b) => (a.since ?? 0) - (b.since ?? 0) || (a.id < b.id ? -1 : 1));
    main.querySelector(".running").hidden = running.length === 0;
    const ids = new Set(running.slice(0, mostCards).map((job) => job.id));
    for (const [id, card] of cards) {
      if (ids.has(id)) continue;
      card.remove();
      cards.delete(id);
    }
    for (const job of running.slice(0, mostCards)) {
      if (!cards.has(job.id)) {
        cards.set(job.id, make("li", "card"));
        list.append(cards.get(job.id));
      }
      fillCard(cards.get(job.id), job);
    }
  }

  const stop = listen((news) => { if (news.kind === "all" || news.kind === "jobs") show(); });
  show();
  followAll();
  return () => {
    stop();
    table.close();
  };
}

function matches(job, word) {
  job.text ??= [job.id, job.worker, job.error, job.stepName, job.filter, job.shown].join("\n").toLowerCase();
  return job.text.includes(word);
}

/** On a telephone a table has no heads to press. */
function orderChoice(main, table, columns) {
  const choice = main.querySelector(".sort select");
  for (const column of columns.filter((column) => column.sort)) choice.append(new Option(column.title, column.key));
  choice.value = table.order.key;
  choice.addEventListener("change", () => {
    table.setOrder({ key: choice.value, down: Boolean(columns.find((column) => column.key === choice.value).isDown) });
  });
  return choice;
}

const workerColumns = [
  { key: "state", title: "State", className: "status", sort: (worker) => ["busy", "halted", "idle", "silent", "offline"].indexOf(worker.state) },
  { key: "id", title: "Worker", className: "name", isName: true, sort: (worker) => worker.id },
  { key: "job", title: "Job", className: "job", sort: (worker) => worker.job },
  { key: "host", title: "Host", className: "worker", sort: (worker) => worker.host },
  { key: "topics", title: "Topics", className: "note", sort: (worker) => worker.topics.join(" ") },
  { key: "figures", title: "Load, memory, space", className: "figures", sort: (worker) => worker.load },
  { key: "seen", title: "Heard of", className: "when", isDown: true, sort: (worker) => worker.seen ?? worker.since },
];

function fillWorker([state, name, job, host, topics, figures, seen], worker) {
  state.replaceChildren(badge(worker.state));
  state.title = worker.note ? line(worker.note) : "";
  setText(name, line(worker.id) + (worker.note ? ` (${line(worker.note)})` : ""));
  if (worker.job) job.replaceChildren(jobLink(worker.job), worker.step === undefined ? "" : ` step ${worker.step + 1}`);
  else job.replaceChildren();
  setText(host, [worker.host, worker.version].filter(Boolean).map(line).join(", "));
  setText(topics, worker.topics.map(line).join(" "));
  topics.title = topics.textContent;
  setText(figures, [
    worker.load === undefined ? "" : worker.load.toFixed(2), worker.memory === undefined ? "" : bytes(worker.memory),
    worker.jobsFree === undefined ? "" : `${bytes(worker.jobsFree)} free`].filter(Boolean).join(" · "));
  const then = worker.seen ?? worker.since;
  if (then) seen.replaceChildren(time(then));
  else seen.replaceChildren();
}

export function showWorkers(main) {
  view("workers-view", main);
  const table = new Table(main.querySelector(".holder"), {
    label: "Workers", columns: workerColumns, key: (worker) => worker.id, fill: fillWorker, order: { key: "id", down: false },
    onOrder: (order) => { choice.value = order.key; },
  });
  const choice = orderChoice(main, table, workerColumns);
  const input = main.querySelector("input[type=search]");
  input.addEventListener("input", show);

  function show() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = store.workers.filter((worker) => {
      const text = [worker.id, worker.host, worker.job, worker.state, worker.note, ...worker.topics].join("\n").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const busy = store.workers.filter((worker) => worker.state === "busy").length;
    setText(main.querySelector(".count"), store.workers.length ? `${number(store.workers.length)}, ${number(busy)} busy` : "");
    // Only a broker tells of load and space.
    main.querySelector(".holder").classList.toggle("bare", store.workers.every((worker) => worker.load === undefined && worker.jobsFree === undefined));
    table.show(shown, store.workers.length ? "No worker matches." : "No worker is there.");
  }

  const stop = listen((news) => { if (news.kind === "workers" || news.kind === "all") show(); });
  show();
  followAll();
  return () => {
    stop();
    table.close();
  };
}
