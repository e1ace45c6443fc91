// How the run stands: every arm's stages side by side, what is under way, money, scores, warnings, the newest model calls.

import { api, count, duration, el, interval, money, percent, pill, text } from "./parts.js";

const SIGNS = { done: "✓", shared: "↺", now: "▶", "to come": "○" };

export async function live(main, { signal }) {
  while (!signal.aborted) {
    const found = await api("live", {}, signal);
    const open = [...main.querySelectorAll("details[open]")].map((d) => d.dataset.key);
    main.replaceChildren(...page(found));
    main.querySelectorAll("details").forEach((d) => { if (open.includes(d.dataset.key)) d.open = true; });
    await new Promise((resolve) => { setTimeout(resolve, found.stands === "running" ? 2000 : 15000); signal.addEventListener("abort", resolve); });
  }
}

function page(found) {
  const spent = found.money.cap === null ? money(found.money.spent) : `${money(found.money.spent)} of ${money(found.money.cap)}`;
  const seconds = found.arms.flatMap((a) => a.stages).filter((s) => s.stands === "done").reduce((sum, s) => sum + s.seconds, 0);
  const done = found.arms.flatMap((a) => a.stages).filter((s) => s.stands === "done").length;
  const left = found.arms.flatMap((a) => a.stages).filter((s) => ["now", "to come"].includes(s.stands)).length;
  return [
    el("h1", {}, found.name, " ", pill(found.stands, "the run is")),
    found.about && el("details", { dataset: { key: "about" } }, el("summary", { class: "soft" }, "About this run"), el("p", { dir: "auto" }, found.about)),
    found.why && el("p", { class: "card error", role: "alert" }, found.why),
    !["done", "running"].includes(found.stands) && el("p", {}, "To go on: ", el("code", {}, found.command)),
    el("dl", { class: "figures" },
      figure("stages done", left ? `${count(done)}, ${count(left)} to go` : count(done)),
      figure("spent on models", spent),
      figure("time in stages", duration(seconds)),
      ...Object.entries(found.totals).filter(([, n]) => n).slice(0, 4).map(([kind, n]) => figure(kind, count(n)))),
    el("h2", {}, found.arms.length > 1 ? "The run and its arms" : "Stages"),
    el("div", { class: "arms" }, found.arms.map(arm)),
    ...scores(found.scores),
    found.latest.length > 0 && el("section", {}, el("h2", {}, "Newest model calls"), found.latest.map((call) =>
      el("div", { class: "card" }, el("p", { class: "soft" }, call.model), el("div", { class: "two" }, text(call.asked), text(call.reply))))),
  ].filter(Boolean);
}

function figure(words, value) {
  return el("div", {}, el("dt", {}, words), el("dd", {}, value));
}

function arm(a) {
  const shared = a.stages.filter((s) => s.stands === "shared");
  const own = a.stages.filter((s) => s.stands !== "shared");
  const eta = a.left_s !== null ? `, about ${duration(a.left_s)} left` : "";
  return el("section", { class: "card", "aria-label": a.name || "the base" },
    el("div", { class: "head" }, el("h3", {}, el("bdi", {}, a.name || "the base")), pill(a.stands)),
    a.why && el("p", { class: "warning" }, a.why),
    a.what && el("div", { class: "pulse" }, el("progress", { "aria-label": a.what, max: a.total ?? undefined, value: a.total ? a.n : undefined })),
    a.what && el("p", { class: "soft" }, `${a.what}: ${count(a.n)}${a.total ? ` of ${count(a.total)}` : ""}${a.rate_s ? `, ${a.rate_s.toFixed(1)}/s` : ""}${eta}`),
    el("ul", { class: "stages" },
      shared.length > 0 && el("li", { class: "later" }, el("span", { "aria-hidden": true }, SIGNS.shared), el("span", {}, `shared: ${shared.map((s) => s.label).join(", ")}`), ""),
      own.map((s) => el("li", { class: s.stands === "now" ? "now" : s.stands === "to come" ? "later" : "" },
        el("span", { title: s.stands, role: "img", "aria-label": s.stands }, SIGNS[s.stands]), el("span", {}, s.label), el("span", { class: "time" }, s.seconds ? duration(s.seconds) : ""),
        s.made && el("span", { class: "soft" }, s.made + (s.rejected ? `, ${count(s.rejected)} rejected` : "")),
        s.warnings.map((w) => el("span", { class: "warning" }, `⚠ ${w}`))))));
}

function scores(rows) {
  if (!rows.length) return [];
  const low = Math.min(...rows.map((r) => r.score.low)), high = Math.max(...rows.map((r) => r.score.high));
  const at = (x) => `${(100 * (x - low)) / Math.max(high - low, 1e-9)}%`;
  const bar = (r) => {
    const line = el("i"), dot = el("b");
    line.style.left = at(r.score.low);
    line.style.width = `${(100 * (r.score.high - r.score.low)) / Math.max(high - low, 1e-9)}%`;
    dot.style.left = at(r.score.point);
    return el("div", { class: "bar", "aria-hidden": true }, line, dot);
  };
  return [
    el("h2", {}, "Scores"),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores" }, el("table", {},
      el("caption", {}, "Greedy, one model call an answer, 95 % intervals. ★: the paired interval of the difference excludes zero."),
      el("thead", {}, el("tr", {}, ...["student", "benchmark"].map((w) => el("th", { scope: "col" }, w)), el("th", { scope: "col", class: "n" }, "% right"), el("th", { scope: "col" }, el("span", { class: "soft" }, `${percent(low)} to ${percent(high)}`)), el("th", { scope: "col" }, "points over"), el("th", { scope: "col", class: "n" }, "tokens trained"))),
      el("tbody", {}, rows.map((r) => el("tr", {},
        el("th", { scope: "row" }, el("bdi", {}, r.name), ` · ${r.model}`), el("td", {}, `${r.benchmark}, ${count(r.n)}`), el("td", { class: "n" }, interval(r.score)), el("td", {}, bar(r)),
        el("td", {}, r.contrasts.map((c) => el("div", {}, `${c.against}: ${interval(c, true)}${c.sure ? " ★" : ""}`))), el("td", { class: "n" }, count(r.trained_tokens))))))),
  ];
}
