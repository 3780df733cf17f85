// The page of one job.

import { Log } from "./log.js";
import { ask, followJob, job as jobOf, listen } from "./store.js";
import { Table } from "./table.js";
import { badge, bytes, clean, duration, line, make, number, setText, time } from "./text.js";

export function showJob(main, id, announce) {
  main.replaceChildren(document.getElementById("job-view").content.cloneNode(true));
  const find = (selector) => main.querySelector(selector);
  const base = `/api/jobs/${encodeURIComponent(id)}`;
  setText(find("h1"), clean(id));
  let page = null;
  let job = null;
  /** The step whose log is shown, and whether the reader chose it. */
  let step = null;
  let isChosen = false;
  let offset = 0;
  let wasState = null;

  const log = new Log(find(".log"), { onEdge: (isAtEnd) => { find(".follow").hidden = isAtEnd; } });
  find(".follow").addEventListener("click", () => log.follow());
  find(".wrap").addEventListener("click", (event) => {
    const isOn = find(".log").classList.toggle("wide");
    event.target.setAttribute("aria-pressed", String(!isOn));
  });
  find(".earlier").addEventListener("click", earlier);

  const fileTable = new Table(find(".files .holder"), {
    label: "Artifacts", key: (file) => file.name, order: { key: "name", down: false },
    columns: [
      { key: "name", title: "File", className: "name", isName: true, sort: (file) => file.name },
      { key: "size", title: "Size", className: "took", isDown: true, sort: (file) => file.size },
      { key: "change", title: "Change", className: "status", sort: (file) => file.change },
      { key: "mode", title: "Mode", className: "worker", sort: (file) => file.mode },
    ],
    fill: ([name, size, change, mode], file) => {
      if (file.path === null) {
        name.replaceChildren(`${clean(file.name)} (its name is not UTF-8: open it on the volume)`);
      } else {
        const link = make("a", "", clean(file.name));
        link.href = `${base}/files?path=${encodeURIComponent(file.path)}`;
        link.download = "";
        name.replaceChildren(link);
      }
      setText(size, bytes(file.size));
      setText(change, file.change);
      setText(mode, file.mode);
    },
  });
  find(".files input").addEventListener("input", showFiles);

  function showFiles() {
    const word = find(".files input").value.toLowerCase();
    const artifacts = page.result?.artifacts ?? [];
    const files = artifacts.map((artifact) => ({
      name: artifact.path ?? atob(artifact.pathBase64 ?? ""),
      path: artifact.storedAs ?? (artifact.storedAsBase64 ? null : artifact.path ?? null),
      size: artifact.size, change: line(artifact.change), mode: line(artifact.mode),
    }));
    find(".files").hidden = files.length === 0;
    const total = page.counts.artifacts ?? 0;
    setText(find(".files .count"), total > files.length ? `the first ${number(files.length)} of ${number(total)}` : number(total));
    fileTable.show(files.filter((file) => file.name.toLowerCase().includes(word)), "No artifact matches.");
  }

  // MARK: The job

  function take(news) {
    page = news;
    job = jobOf(news.row);
    badge(job.shown, find(".head .badge"));
    document.title = `${clean(id)}: ${find(".head .badge").textContent}`;
    if (wasState !== null && wasState !== job.shown) announce(`${id}: ${find(".head .badge").textContent}`);
    wasState = job.shown;
    find(".cancel").hidden = !page.mayCancel;
    const why = page.problem ?? page.result?.error ?? job.error;
    find(".why").hidden = !why;
    if (why) setText(find(".why"), clean(why));
    showFacts();
    showSteps();
    showFiles();
    showRest();
  }

  function showFacts() {
    const { result } = page;
    const timing = result?.timing;
    const at = (text) => Number.isNaN(Date.parse(text)) ? line(text) : time(Date.parse(text));
    const elapsed = make("span");
    if (job.state === "running" && job.since) {
      elapsed.dataset.since = job.since;
      setText(elapsed, duration(Math.floor((Date.now() - job.since) / 1000) * 1000));
    }
    const memory = result?.usage ? `${duration(result.usage.userMs + result.usage.systemMs)} CPU, ${bytes(result.usage.maxRssBytes)} at most` : null;
    const facts = [
      ["Worker", job.worker && line(job.worker)],
      ["Host", result?.host && line(result.host) + (result.workerVersion ? `, version ${line(result.workerVersion)}` : "")],
      ["Attempt", job.attempt && String(job.attempt)],
      ["Started", timing ? at(timing.start) : job.state === "running" && job.since ? time(job.since) : null],
      ["Ended", timing ? at(timing.end) : null],
      [job.state === "running" ? "Runs for" : "Took", timing ? duration(timing.durationMs) : elapsed.textContent ? elapsed : null],
      ["Of that", timing && timing.stageMs !== undefined ? `${duration(timing.stageMs)} staging, ${duration(timing.runMs ?? 0)} running, ${duration(timing.syncMs ?? 0)} copying back` : null],
      ["Exit code", result && result.exitCode !== null && result.exitCode !== undefined ? String(result.exitCode) : null],
      ["Reason", result?.reason && line(result.reason)],
      ["Used", memory],
      ["Memory", result?.outOfMemory ? "ran out; the kernel ended a process" : null],
      ["Waits since", job.state !== "running" && job.state !== "finished" && job.since ? time(job.since) : null],
      ["For workers of", job.filter && job.state !== "finished" ? line(job.filter) : null],
      ["Result", job.isUndelivered ? "not delivered: the broker refused it; it is tried again" : null],
    ];
    const list = find(".facts");
    list.replaceChildren(...facts.filter(([, value]) => value).map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
  }

  /** The steps of the result, or of what is known of a job without one. */
  function steps() {
    if (page.result) return page.result.steps;
    const count = Math.max(page.outline.length, ...page.logs.map((index) => index + 1), 0);
    return Array.from({ length: Math.min(count, 1000) }, (_, index) => ({
      index, name: page.outline[index],
      status: job.state !== "running" || job.step === null || index > job.step ? "waiting" : index === job.step ? "running" : "ended",
    }));
  }

  function showSteps() {
    const list = find(".steps ol");
    const all = steps();
    find(".steps .none").hidden = all.length > 0;
    while (list.childElementCount > all.length) list.lastChild.remove();
    all.forEach((one, index) => {
      let row = list.children[index];
      if (row === undefined) {
        row = make("li", "", make("button", "step", make("span", "mark"), make("span", "title"), make("span", "facts"), make("span", "time")));
        row.firstChild.addEventListener("click", () => choose(index));
        list.append(row);
      }
      const button = row.firstChild;
      badge(one.status, button.children[0]);
      const name = line(one.name ?? one.command ?? `step ${index}`);
      setText(button.children[1], name);
      button.children[1].title = one.command ? clean(one.command) : name;
      setText(button.children[2], [
        one.exitCode ? `exit ${one.exitCode}` : "", one.signal ? line(one.signal) : "", one.tries > 1 ? `try ${one.tries}` : "",
        one.timedOut ? "timed out" : "", one.usage ? bytes(one.usage.maxRssBytes) : ""].filter(Boolean).join(" · "));
      setText(button.children[3], one.durationMs === undefined ? "" : one.status === "skipped" ? "" : duration(one.durationMs));
      button.disabled = !page.logs.includes(index);
      button.setAttribute("aria-current", String(index === step));
    });
  }

  // MARK: The log

  function choose(index) {
    // The latest step of a running job is followed to the next one.
    isChosen = !(job.state === "running" && index === Math.max(...page.logs));
    follow(isChosen ? index : null);
  }

  function follow(index) {
    step = index;
    log.clear();
    find(".earlier").hidden = true;
    followJob(`${base}/events${index === null ? "" : `?step=${index}`}`, base, {
      job: (news) => {
        take(news);
        chooseFailed();
      },
      log: add,
    });
    if (page) showSteps();
  }

  /** Of a job that has failed, the log of the failed step is shown first. */
  function chooseFailed() {
    if (isChosen || !page.result) return;
    const failed = page.result.steps.find((one) => !["success", "skipped"].includes(one.status) && page.logs.includes(one.index));
    if (failed === undefined || failed.index === step) return;
    if (step !== null && step > failed.index && job.state === "running") return;
    isChosen = true;
    if (failed.index !== Math.max(...page.logs)) follow(failed.index);
  }

  function add(news) {
    if (news.isFirst || news.step !== step) {
      log.clear();
      step = news.step;
      offset = news.offset;
      find(".earlier").hidden = offset === 0;
      if (page) showSteps();
    }
    log.add(news.text);
    setText(find(".output .count"), line(page?.result?.steps[step]?.name ?? page?.outline[step] ?? `step ${step}`));
    const save = find(".save");
    save.hidden = false;
    save.href = `${base}/files?path=step_${step}.log`;
  }

  async function earlier() {
    try {
      const news = await ask(`${base}/logs/${step}?before=${offset}`);
      if (news.step !== step) return;
      offset = news.offset;
      log.addBefore(news.text);
      find(".earlier").hidden = offset === 0 || news.text === "";
    } catch (error) {
      announce(error.message);
    }
  }

  // MARK: The rest

  function showRest() {
    const outputs = Object.entries(page.result?.outputs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    find(".outputs").hidden = outputs.length === 0;
    find(".outputs dl").replaceChildren(...outputs.map(([name, value]) => make("div", "", make("dt", "", line(name)), make("dd", "", clean(value)))));
    const path = (entry) => typeof entry === "string" ? line(entry) : entry.path !== undefined ? line(entry.path) : "a name that is not UTF-8";
    const lists = [
      ["Caches", (page.result?.caches ?? []).map((cache) => `${line(cache.key)}: ${line(cache.hit)}, ${bytes(cache.bytes ?? 0)}`), 0],
      ["Deleted files", (page.result?.deleted ?? []).map(path), page.counts.deleted],
      ["Not copied", (page.result?.skipped ?? []).map((entry) => `${path(entry)}: ${line(entry.reason)}`), page.counts.skipped],
    ];
    find(".more").replaceChildren(...lists.filter(([, entries]) => entries.length > 0).map(([title, entries, count]) => {
      const rest = count > entries.length ? ` (the first ${number(entries.length)})` : "";
      return make("details", "", make("summary", "", `${title}: ${number(Math.max(count, entries.length))}${rest}`), make("ul", "", ...entries.map((entry) => make("li", "", entry))));
    }), ...(page.result || page.problem ? [resultLink()] : []));
  }

  function resultLink() {
    const link = make("a", "", "Save result.json");
    link.href = `${base}/files?path=result.json`;
    link.download = "";
    return make("p", "", link);
  }

  const dialog = find("dialog");
  find(".cancel").addEventListener("click", () => dialog.showModal());
  find(".no").addEventListener("click", () => dialog.close());
  find(".yes").addEventListener("click", async () => {
    dialog.close();
    try {
      announce((await ask(`${base}/cancel`, { method: "POST" })).message, true);
    } catch (error) {
      announce(error.message, true);
    }
  });

  const stop = listen((news) => {
    if (news.kind !== "gone") return;
    find(".why").hidden = false;
    setText(find(".why"), clean(news.message));
    find(".cancel").hidden = true;
    announce(news.message);
  });
  follow(null);
  return () => {
    stop();
    fileTable.close();
  };
}
