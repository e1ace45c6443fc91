// Every record: kinds, search, filters, order, pages, and one record whole beside its list.

import { api, count, el, failed, link, markbox, pill, storyLink, text } from "./parts.js";

const FACETS = ["origin", "source", "verified", "agreement", "outcome", "reason", "round", "stage", "model", "finish", "known", "mistake"];
const WORDS = {
  verified: "verified by", agreement: "samples that agree", round: "round", finish: "ended by", known: "yardstick",
  calls: "model calls", pairs: "preferences", answers: "benchmark answers", rejected: "rejects", rollouts: "online samples",
};
const ORDERS = { stored: "in stored order", newest: "last first", longest: "longest first", shortest: "shortest first" };
const PAGE = 50;
const SHOWN_IN_ROW = ["origin", "source", "verified", "agreement", "reason", "round", "stage", "finish", "mistake"];
// a filter's value where it stands alone
const spoken = (facet, value) => (facet === "round" ? `round ${value}` : facet === "agreement" && ["all", "some", "none"].includes(value) ? `${value} agree` : value === "length" ? "cut off" : value);

export async function records(main, { rest, asked, signal }) {
  const kind = rest[0] || "problems";
  const to = (change) => link(`records/${kind}`, { ...asked, ...change });
  const frame = main.querySelector(`[data-kind="${CSS.escape(kind)}"]`) ?? build(main, kind);
  frame.box.value = document.activeElement === frame.box ? frame.box.value : asked.q ?? "";
  frame.order.value = asked.order ?? "stored";
  frame.box.oninput = () => { clearTimeout(frame.timer); frame.timer = setTimeout(() => { location.replace(to({ q: frame.box.value, offset: undefined, open: undefined, nth: undefined })); }, 180); };
  frame.order.onchange = () => { location.hash = to({ order: frame.order.value, offset: undefined }); };
  kinds(frame.kinds, kind, asked, signal);
  const question = { kind, q: asked.q, order: asked.order, offset: asked.offset, problem: asked.problem, ...Object.fromEntries(FACETS.map((f) => [f, asked[f]])) };
  const key = JSON.stringify(question);
  if (frame.key !== key) {
    const found = await api("records", question, signal);
    frame.key = key;
    list(frame, found, asked, to);
    api("facets", question, signal).then((values) => filters(frame, values, asked, to)).catch(() => {});
  }
  frame.split.classList.toggle("open", Boolean(asked.open));
  frame.list.querySelectorAll("[data-row]").forEach((row) => {
    const here = row.dataset.name === asked.open && row.dataset.nth === (asked.nth ?? "0");
    if (here) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    row.href = to({ open: row.dataset.name, nth: row.dataset.nth === "0" ? undefined : row.dataset.nth });
  });
  if (!asked.open) { frame.detail.replaceChildren(); return; }
  try {
    const found = await api("record", { kind, name: asked.open, nth: asked.nth }, signal);
    frame.detail.replaceChildren(detail(kind, found, to({ open: undefined, nth: undefined })));
  } catch (error) {
    if (error.name !== "AbortError") frame.detail.replaceChildren(failed(error), el("a", { href: to({ open: undefined, nth: undefined }), dataset: { close: "" } }, "close"));
  }
}

function build(main, kind) {
  const frame = el("div", { dataset: { kind } });
  frame.kinds = el("ul", { class: "kinds" });
  frame.box = el("input", { type: "search", placeholder: "Search words, “a phrase”, or an id ( / )", "aria-label": `Search ${WORDS[kind] ?? kind}`, autocomplete: "off", spellcheck: "false" });
  frame.order = el("select", { "aria-label": "Order" }, Object.entries(ORDERS).map(([value, words]) => el("option", { value }, words)));
  frame.facets = el("aside", { class: "facets", "aria-label": "Filters" });
  frame.list = el("section", { class: "list", "aria-label": "Records" });
  frame.detail = el("section", { class: "detail", "aria-label": "Record" });
  frame.split = el("div", { class: "split" }, frame.facets, frame.list, frame.detail);
  frame.append(el("h1", {}, WORDS[kind] ?? kind), el("nav", { "aria-label": "Kinds of records" }, frame.kinds), el("div", { class: "find", role: "search" }, frame.box, frame.order), frame.split);
  main.replaceChildren(frame);
  return frame;
}

async function kinds(where, kind, asked, signal) {
  try {
    const { totals } = await api("live", {}, signal);
    where.replaceChildren(...Object.entries(totals).map(([name, n]) => el("li", {}, el("a", { href: link(`records/${name}`, { q: asked.q, problem: asked.problem }), "aria-current": name === kind ? "page" : undefined }, `${WORDS[name] ?? name} `, el("span", { class: "soft" }, count(n))))));
  } catch { /* the list itself says what is wrong */ }
}

