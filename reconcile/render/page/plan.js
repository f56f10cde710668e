"use strict";
// The plan as the page carries it. Its members are described where they are made: one letter each,
// because they are repeated for every change. Every text is escaped for display already; nothing here
// ever becomes markup.
const plan = JSON.parse(document.getElementById("data").textContent);

// SYMBOLS stand in front of every row. They and the words beside them say what colours only underline.
const SYMBOLS = { create: "+", update: "~", enable: "*", disable: "!", delete: "-", adopt: "<", held: "?", skipped: "?" };

// PARTS are the lists of the page, in order, with the actions whose rows they hold.
const PARTS = [
  ["removals", ["delete", "disable"]],
  ["adopt", ["adopt"]],
  ["update", ["update"]],
  ["enable", ["enable"]],
  ["create", ["create"]],
  ["held", ["held"]],
  ["skipped", ["skipped"]],
];

const items = [...plan.changes, ...plan.held, ...plan.skipped];

// isRemoval says whether an item takes a rule out of force.
const isRemoval = (item) => item.a === "delete" || item.a === "disable";

// label names an item: its value or name, or the indicator that was skipped.
function label(item) {
  if (item.a !== "skipped") return item.v || "";
  const owner = item.o && plan.owners[item.o[0]];
  return owner ? ownerName(owner) : "";
}

const ownerName = (owner) => owner.n || owner.i || owner.s || "";

// number is a count with a comma after every third digit.
const number = (n) => n.toLocaleString("en");

// element makes an element with a class, a text and children.
function element(tag, cls, text, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text) e.textContent = text;
  e.append(...children);
  return e;
}

// SHORT is how many characters of a value a row shows.
const SHORT = 160;

// shorten cuts a text for a row, never through a character.
function shorten(text) {
  if (text.length <= SHORT) return text;
  const chars = Array.from(text.slice(0, 2 * SHORT + 2));
  return chars.length <= SHORT && text.length <= 2 * SHORT + 2 ? text : chars.slice(0, SHORT).join("") + "…";
}

// haystack is what the search looks at in an item, in lower case; made at the first search.
function haystack(item) {
  if (item.hay === undefined) {
    const owners = (item.o || []).map((at) => plan.owners[at]);
    item.hay = [item.v, item.t, item.i, item.n, ...owners.flatMap((o) => [o.n, o.i, o.s])].filter(Boolean).join("\n").toLowerCase();
  }
  return item.hay;
}

// terms are the words of a query, all of which must be found. Defanged values are looked for as they are.
function terms(query) {
  return query.toLowerCase().replaceAll("[.]", ".").replaceAll("hxxp", "http").split(/\s+/).filter(Boolean);
}

// matches says whether an item passes the filters.
function matches(item, filter, words) {
  if (filter.action === "removals" ? !isRemoval(item) : filter.action && item.a !== filter.action) return false;
  if (filter.kind && item.k !== filter.kind) return false;
  if (filter.type && item.t !== filter.type) return false;
  if (filter.reason && item.r !== filter.reason) return false;
  return words.length === 0 || words.every((w) => haystack(item).includes(w));
}
