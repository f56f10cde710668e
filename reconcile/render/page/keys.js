// keys are what single keys do. The help of the page names them all.
const keys = {
  "/": () => { tools.query.focus(); tools.query.select(); },
  "?": () => byId("help").showModal(),
  r: removals,
  j: () => step(1),
  k: () => step(-1),
  n: () => stepList(1),
  p: () => stepList(-1),
  a: () => { set({}); scrollTo(0, 0); },
  Escape: () => { if (document.body.classList.contains("narrowed")) set({}); },
};
for (let n = 0; n < 10; n++) keys[n] = () => tenth(n);

// remember keeps a choice of the reader for the next plan, where the browser lets a page do that.
function remember(name, value) {
  try {
    if (value !== undefined) localStorage.setItem("harfangsync-" + name, value);
    return localStorage.getItem("harfangsync-" + name);
  } catch {
    return null;
  }
}

document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || byId("help").open || lists.length === 0) return;
  if (at === tools.query) {
    if (event.key === "Enter" || event.key === "ArrowDown") go(full()[0], 0);
    else if (event.key === "Escape" && at.value === "") at.blur();
    else if (event.key === "Escape") set({ ...filterOf(), query: "" });
    else return;
    event.preventDefault();
    return;
  }
  if (event.key === "Enter" && at.classList && at.classList.contains("row")) {
    toggle(at);
    event.preventDefault();
    return;
  }
  const act = Object.hasOwn(keys, event.key) && keys[event.key];
  if (!act || at.closest && at.closest("select, input, textarea") || !byId("keys-on").checked && event.key !== "Escape") return;
  event.preventDefault();
  act();
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest && event.target.closest(".row");
  const list = row && lists.find((l) => l.section.contains(row));
  if (list) current = { list, place: row.place };
});

document.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (!row || event.target.closest("a, .panel")) return;
  if (event.target.closest(".open") || getSelection().isCollapsed) toggle(row);
});

tools.query?.addEventListener("input", refresh);
for (const name of filterNames) tools[name]?.addEventListener("change", refresh);
byId("reset")?.addEventListener("click", () => set({}));
byId("help-button").addEventListener("click", () => byId("help").showModal());
byId("page-buttons").hidden = false;

byId("keys-on").checked = remember("keys") !== "off";
byId("keys-on").addEventListener("change", (event) => remember("keys", event.target.checked ? "on" : "off"));

// The colours are the system's, dark or light.
const themes = { system: ["◐", "as the system"], dark: ["●", "dark"], light: ["○", "light"] };
function theme(name) {
  const [sign, word] = themes[name];
  document.documentElement.dataset.theme = name;
  const button = byId("theme");
  button.textContent = sign;
  button.setAttribute("aria-label", "Colours: " + word);
  button.title = "Colours: " + word;
}
const kept = remember("theme");
theme(Object.hasOwn(themes, kept ?? "") ? kept : "system");
byId("theme").addEventListener("click", () => {
  const names = Object.keys(themes);
  const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
  remember("theme", next);
  theme(next);
});

// On paper stand all removals, the other changes up to a limit, and how many are left out.
const PRINTED = 1000;
addEventListener("beforeprint", () => {
  for (const list of lists) {
    list.fill(PRINTED);
    const left = list.items.length && !(list instanceof PageRows) ? Math.max(0, list.shown.length - PRINTED) : 0;
    list.section.querySelector(".left-out")?.remove();
    if (left > 0) list.section.append(element("p", "left-out", `${number(left)} more are not printed.`));
  }
});
