"use strict";
// The page's only script. What it shows comes from the data block, and reaches the page as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const text = data.texts;
const at = (id) => document.getElementById(id);
const STORED = `ptmlops-review:${data.run_id}:${data.version}`;
const SHORTCUTS = "ptmlops-review:shortcuts";
// What can be done with a row. KEPT: a label to check is right, so the download has no row of it.
const LABEL = "label", KEPT = "kept", NOT_A_COMPLAINT = "not a complaint", SKIPPED = "skipped";

// Each list has its progress:
// history: what the person did, in order: {row, kind, label}. Everything else follows from it.
// reopened: the row that was undone last, or -1.
const newList = (name, rows, texts) => ({ name, rows, texts, stored: `${STORED}${name === "rows" ? "" : `:${name}`}`, history: [], reopened: -1 });
const all = [
  newList("rows", data.rows, {
    title: text.title, heading: text.heading, question: text.question, none: text.said_none, undone: text.said_undo,
    ended: text.ended,
  }),
  newList("checks", data.checks, {
    title: text.checks_title, heading: text.checks_heading, question: text.checks_question, none: text.checks_none,
    undone: text.checks_undo, ended: text.checks_ended,
  }),
];
const lists = all.some(({ rows }) => rows.length) ? all.filter(({ rows }) => rows.length) : all.slice(0, 1);
let list = lists[0]; // the one that is shown
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

function load(one) {
  one.history = [];
  one.reopened = -1;
  try {
    const found = JSON.parse(localStorage.getItem(one.stored) || "[]");
    const kinds = one.name === "checks" ? [LABEL, KEPT, NOT_A_COMPLAINT, SKIPPED] : [LABEL, NOT_A_COMPLAINT, SKIPPED];
    const seen = new Set();
    for (const { row, kind, label } of found) {
      const known = Number.isInteger(row) && row in one.rows && !seen.has(row) && kinds.includes(kind);
      if (!known || (kind === LABEL && !(typeof label === "string" && label))) break;
      seen.add(row);
      one.history.push({ row, kind, label });
    }
  } catch {
    // Damaged or unreadable: begin anew. `save` finds out whether the storage works.
  }
}

function save(one) {
  try {
    localStorage.setItem(one.stored, JSON.stringify(one.history));
    canStore = localStorage.getItem(one.stored) !== null;
  } catch {
    canStore = false;
  }
  saved = canStore || lists.every(({ history }) => !history.length);
  at("warning").hidden = canStore;
  at("warning").textContent = canStore ? "" : text.no_storage;
}

const answers = (one) => one.history.filter(({ kind }) => kind !== SKIPPED);

// The answers that the download has, in the order of the lists.
const written = () => lists.flatMap((one) => answers(one)
  .filter(({ kind }) => kind !== KEPT)
  .sort((first, second) => first.row - second.row)
  .map(({ row, kind, label }) => ({ ...one.rows[row], kind, label })));

function current(one) {
  const seen = new Set(one.history.map(({ row }) => row));
  return one.reopened >= 0 ? one.reopened : one.rows.findIndex((_, row) => !seen.has(row));
}

function labels() {
  const added = lists.flatMap(({ history }) => history.filter(({ kind }) => kind === LABEL).map(({ label }) => label));
  return [...data.labels, ...new Set(added.filter((label) => !data.labels.includes(label)))];
}

// -- what is shown ----------------------------------------------------------------------------------------------------

const counted = (one) => {
  const skipped = one.history.length - answers(one).length;
  return fill(skipped ? text.count_skipped : text.count, {
    n: number(answers(one).length), total: number(one.rows.length), skipped: number(skipped),
  });
};
const left = (one) => one.rows.length - answers(one).length;

