// Which page is shown, the notices above it, and the login.

import { showJob } from "./job.js";
import { showJobs, showWorkers } from "./overview.js";
import { ask, listen, reopen, store } from "./store.js";
import { clean, line, make, setText, tick } from "./text.js";

const main = document.getElementById("main");
const notices = document.getElementById("notices");
const live = document.getElementById("live");
let leave = () => {};

/** Tells a change to those who do not see it; with `isShown` to all. */
function announce(text, isShown = false) {
  document.getElementById("announcer").textContent = clean(text);
  if (!isShown) return;
  const notice = make("p", "notice", clean(text));
  notices.append(notice);
  setTimeout(() => notice.remove(), 8000);
}

function route() {
  leave();
  leave = () => {};
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  const names = path.split("/").filter(Boolean);
  let page = "jobs";
  document.title = "Jobs";
  if (names[0] === "job" && names.length === 2) {
    page = "job";
    leave = showJob(main, decoded(names[1]), announce);
  } else if (names[0] === "workers") {
    page = "workers";
    document.title = "Workers";
    leave = showWorkers(main);
  } else {
    leave = showJobs(main, announce, new URLSearchParams(query));
  }
  document.body.dataset.page = page;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  window.scrollTo(0, 0);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What holds for the whole board: no worker takes a job, or something cannot be reached. */
const standing = new Map();
function stand(key, text, tone = "odd") {
  standing.get(key)?.remove();
  standing.delete(key);
  if (!text) return;
  const notice = make("p", `notice ${tone}`, text);
  standing.set(key, notice);
  notices.append(notice);
}

function showFacts() {
  const { facts } = store;
  setText(document.getElementById("volume"), line(facts.volume ?? ""));
  document.getElementById("volume").title = line(facts.volume ?? "");
  stand("halted", facts.halted && `No worker takes a job: KILLSWITCH is on the volume (${line(facts.halted)}). Running jobs finish.`);
  stand("problem", facts.problem && `The volume cannot be read: ${line(facts.problem)}`, "bad");
  stand("broker", facts.broker && !facts.broker.isConnected && `The broker cannot be reached: ${line(facts.broker.problem ?? "")}. Workers are shown as the volume knows them.`);
  stand("reading", facts.isComplete === false && "Reading the jobs on the volume…");
}

function setLive(state, text) {
  live.dataset.state = state;
  setText(document.getElementById("live-text"), text);
}

function login() {
  leave();
  leave = () => {};
  main.replaceChildren(document.getElementById("login-view").content.cloneNode(true));
  setLive("waiting", "Locked");
  const form = main.querySelector("form");
  const input = form.querySelector("input");
  input.focus();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(form.querySelector(".fault"), "");
    try {
      await ask("/login", { method: "POST", headers: { "Content-Type": "text/plain" }, body: input.value });
      route();
    } catch (error) {
      setText(form.querySelector(".fault"), error.message);
      input.select();
    }
  });
}

listen((news) => {
  switch (news.kind) {
    case "live": return setLive("live", "Live");
    case "lost":
      setLive("lost", "Not connected");
      return;
    case "gone": return setLive("waiting", "Gone");
    case "login": return login();
    case "facts": return showFacts();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const input = main.querySelector("input[type=search]");
  if (!input) return;
  event.preventDefault();
  input.focus();
  input.select();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
live.addEventListener("click", () => reopen());
window.addEventListener("hashchange", route);
setInterval(tick, 1000);
route();
