"use strict";
// The page's only script. What it shows comes from the data block, and reaches the page as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const text = data.texts;
const at = (id) => document.getElementById(id);
const STORED = `ptmlops-review:${data.run_id}:${data.version}`;
const SHORTCUTS = "ptmlops-review:shortcuts";
const LABEL = "label", NOT_A_COMPLAINT = "not a complaint", SKIPPED = "skipped";

// What the person did, in order: {row, kind, label}. Everything else follows from it.
let history = [];
let reopened = -1; // the row that was undone last
let canStore = true;
let saved = true; // whether every answer is in the browser's storage or in a file

const fill = (template, values) => template.replace(/{(\w+)}/g, (_, name) => values[name]);
const number = (value) => value.toLocaleString(data.language);
const named = (label) => (Object.hasOwn(data.names, label) ? data.names[label] : label);
const fold = (label) => label.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/\s+/g, " ").trim();

function element(tag, content, name) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (content !== undefined) made.textContent = content;
  return made;
}

// -- progress ---------------------------------------------------------------------------------------------------------

function load() {
  history = [];
  reopened = -1;
  try {
    const found = JSON.parse(localStorage.getItem(STORED) || "[]");
    const kinds = [LABEL, NOT_A_COMPLAINT, SKIPPED];
    const seen = new Set();
    for (const { row, kind, label } of found) {
      const known = Number.isInteger(row) && row in data.rows && !seen.has(row) && kinds.includes(kind);
      if (!known || (kind === LABEL && !(typeof label === "string" && label))) break;
      seen.add(row);
      history.push({ row, kind, label });
    }
  } catch {
    // Damaged or unreadable: begin anew. `save` finds out whether the storage works.
  }
}

function save() {
  try {
    localStorage.setItem(STORED, JSON.stringify(history));
    canStore = localStorage.getItem(STORED) !== null;
  } catch {
    canStore = false;
  }
  saved = canStore || !history.length;
  at("warning").hidden = canStore;
  at("warning").textContent = canStore ? "" : text.no_storage;
}

const answers = () => history.filter(({ kind }) => kind !== SKIPPED);

function current() {
  const seen = new Set(history.map(({ row }) => row));
  return reopened >= 0 ? reopened : data.rows.findIndex((_, row) => !seen.has(row));
}

function labels() {
  const added = history.filter(({ kind }) => kind === LABEL).map(({ label }) => label);
  return [...data.labels, ...new Set(added.filter((label) => !data.labels.includes(label)))];
}

// -- what is shown ----------------------------------------------------------------------------------------------------