function list(frame, found, asked, to) {
  const offset = Number(asked.offset ?? 0);
  const rows = found.rows.map((row) => {
    const line = row.question ? [el("span", { class: "line" }, row.head), el("span", { class: "line soft" }, row.question)] : [el("span", { class: "line" }, row.head)];
    const pills = [row.outcome && pill(row.outcome), row.mark && pill(row.mark, "marked"), ...SHOWN_IN_ROW.filter((f) => row[f] && asked[f] !== row[f] && row[f] !== "stop" && !(f === "round" && row[f] === "0")).map((f) => pill(spoken(f, row[f]), WORDS[f] ?? f))];
    return el("li", {}, el("a", { dataset: { row: row.id, name: row.name, nth: String(row.nth ?? 0) }, href: "#" }, line, el("span", { class: "about" }, pills, el("code", {}, row.name.slice(0, 12)), `${count(row.size)} characters`)));
  });
  const shown = found.rows.length ? `${count(offset + 1)} to ${count(offset + found.rows.length)} of ${found.more ? "more than " : ""}${count(found.n)}` : "nothing found";
  const turn = (words, which, start, on) => el("button", { type: "button", dataset: { page: which }, disabled: !on, onclick: () => { location.hash = to({ offset: start || undefined, open: undefined, nth: undefined }); } }, words);
  const pages = el("div", { class: "pages" }, turn("← previous", "previous", Math.max(0, offset - PAGE), offset > 0), turn("next →", "next", offset + PAGE, found.more || offset + PAGE < found.n), el("span", { class: "soft", role: "status" }, shown));
  frame.list.replaceChildren(pages, rows.length ? el("ul", { class: "rows" }, rows) : el("p", { class: "card" }, "No record matches. Filters and words are joined by “and”."));
}

function filters(frame, values, asked, to) {
  const groups = FACETS.filter((f) => values[f]?.length > 1 || asked[f]).map((facet) => el("fieldset", {}, el("legend", {}, WORDS[facet] ?? facet),
    (values[facet] ?? []).slice(0, 14).map(([value, n]) => {
      const on = asked[facet] === value;
      return el("button", { type: "button", "aria-pressed": String(on), title: value, onclick: () => { location.hash = to({ [facet]: on ? undefined : value, offset: undefined, open: undefined, nth: undefined }); } }, el("span", {}, value), el("span", {}, count(n)));
    })));
  const chosen = FACETS.filter((f) => asked[f]);
  frame.facets.replaceChildren(
    el("button", { type: "button", class: "fold", "aria-expanded": "false", onclick: (e) => { const on = frame.facets.classList.toggle("shown"); e.currentTarget.setAttribute("aria-expanded", String(on)); } }, el("span", {}, `Filters${chosen.length ? ` (${chosen.length})` : ""}`), el("span", {}, "▾")),
    el("div", { class: "groups" }, (chosen.length > 0 || asked.problem) && el("p", {}, el("a", { href: link(`records/${frame.dataset.kind}`, { q: asked.q }) }, "clear all filters")), groups));
}

// texts first, as they were written; the rest as a table of facts
const TEXTS = ["question", "reference", "solution", "answer", "text", "reply", "reasoning", "detail"];
const HIDDEN = new Set([...TEXTS, "verdicts", "prompt", "positives", "negatives", "held_by", "pairs"]);

function detail(kind, found, close) {
  const record = found.record;
  const problem = record.problem_id ?? (kind === "problems" ? record.id : kind === "rejected" ? record.item : undefined);
  const facts = Object.entries(record).filter(([k, v]) => !HIDDEN.has(k) && v !== null && v !== "" && !(Array.isArray(v) && !v.length));
  const id = record.id ?? record.key ?? record.attempt_id ?? record.problem_id ?? record.item;
  return el("article", { class: "card" },
    el("div", { class: "head" }, el("h2", {}, (WORDS[kind] ?? kind).replace(/s$/, ""), " ", el("code", {}, String(id).slice(0, 12))),
      el("div", { class: "tools" }, problem && el("a", { href: link(`story/${encodeURIComponent(problem)}`), dataset: { story: "" } }, "story (s)"), el("a", { href: `raw/${found.row}`, target: "_blank", rel: "noopener" }, "as text"), el("a", { href: close, dataset: { close: "" } }, "close (Esc)"))),
    record.outcome && el("p", {}, pill(record.outcome), " ", record.by),
    (record.verdicts ?? []).map((v) => el("p", {}, pill(v.outcome), `${v.by}${v.reason ? `: ${v.reason}` : ""}, ${v.stage}`)),
    found.question && [el("h3", {}, "question"), text(found.question, true)],
    (record.prompt ?? []).map((m) => [el("h3", {}, m.role), text(m.content)]),
    TEXTS.filter((t) => record[t] !== undefined && record[t] !== null && record[t] !== "").map((t) => [el("h3", {}, t), text(record[t], t === "question")]),
    ["positives", "negatives"].filter((side) => record[side]).map((side) => [el("h3", {}, side === "positives" ? `q+ (${record[side].length})` : `q− (${record[side].length})`),
      record[side].map((r) => el("div", {}, el("p", {}, pill(r.origin), r.multiplicity > 1 && pill(`× ${r.multiplicity}`), !r.finished && pill("cut off")), text(r.text)))]),
    el("dl", { class: "facts" }, facts.map(([k, v]) => [el("dt", {}, k.replaceAll("_", " ")), el("dd", {}, value(k, v))]),
      record.held_by?.length > 1 && [el("dt", {}, "held by"), el("dd", {}, record.held_by.join(", "))]),
    markbox(found.mark_id, found.mark));
}

function value(name, v) {
  if (name === "parents") return v.map((p) => [storyLink(p, p.slice(0, 12)), " "]);
  if (["problem_id", "item", "repeats"].includes(name)) return storyLink(v, v);
  if (name === "attempt_id") return el("a", { href: link("records/attempts", { open: v }) }, v);
  return typeof v === "object" ? JSON.stringify(v) : String(v);
}
