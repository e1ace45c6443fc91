// Small parts that every view is made of. What models and files wrote enters the page as text nodes only, never as markup.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(made.dataset, value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return made;
}

export async function api(name, asked = {}, signal) {
  const query = new URLSearchParams(Object.entries(asked).filter(([, v]) => v !== undefined && v !== null && v !== ""));
  const answer = await fetch(`api/${name}?${query}`, { signal });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? answer.statusText);
  return found;
}

export async function post(name, body) {
  const answer = await fetch(`api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? answer.statusText);
  return found;
}

export const count = (n) => Number(n).toLocaleString("en-US");
export const percent = (share, signed = false) => `${signed && share > 0 ? "+" : ""}${(100 * share).toFixed(1)}`.replace("-", "−");
export const interval = (x, signed = false) => `${percent(x.point, signed)} [${percent(x.low, signed)}, ${percent(x.high, signed)}]`;
export function money(usd) {
  const digits = usd >= 1 || Math.round(usd * 1e4) % 100 === 0 ? 2 : 4; // as `dollars` in text/money.py
  return `$${Number(usd).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

export function duration(seconds) {
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// an address below `#`: path and question, `link("records/problems", {q: "apples"})`
export function link(path, asked = {}) {
  const query = new URLSearchParams(Object.entries(asked).filter(([, v]) => v !== undefined && v !== null && v !== ""));
  return `#/${path}${query.size ? `?${query}` : ""}`;
}

const TONES = { agrees: "good", disagrees: "bad", unjudged: "now", good: "good", bad: "bad", running: "now", failed: "bad", gone: "bad" };
const SIGNS = { agrees: "✓ ", disagrees: "✗ ", unjudged: "? ", good: "✓ ", bad: "✗ " };

export function pill(words, about) {
  return el("span", { class: `pill ${TONES[words] ?? ""}`, title: about ? `${about}: ${words}` : words, dir: "auto" }, (SIGNS[words] ?? "") + words);
}

export function text(words, plain = false) {
  return el(plain ? "div" : "pre", { class: plain ? "text" : "", dir: "auto", tabindex: !plain && String(words).length > 2000 ? 0 : undefined }, words);
}

export function pieces(parts) {
  const tags = { same: "span", new: "ins", gone: "del" };
  return el("div", { class: "text", dir: "auto" }, parts.map(([what, words]) => el(tags[what] ?? "span", {}, words)));
}

export function failed(error) {
  return el("p", { class: "card error", role: "alert" }, error.message);
}

export const storyLink = (id, words = "story") => el("a", { href: link(`story/${encodeURIComponent(id)}`) }, words);

// good or bad, with a note; the server keeps it before the page shows it
export function markbox(id, mark) {
  const note = el("textarea", { "aria-label": "Note", placeholder: "Note (optional)", maxlength: 4000 });
  note.value = mark?.note ?? "";
  const state = el("span", { class: "soft", role: "status" }, mark ? `marked ${mark.mark}` : "");
  const buttons = ["good", "bad"].map((which) =>
    el("button", { type: "button", "aria-pressed": String(mark?.mark === which), dataset: { mark: which }, onclick: () => send(which) }, which === "good" ? "✓ good" : "✗ bad"));
  async function send(which) {
    try {
      const made = await post("mark", { id, mark: which, note: note.value });
      buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.mark === made.mark)));
      state.textContent = `marked ${made.mark}, kept in marks.jsonl`;
    } catch (error) { state.textContent = error.message; }
  }
  return el("div", { class: "mark" }, el("div", { class: "row" }, buttons, state), note);
}