function show(message, { focus = true } = {}) {
  const row = current();
  const skipped = history.length - answers().length;
  at("count").textContent = fill(skipped ? text.count_skipped : text.count, {
    n: number(answers().length), total: number(data.rows.length), skipped: number(skipped),
  });
  at("progress").value = answers().length;
  at("undo").disabled = !history.length;
  at("download").disabled = !answers().length;
  at("message").textContent = message;
  at("card").hidden = row < 0;
  at("end").hidden = row >= 0;
  if (row < 0) {
    at("summary").textContent = fill(text.summary, { n: number(answers().length), skipped: number(skipped) });
    at("again").hidden = !skipped;
  } else {
    showRow(row);
  }
  if (focus) {
    at(row < 0 ? "ended" : "heading").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function showRow(index) {
  const { id, parts, language, alternatives, terms, why } = data.rows[index];
  at("heading").textContent = fill(text.heading, { n: number(index + 1), total: number(data.rows.length) });
  at("facts").textContent = `${why} · ${id}`;
  at("text").lang = language;
  at("text").replaceChildren(...parts.map((part, place) => (place % 2 ? element("mark", part) : document.createTextNode(part))));
  at("terms").hidden = !terms.length;
  at("terms").textContent = fill(text.terms, { terms: terms.join(" · ") });
  at("alternatives").replaceChildren(...alternatives.map(([label, share], place) => {
    const button = choice(label, share);
    button.prepend(element("kbd", String(place + 1)));
    button.setAttribute("aria-keyshortcuts", String(place + 1));
    return button;
  }));
  at("search").value = "";
  search();
}

function choice(label, share) {
  const button = element("button");
  button.type = "button";
  button.append(element("span", named(label), "name"));
  if (share) button.append(element("span", share, "share"));
  button.addEventListener("click", () => answer(LABEL, label));
  return button;
}

// -- search -----------------------------------------------------------------------------------------------------------

const typed = () => at("search").value.replace(/\s+/g, " ").trim();

// A label is found by the name that the page shows, and by itself: some people know it from the files.
const spellings = (label) => [fold(named(label)), fold(label)];
const isSpelt = (label, wanted) => spellings(label).includes(wanted);

function matches() {
  const wanted = fold(typed());
  const found = labels().filter((label) => spellings(label).some((spelling) => spelling.includes(wanted)));
  // The label that is written out comes first, then those that begin with it.
  const rank = (label) => (isSpelt(label, wanted) ? 0 : spellings(label).some((spelling) => spelling.startsWith(wanted)) ? 1 : 2);
  return wanted ? found.sort((one, other) => rank(one) - rank(other)) : found;
}

const isNew = () => typed() && !labels().some((label) => isSpelt(label, fold(typed())));

function search() {
  const found = matches();
  const items = found.map((label) => choice(label));
  if (isNew()) {
    const button = choice(typed());
    button.firstChild.textContent = fill(text.new_label, { label: typed() });
    items.push(button);
  }
  at("hint").textContent = !typed() ? text.hint : found.length ? fill(text.hint_enter, { label: named(found[0]) }) : text.hint_new;
  at("found").replaceChildren(...items.map((button) => {
    const item = element("li");
    item.append(button);
    return item;
  }));
}

// -- what a person does -----------------------------------------------------------------------------------------------

function answer(kind, label) {
  const row = current();
  if (row < 0) return;
  history.push({ row, kind, label });
  reopened = -1;
  save();
  const said = { [LABEL]: text.said_label, [NOT_A_COMPLAINT]: text.said_none, [SKIPPED]: text.said_skipped }[kind];
  show(fill(said, { label: label === undefined ? "" : named(label) }));
}

function undo() {
  if (!history.length) return;
  const { row } = history.pop();
  reopened = row;
  save();
  show(fill(text.said_undo, { n: number(row + 1) }));
}

function lookAgain() {
  history = answers();
  reopened = -1;
  save();
  show("");
}

// A cell that a spreadsheet would compute gets a mark, as complaints_etl.spreadsheet.record writes it.
const formula = new RegExp(data.formula), plainNumber = new RegExp(data.number);
const inert = (cell) => (formula.test(cell) && !plainNumber.test(cell) ? data.mark + cell : cell);
const quoted = (cell) => (/[",;\t\r\n]|^ | $/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const record = (cells) => `${cells.map((cell) => quoted(inert(cell))).join(data.separator)}\r\n`;

function download() {
  if (!answers().length) return;
  const lines = answers().sort((one, other) => one.row - other.row).map(({ row, kind, label }) => {
    const { cells, parts } = data.rows[row];
    const written = kind === LABEL ? label : data.not_a_complaint;
    return record([...cells.map((cell) => (cell === null ? parts.join("") : cell)), written]);
  });
  const file = new Blob(["\ufeff", record(data.columns), ...lines], { type: "text/csv;charset=utf-8" });
  const link = element("a");
  link.href = URL.createObjectURL(file);
  link.download = `review-${data.run_id}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  saved = true;
  const isAdded = answers().some(({ kind, label }) => kind === LABEL && !data.labels.includes(label));
  const said = fill(text.said_download, { n: number(lines.length), file: link.download });
  at("message").textContent = isAdded ? `${said} ${text.said_download_new}` : said;
}

const KEYS = {
  u: undo, d: download, s: () => answer(SKIPPED), x: () => answer(NOT_A_COMPLAINT),
  "/": () => at("card").hidden || at("search").focus(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.target === at("search")) return;
  if (!at("shortcuts").checked) return;
  const button = /^[1-9]$/.test(event.key) && !at("card").hidden && at("alternatives").children[event.key - 1];
  const action = button ? () => button.click() : KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});

at("search").addEventListener("input", search);
at("search").addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && typed()) {
    event.preventDefault();
    answer(LABEL, matches()[0] || typed());
  } else if (event.key === "Escape") {
    event.preventDefault();
    at("search").value = "";
    search();
    at("heading").focus();
  } else if (event.key === "ArrowDown") {
    event.preventDefault();
    at("found").querySelector("button")?.focus();
  }
});
at("found").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...at("found").querySelectorAll("button")];
  (buttons[buttons.indexOf(document.activeElement) + step] || (step < 0 ? at("search") : buttons.at(-1))).focus();
});
at("undo").addEventListener("click", undo);
at("download").addEventListener("click", download);
at("none").addEventListener("click", () => answer(NOT_A_COMPLAINT));
at("skip").addEventListener("click", () => answer(SKIPPED));
at("again").addEventListener("click", lookAgain);
at("shortcuts").addEventListener("change", () => {
  try {
    localStorage.setItem(SHORTCUTS, at("shortcuts").checked ? "on" : "off");
  } catch {
    // It holds until the page is closed.
  }
});
addEventListener("storage", (event) => {
  // The same page in another tab: go on from its answers, or the next answer here would undo them.
  if (event.key !== STORED) return;
  load();
  show("", { focus: false });
});
addEventListener("beforeunload", (event) => {
  if (!saved) event.preventDefault();
});

load();
save();
try {
  at("shortcuts").checked = localStorage.getItem(SHORTCUTS) !== "off";
} catch {
  at("shortcuts").checked = true;
}
show(history.length ? text.said_loaded : "", { focus: false });
