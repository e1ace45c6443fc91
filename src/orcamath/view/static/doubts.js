// What deserves a second look, list by list, each item with a mark that a review can act on.

import { api, count, el, link, markbox, pieces, pill, storyLink, text } from "./parts.js";

export async function suspicious(main, { rest, signal }) {
  const lists = await api("lists", {}, signal);
  const name = rest[0] || lists[0].name;
  const about = lists.find((l) => l.name === name);
  const items = await api("doubts", { list: name }, signal);
  main.replaceChildren(
    el("h1", {}, "Suspicious"),
    el("nav", { "aria-label": "Lists" }, el("ul", { class: "kinds" }, lists.map((l) => el("li", {}, el("a", { href: link(`doubts/${l.name}`), "aria-current": l.name === name ? "page" : undefined }, l.title))))),
    el("p", { class: "soft" }, `${about?.about ?? ""} ${items.length ? `${count(items.length)}${items.length === 400 ? " and more" : ""}.` : ""} Marks go to marks.jsonl in the run folder.`),
    ...(items.length ? items.map(item) : [el("p", { class: "card" }, "Nothing here in this run.")]));
}

function item(found) {
  return el("details", { class: "card" },
    el("summary", { dataset: { row: found.id } }, found.mark && pill(found.mark.mark, "marked"), " ", el("strong", {}, found.what), " ", el("bdi", {}, found.question.slice(0, 160))),
    el("p", { class: "soft" }, el("code", {}, found.id), " · ", storyLink(found.problem)),
    text(found.question, true),
    found.pieces && pieces(found.pieces),
    found.texts.map(([who, words]) => [el("h3", {}, who), text(words)]),
    markbox(found.id, found.mark));
}
