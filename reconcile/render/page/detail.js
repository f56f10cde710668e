// toggle opens or closes what is behind a row; it is made when it is first opened.
function toggle(row) {
  const button = row.querySelector(".open");
  const open = button.getAttribute("aria-expanded") !== "true";
  let panel = row.querySelector(".panel");
  if (open && !panel) {
    panel = detail(row.item);
    panel.id = "panel-" + items.indexOf(row.item);
    button.setAttribute("aria-controls", panel.id);
    row.append(panel);
  }
  if (panel) panel.hidden = !open;
  button.setAttribute("aria-expanded", open);
  row.classList.toggle("opened", open);
}

// detail is everything the plan says about one item.
function detail(item) {
  const panel = element("div", "panel");
  panel.setAttribute("role", "group");
  panel.setAttribute("aria-label", "Details of " + shorten(label(item)));
  const facts = element("dl", "row-facts");
  const fact = (name, ...content) => {
    if (content[0]) facts.append(element("div", "", "", element("dt", "", name), element("dd", "", "", ...content)));
  };
  fact("Reason", element("code", "", item.r), plan.meanings[item.r] ? " — " + plan.meanings[item.r] : "");
  if (item.c) fact("Cause", element("code", "", item.c), plan.causes[item.c] ? " — " + plan.causes[item.c] : "");
  fact("Note", item.n);
  if (item.v && item.v !== shorten(item.v)) fact("Value", longText(item.v, "whole"));
  fact("List", item.l && item.k ? item.l + " (" + item.k + ")" : item.l);
  fact("Row", item.i && element("code", "", item.i));
  panel.append(facts);
  if (item.o && item.o.length > 0) panel.append(ownersTable(item));
  if (item.f) panel.append(fieldsTable(item));
  if (item.d) panel.append(sideBySide(item.d));
  if (item.x !== undefined) panel.append(wholeText(item));
  return panel;
}

// MOST is how many lines, owners or characters are shown before a button offers the others.
const MOST = { lines: 400, owners: 50, characters: 20000 };

// longText shows a text; of a very long one its beginning, and a button for all of it.
function longText(text, cls) {
  const box = element("span", cls, text.length > MOST.characters ? text.slice(0, MOST.characters) : text);
  if (text.length > MOST.characters) {
    box.append(offer(`Show all ${number(text.length)} characters`, (button) => { button.remove(); box.textContent = text; }));
  }
  return box;
}

function offer(text, act) {
  const button = element("button", "offer", text);
  button.type = "button";
  button.addEventListener("click", (event) => { event.stopPropagation(); act(button); });
  return button;
}

// table is a table and its body. Its columns have their heads' names as classes.
function table(cls, caption, heads) {
  const head = element("tr"), columns = element("colgroup");
  for (const h of heads) {
    columns.append(element("col", "col-" + h.toLowerCase().replaceAll(" ", "-")));
    const th = element("th", "", h);
    th.scope = "col";
    head.append(th);
  }
  const body = element("tbody");
  return [element("table", cls, "", element("caption", "", caption), columns, element("thead", "", "", head), body), body];
}

// appendSome adds rows to a table, and a button for those beyond the limit.
function appendSome(box, body, list, most, word, make) {
  body.append(...list.slice(0, most).map(make));
  if (list.length > most) {
    box.append(offer(`Show the other ${number(list.length - most)} ${word}`, (button) => { button.remove(); body.append(...list.slice(most).map(make)); }));
  }
}

function ownersTable(item) {
  const [t, body] = table("owners", isRemoval(item) ? "Who wanted it" : item.a === "skipped" ? "Indicator" : "Who wants it", ["Name", "Internal id", "Standard id", "Score"]);
  const box = element("div", "boxed", "", t);
  appendSome(box, body, item.o, MOST.owners, "owners", (at) => {
    const o = plan.owners[at];
    return element("tr", "", "",
      element("td", "", "", o.n ? ownerLink(o, o.n) : element("i", "none", "unknown")),
      element("td", "", "", o.i ? element("code", "", "", o.n ? o.i : ownerLink(o, o.i)) : ""),
      element("td", "", "", o.s ? element("code", "", o.s) : ""),
      element("td", "", o.p === undefined ? "" : String(o.p)));
  });
  return box;
}

// fieldsTable shows each field before and after, side by side; what comes or goes has one side only.
function fieldsTable(item) {
  const comes = item.f.every(([, from]) => from === null), goes = item.f.every(([, , to]) => to === null);
  const [t, body] = table("fields", comes ? "What is made" : goes ? "What goes" : "What changes", ["Field", ...(comes ? [] : ["Before"]), ...(goes ? [] : ["After"])]);
  const cell = (text, cls) => text ? element("td", cls, "", longText(text, "text")) : element("td", "", "", element("i", "none", text === null ? "none" : "empty"));
  for (const [name, from, to] of item.f) {
    const th = element("th", "", "", ...name.split(/(?<=\.)/).flatMap((part) => [part, element("wbr")]));
    th.scope = "row";
    const row = element("tr", "", "", th);
    if (!comes) row.append(cell(from, "before"));
    if (!goes) row.append(cell(to, "after"));
    body.append(row);
  }
  return element("div", "boxed", "", t);
}
