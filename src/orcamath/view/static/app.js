// Which view an address shows, and the keys. The address is the state: links, the back button and reloads need nothing else.

import { api, el, failed, link, pill } from "./parts.js";
import { live } from "./live.js";
import { records } from "./records.js";
import { story } from "./story.js";
import { comparison } from "./compare.js";
import { suspicious } from "./doubts.js";

const TABS = [["live", "Live"], ["records/problems", "Records"], ["compare", "Compare"], ["doubts/teacher", "Suspicious"]];
const VIEWS = { live, records, story, compare: comparison, doubts: suspicious };
const main = document.getElementById("main");
let leave = () => {};

export function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").map(decodeURIComponent);
  return { view: view || "live", rest, asked: Object.fromEntries(new URLSearchParams(query)) };
}

let shownView = "";
async function show() {
  const { view, rest, asked } = address();
  const draw = VIEWS[view] ?? live;
  leave();
  const abort = new AbortController();
  leave = () => abort.abort();
  document.querySelectorAll("#tabs a").forEach((a) => {
    if (a.dataset.view === view) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  });
  const other = shownView !== view;
  shownView = view;
  if (other) { main.replaceChildren(); window.scrollTo(0, 0); }
  try {
    await draw(main, { rest, asked, signal: abort.signal });
  } catch (error) {
    if (error.name !== "AbortError") main.replaceChildren(failed(error));
  }
}

function tabs() {
  document.getElementById("tabs").replaceChildren(
    ...TABS.map(([path, words]) => el("li", {}, el("a", { href: link(path), dataset: { view: path.split("/")[0] } }, words))),
    el("li", { id: "report-tab", hidden: true }, el("a", { href: "report.html", target: "_blank", rel: "noopener" }, "Report ↗")));
}

// the run's name and state stand above every view
async function standing() {
  try {
    const found = await api("live");
    document.getElementById("run").textContent = found.name;
    document.title = `${found.name} · orcamath viewer`;
    document.getElementById("pill").replaceChildren(pill(found.stands, "the run is"));
    document.getElementById("report-tab").hidden = !found.report;
    document.getElementById("said").textContent = found.index.parts_left ? `Indexing: ${found.index.parts_left} tables to go; lists and search fill up meanwhile.` : "";
    setTimeout(standing, found.stands === "running" || found.index.parts_left ? 4000 : 20000);
  } catch (error) {
    const gone = error instanceof TypeError; // so `fetch` says that nobody is there
    document.getElementById("said").textContent = gone ? "The viewer’s server does not answer; was it ended?" : error.message;
    setTimeout(standing, 5000);
  }
}

function key(event) {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (event.key === "Escape" && typing && !event.target.closest("dialog")) { event.target.blur(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const press = (selector) => { const found = document.querySelector(selector); if (found) { event.preventDefault(); found.click(); } };
  if (event.key === "?") document.getElementById("help").showModal();
  else if ("1234".includes(event.key)) location.hash = link(TABS[Number(event.key) - 1][0]);
  else if (event.key === "/") { const box = document.querySelector("input[type=search]"); if (box) { event.preventDefault(); box.focus(); box.select(); } }
  else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "n") press("[data-page=next]:not(:disabled)");
  else if (event.key === "p") press("[data-page=previous]:not(:disabled)");
  else if (event.key === "s") press("[data-story]");
  else if (event.key === "g" || event.key === "b") press(`.detail [data-mark=${event.key === "g" ? "good" : "bad"}], .only [data-mark=${event.key === "g" ? "good" : "bad"}]`);
  else if (event.key === "Escape") press("[data-close]");
}

function move(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row === document.activeElement || row.hasAttribute("aria-current"));
  const focused = rows.indexOf(document.activeElement);
  const next = rows[Math.max(0, Math.min(rows.length - 1, (focused >= 0 ? focused : at) + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  if (document.querySelector(".split.open")) next.click();
}

document.getElementById("help-open").addEventListener("click", () => document.getElementById("help").showModal());
document.addEventListener("keydown", key);
window.addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
tabs();
standing();
show();