function show(message, { focus = true } = {}) {
  const row = current(list);
  at("count").textContent = counted(list);
  at("progress").max = list.rows.length;
  at("progress").value = answers(list).length;
  at("undo").disabled = !list.history.length;
  at("download").disabled = !written().length;
  at("message").textContent = message;
  at("card").hidden = row < 0;
  at("end").hidden = row >= 0;
  if (lists.length > 1) showTabs();
  if (row < 0) {
    showEnd();
  } else {
    showRow(row);
  }
  if (focus) {
    at(row < 0 ? "ended" : "heading").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function showTabs() {
  for (const one of lists) {
    const tab = at(`tab-${one.name}`);
    tab.setAttribute("aria-selected", String(one === list));
    tab.tabIndex = one === list ? 0 : -1;
    tab.querySelector("span").textContent = `(${number(left(one))})`;
  }
  at("panel").setAttribute("aria-labelledby", `tab-${list.name}`);
}

function showEnd() {
  const skipped = list.history.length - answers(list).length;
  const kept = list.history.filter(({ kind }) => kind === KEPT).length;
  const summary = fill(text.summary, { n: number(answers(list).length), skipped: number(skipped) });
  at("ended").textContent = list.texts.ended;
  at("summary").textContent = [
    summary, kept ? fill(text.summary_kept, { n: number(kept) }) : "", written().length ? text.summary_download : "",
  ].filter(Boolean).join(" ");
  at("again").hidden = !skipped;
  const next = lists.find((one) => one !== list && current(one) >= 0);
  at("other").hidden = !next;
  at("other").textContent = next ? `${next.texts.title} (${number(left(next))})` : "";
}

function showRow(index) {
  const { id, parts, language, alternatives, terms, why } = list.rows[index];
  at("heading").textContent = fill(list.texts.heading, { n: number(index + 1), total: number(list.rows.length) });
  at("question").textContent = list.texts.question;
  at("facts").textContent = `${why} · ${id}`;
  at("text").lang = language;
  at("text").replaceChildren(...parts.map((part, place) => (place % 2 ? element("mark", part) : document.createTextNode(part))));
  at("terms").hidden = !terms.length;
  at("terms").textContent = fill(text.terms, { terms: terms.join(" · ") });
  at("alternatives").replaceChildren(...alternatives.map(([label, share], place) => {
    const button = choice(label, share);
    if (list.name === "checks") {
      button.firstChild.textContent = fill(place ? text.take : text.keep, { label: named(label) });
    }
    button.prepend(element("kbd", String(place + 1)));
    button.setAttribute("aria-keyshortcuts", String(place + 1));
    return button;
  }));
  at("search").value = "";
  search();
}

function select(one, { focus = true } = {}) {
  list = one;
  show(`${one.texts.title}: ${counted(one)}`, { focus });
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
  const row = current(list);
  if (row < 0) return;
  // The given label is kept, whichever way it was chosen.
  const isKept = list.name === "checks" && kind === LABEL && label === list.rows[row].alternatives[0][0];
  const done = isKept ? KEPT : kind;
  list.history.push(isKept ? { row, kind: KEPT } : { row, kind, label });
  list.reopened = -1;
  save(list);
  const said = {
    [LABEL]: text.said_label, [KEPT]: text.said_kept, [NOT_A_COMPLAINT]: list.texts.none, [SKIPPED]: text.said_skipped,
  }[done];
  show(fill(said, { label: label === undefined ? "" : named(label) }));
}

function undo() {
  if (!list.history.length) return;
  const { row } = list.history.pop();
  list.reopened = row;
  save(list);
  show(fill(list.texts.undone, { n: number(row + 1) }));
}

function lookAgain() {
  list.history = answers(list);
  list.reopened = -1;
  save(list);
  show("");
}

const nextList = () => lists[(lists.indexOf(list) + 1) % lists.length];

// A cell that a spreadsheet would compute gets a mark, as complaints_etl.spreadsheet.record writes it.
const formula = new RegExp(data.formula), plainNumber = new RegExp(data.number);
const inert = (cell) => (formula.test(cell) && !plainNumber.test(cell) ? data.mark + cell : cell);
const quoted = (cell) => (/[",;\t\r\n]|^ | $/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const record = (cells) => `${cells.map((cell) => quoted(inert(cell))).join(data.separator)}\r\n`;

function download() {
  const answered = written();
  if (!answered.length) return;
  const lines = answered.map(({ cells, parts, kind, label }) => record([
    ...cells.map((cell) => (cell === null ? parts.join("") : cell)), kind === LABEL ? label : data.not_a_complaint,
  ]));
  const file = new Blob(["\ufeff", record(data.columns), ...lines], { type: "text/csv;charset=utf-8" });
  const link = element("a");
  link.href = URL.createObjectURL(file);
  link.download = `review-${data.run_id}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  saved = true;
  const isAdded = answered.some(({ kind, label }) => kind === LABEL && !data.labels.includes(label));
  const said = fill(text.said_download, { n: number(lines.length), file: link.download });
  at("message").textContent = isAdded ? `${said} ${text.said_download_new}` : said;
}

const KEYS = {
  u: undo, d: download, s: () => answer(SKIPPED), x: () => answer(NOT_A_COMPLAINT),
  "/": () => at("card").hidden || at("search").focus(),
  l: () => lists.length > 1 && select(nextList()),
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
at("other").addEventListener("click", () => select(nextList()));
if (lists.length > 1) {
  for (const one of lists) at(`tab-${one.name}`).addEventListener("click", () => select(one, { focus: false }));
  at("lists").addEventListener("keydown", (event) => {
    const chosen = { ArrowRight: nextList(), ArrowLeft: nextList(), Home: lists[0], End: lists.at(-1) }[event.key];
    if (!chosen) return;
    event.preventDefault();
    select(chosen, { focus: false });
    at(`tab-${chosen.name}`).focus();
  });
}
at("shortcuts").addEventListener("change", () => {
  try {
    localStorage.setItem(SHORTCUTS, at("shortcuts").checked ? "on" : "off");
  } catch {
    // It holds until the page is closed.
  }
});
addEventListener("storage", (event) => {
  // The same page in another tab: go on from its answers, or the next answer here would undo them.
  const changed = lists.find(({ stored }) => stored === event.key);
  if (!changed) return;
  load(changed);
  show("", { focus: false });
});
addEventListener("beforeunload", (event) => {
  if (!saved) event.preventDefault();
});

for (const one of lists) {
  load(one);
  save(one);
}
list = lists.find((one) => current(one) >= 0) || lists[0];
try {
  at("shortcuts").checked = localStorage.getItem(SHORTCUTS) !== "off";
} catch {
  at("shortcuts").checked = true;
}
show(lists.some(({ history }) => history.length) ? text.said_loaded : "", { focus: false });
