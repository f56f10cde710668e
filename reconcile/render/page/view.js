const byId = (id) => document.getElementById(id);
const tools = { query: byId("query"), action: byId("action"), kind: byId("kind"), type: byId("type"), reason: byId("reason") };
const filterNames = ["action", "kind", "type", "reason"];

// lists are the page's lists that have anything in them.
const lists = [];
for (const [id, actions] of PARTS) {
  const section = byId(id);
  if (!section) continue;
  const own = items.filter((item) => actions.includes(item.a));
  const box = section.querySelector(".rows");
  const list = id === "removals" ? new PageRows(box, own) : new LateRows(box, own);
  list.section = section;
  list.count = section.querySelector(".count");
  lists.push(list);
}

// options offers every word that stands in the plan, with how often it does.
function options(name, words) {
  const n = new Map();
  for (const w of words) if (w) n.set(w, (n.get(w) || 0) + 1);
  for (const [w, count] of n) {
    const o = element("option", "", `${w} (${number(count)})`);
    o.value = w;
    tools[name].append(o);
  }
}

// filterOf is what the controls ask for.
const filterOf = () => Object.fromEntries(filterNames.map((name) => [name, tools[name].value]));

// refresh shows what passes the filters, and says how much that is.
function refresh() {
  const filter = filterOf(), words = terms(tools.query.value);
  const narrowed = words.length > 0 || filterNames.some((name) => filter[name]);
  let shown = 0;
  for (const list of lists) {
    list.show((item) => matches(item, filter, words));
    shown += list.shown.length;
    list.section.hidden = narrowed && list.shown.length === 0;
    list.count.textContent = list.shown.length === list.items.length ? number(list.items.length) : `${number(list.shown.length)} of ${number(list.items.length)}`;
  }
  for (const list of lists) list.box.classList.remove("laid");
  document.body.classList.toggle("narrowed", narrowed);
  byId("reset").hidden = !narrowed;
  byId("nothing").hidden = shown > 0 || items.length === 0;
  byId("status").textContent = narrowed ? `${number(shown)} of ${number(items.length)} shown` : `${number(items.length)} in the plan`;
  current = null;
}

// set changes the filters; what is not named is cleared.
function set(filter) {
  tools.query.value = filter.query || "";
  for (const name of filterNames) tools[name].value = filter[name] || "";
  refresh();
}

// current is where the reader is: a list, and the place of a row in it.
let current = null;

// go brings a row before the reader and gives it the focus.
function go(list, place) {
  if (!list || place < 0 || place >= list.shown.length) return false;
  const row = list.rowAt(place);
  current = { list, place };
  if (place === 0) list.section.scrollIntoView();
  row.focus({ preventScroll: place === 0 });
  const box = row.getBoundingClientRect();
  if (box.bottom > innerHeight || box.top < byId("tools").getBoundingClientRect().bottom) row.scrollIntoView({ block: "center" });
  return true;
}

// full are the lists that show anything.
const full = () => lists.filter((list) => list.shown.length > 0);

// step goes to the next row, or the one before, over the ends of lists.
function step(by) {
  const all = full();
  if (all.length === 0) return;
  if (!current) return void go(all[0], 0);
  if (go(current.list, current.place + by)) return;
  const next = all[all.indexOf(current.list) + by];
  if (next) go(next, by > 0 ? 0 : next.shown.length - 1);
}

// stepList goes to the first row of the next list, or of this one, or of the one before.
function stepList(by) {
  const all = full();
  if (all.length === 0) return;
  if (!current) return void go(all[0], 0);
  const at = all.indexOf(current.list);
  if (by < 0 && current.place > 0) go(current.list, 0);
  else go(all[at + by] || current.list, 0);
}

// LAID is how many removals are laid out whole when they are shown alone, so that every one of them is on
// the page as it will be seen; that takes a moment for thousands.
const LAID = 5000;

// removals shows the removals alone, all of them, and goes to the first; when they are shown it goes on
// to the next.
function removals() {
  const list = lists.find((l) => l.section.id === "removals");
  if (!list) {
    byId("status").textContent = "This plan removes nothing.";
    return;
  }
  const filter = filterOf();
  const alone = filter.action === "removals" && !filter.kind && !filter.type && !filter.reason && !tools.query.value;
  if (alone && current) return void go(list, current.place + 1);
  if (!alone) set({ action: "removals" });
  list.box.classList.toggle("laid", list.shown.length <= LAID);
  go(list, 0);
}

// tenth goes so many tenths into the list that is read.
function tenth(n) {
  const list = current ? current.list : full()[0];
  if (list) go(list, Math.floor(list.shown.length * n / 10));
}

if (lists.length > 0) {
  const words = [["removals", items.filter(isRemoval).length]];
  for (const [, actions] of PARTS) for (const a of actions) words.push([a, items.filter((item) => item.a === a).length]);
  for (const [word, n] of words) {
    if (n === 0) continue;
    const o = element("option", "", `${word === "removals" ? "All removals" : word} (${number(n)})`);
    o.value = word;
    tools.action.append(o);
  }
  options("kind", items.map((item) => item.k));
  options("type", items.map((item) => item.t));
  options("reason", items.map((item) => item.r).sort());
  byId("tools").hidden = false;
  document.documentElement.classList.add("live");
  refresh();
}
