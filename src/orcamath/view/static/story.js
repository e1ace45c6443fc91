// One problem's story: the line from its seed down as a tree, differences marked, then all that came of it.

import { api, el, link, markbox, pieces, pill, storyLink, text } from "./parts.js";

export async function story(main, { rest, signal }) {
  const found = await api("story", { id: rest[0] ?? "" }, signal);
  main.replaceChildren(el("article", { class: "only" },
    el("h1", {}, "Story of ", el("code", {}, found.focus.slice(0, 12))),
    el("p", { class: "soft" }, "From the seed down. ", el("ins", {}, "Underlined"), " is new beside what it was made of, ", el("del", {}, "struck"), " is gone. ", el("a", { href: link("records/calls", { q: "" }) }, "All model calls")),
    el("ul", { class: "tree" }, node(found.tree)),
    ...fate(found),
    el("h2", {}, "What do you think of it?"), markbox(found.focus, found.mark)));
}

function node(n) {
  const about = [pill(n.origin), n.round > 0 && pill(`round ${n.round}`), n.source && pill(n.source), n.target && pill(`asks for ${n.target}`), n.answer && pill(`${n.answer_from === "hidden_number" ? "hidden number" : "gold"} ${n.answer}`)];
  const others = n.children.filter((c) => !onLine(c)), line = n.children.filter(onLine);
  return el("li", {},
    el("div", { class: `card${n.is_focus ? " focus" : ""}` }, el("div", { class: "head" }, el("span", {}, about), n.is_focus ? el("strong", {}, "this problem") : storyLink(n.id, n.id.slice(0, 12))),
      pieces(n.pieces),
      n.options?.length > 0 && el("ol", { type: "A" }, n.options.map((o) => el("li", { dir: "auto" }, o))),
      n.suggestions?.length > 0 && el("details", { open: n.is_focus || line.length > 0 }, el("summary", {}, `Suggestions (${n.suggestions.length})`), el("ul", {}, n.suggestions.map((s) => el("li", { dir: "auto" }, s)))),
      n.calls?.length > 0 && el("details", {}, el("summary", { class: "soft" }, `Model calls that were shown this text (${n.calls.length})`), el("ul", {}, n.calls.map((c) => el("li", {}, el("a", { href: link("records/calls", { open: c.name }) }, c.head || "(empty)")))))),
    (line.length > 0 || others.length > 0) && el("ul", {}, line.map(node),
      others.length > 0 && el("li", {}, el("details", { open: n.is_focus }, el("summary", { class: "soft" }, `${line.length ? "also made of it" : "made of it"} (${others.length}${n.n_children > others.length + line.length ? ` of ${n.n_children}` : ""})`), el("ul", {}, others.map(node))))));
}

const onLine = (n) => n.is_focus || n.children.some(onLine);

function fate(found) {
  const parts = [];
  if (found.lessons.length) parts.push(el("h2", {}, "Solution"), ...found.lessons.map((x) => el("div", { class: "card" },
    el("div", { class: "head" }, el("span", {}, pill(x.verified, "verified by"), pill(`answer ${x.final_answer ?? "not found"}`), x.gold && pill(`known ${x.gold}`)), el("a", { href: link("records/lessons", { open: x.id }) }, x.id.slice(0, 12))), text(x.answer))));
  const yardsticks = new Map(found.exercises.map((x) => [x.stage, x]));
  for (const round of found.rounds) {
    const held = yardsticks.get(round.stage);
    const right = round.attempts.filter((a) => a.verdicts.some((v) => v.outcome === "agrees")).length;
    parts.push(el("h2", {}, round.stage, " ", el("span", { class: "soft" }, `${right} of ${round.attempts.length} agree${held ? `, held against ${held.reference} (${held.label === "teacher" ? "the teacher’s" : "known"})` : ""}`)),
      el("div", { class: "attempts" }, round.attempts.map((a) => el("div", { class: "card" },
        el("div", { class: "head" }, el("span", {}, a.verdicts.map((v) => pill(v.outcome, `${v.by} ${v.reason}`)), a.finish_reason === "length" && pill("cut off")), el("a", { href: link("records/attempts", { open: a.id }) }, `sample ${a.draw + 1}`)),
        text(a.text), a.verdicts.map((v) => el("p", { class: "soft" }, `${v.by}${v.reason ? `: ${v.reason}` : ""}`))))));
  }
  if (found.pairs.length) parts.push(el("h2", {}, "Preferences"), ...found.pairs.map((p) => el("details", { class: "card" },
    el("summary", {}, `${p.stage}: ${p.positives.length} × ${p.negatives.length}, ${p.pairs ? p.pairs.length : p.positives.length * p.negatives.length} pairs`),
    el("div", { class: "two" }, ["positives", "negatives"].map((side) => el("div", {}, el("h3", {}, side === "positives" ? "q+" : "q−"), p[side].map((r) => el("div", {}, pill(r.origin), r.multiplicity > 1 && pill(`× ${r.multiplicity}`), text(r.text)))))))));
  if (found.answers.length) parts.push(el("h2", {}, "As a benchmark problem"), el("div", { class: "attempts" }, found.answers.map((a) => el("div", { class: "card" },
    el("div", { class: "head" }, el("span", {}, pill(a.outcome), a.draw > 0 && pill(`sample ${a.draw}`)), el("span", { class: "soft" }, a.stage)), text(a.text), el("p", { class: "soft" }, `gold ${a.gold}, read ${a.final_answer ?? "nothing"}, by ${a.by}`)))));
  if (found.rejected.length) parts.push(el("h2", {}, "Rejected"), ...found.rejected.map((r) => el("div", { class: "card" }, el("p", {}, pill(r.reason), ` in ${r.stage}`, r.repeats && [", repeats ", storyLink(r.repeats, r.repeats.slice(0, 12))]), r.detail && el("p", { class: "soft", dir: "auto" }, r.detail), r.text && text(r.text))));
  return parts;
}
