// Two students on the same problems: how sure the difference is, and what was gained and lost with both answers.

import { api, count, el, failed, interval, link, percent, pill, storyLink, text } from "./parts.js";

export async function comparison(main, { asked, signal }) {
  const students = await api("students", {}, signal);
  if (students.length < 2) { main.replaceChildren(el("h1", {}, "Compare"), el("p", { class: "card" }, "No two students were measured yet.")); return; }
  const first = asked.first ?? students[0].key, second = asked.second ?? students[students.length > 2 ? 2 : 1].key;
  const side = asked.side === "lost" ? "lost" : "gained";
  const choose = (which, chosen) => el("label", {}, which === "first" ? "From " : "to ", el("select", { name: which, onchange: (e) => { location.hash = link("compare", { ...asked, first, second, [which]: e.target.value }); } },
    students.map((s) => el("option", { value: s.key, selected: s.key === chosen }, `${s.run}: ${s.arm || "base"} · ${s.name}`))));
  const body = el("div");
  main.replaceChildren(el("h1", {}, "Compare"), el("div", { class: "find" }, choose("first", first), choose("second", second), el("a", { href: link("compare", { first: second, second: first, side }) }, "⇄ swap")), body);
  try {
    const found = await api("compare", { first, second }, signal);
    body.replaceChildren(...found.benchmarks.map((b) => board(b, { first, second, side })));
  } catch (error) {
    if (error.name !== "AbortError") body.replaceChildren(failed(error));
  }
}

function board(b, { first, second, side }) {
  const verdict = b.better ? "better" : b.worse ? "worse" : "no difference is shown";
  const tab = (which, words) => el("button", { type: "button", "aria-pressed": String(which === side), onclick: () => { location.hash = link("compare", { first, second, side: which }); } }, words);
  return el("section", {},
    el("h2", {}, `${b.benchmark}: ${count(b.n)} problems that both answered${b.families < b.n ? `, of ${count(b.families)} families` : ""}`),
    el("dl", { class: "figures" },
      figure("first right", `${count(b.first_right)}, ${percent(b.first_right / b.n)} %`), figure("second right", `${count(b.second_right)}, ${percent(b.second_right / b.n)} %`),
      figure("difference, points [95 %, paired]", interval(b.difference, true)), figure("McNemar’s p", b.p < 0.001 ? "< 0.001" : b.p.toFixed(3)), figure("verdict", verdict)),
    el("p", {}, tab("gained", `gained ${count(b.n_gained)}`), " ", tab("lost", `lost ${count(b.n_lost)}`), " ", el("span", { class: "soft" }, `both right ${count(b.both)}; greedy answers; a difference is shown only where the interval excludes zero`)),
    b[side].map((flip) => el("details", { class: "card" },
      el("summary", {}, el("bdi", {}, flip.question || flip.problem)),
      el("p", { class: "soft" }, `gold ${flip.gold} · `, storyLink(flip.problem)),
      el("div", { class: "two" }, ["first", "second"].map((who) => el("div", {}, el("p", {}, who, " ", pill(flip[who].outcome), ` read ${flip[who].final_answer ?? "nothing"}`), text(flip[who].text)))))),
    b[side].length === 0 && el("p", { class: "card" }, `Nothing was ${side}.`),
    b[`n_${side}`] > b[side].length && el("p", { class: "soft" }, `the first ${count(b[side].length)} are shown`));
}

function figure(words, value) {
  return el("div", {}, el("dt", {}, words), el("dd", {}, value));
}
