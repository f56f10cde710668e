// BLOCK is how many rows are laid out together; as many as in the lists that the page brings along.
const BLOCK = 100;
// ROW is about how high a row is, for those that are not laid out yet.
const ROW = 45.3;

// fillRow makes the row of an item, as the page's own rows are made.
function fillRow(item) {
  const row = document.getElementById("row").content.firstElementChild.cloneNode(true);
  const part = (name) => row.querySelector("." + name);
  part("act").className = "act " + item.a;
  part("sign").textContent = SYMBOLS[item.a] || "?";
  part("word").textContent = item.a;
  part("type").textContent = item.t || item.k || "indicator";
  const value = label(item), shown = shorten(value);
  part("value").append(item.a === "skipped" && item.o ? ownerLink(plan.owners[item.o[0]], shown) : shown);
  if (shown !== value) part("what").append(" ", element("span", "long", `(${number(Array.from(value).length)} characters)`));
  part("open").setAttribute("aria-label", "Details of " + shown);
  part("reason").textContent = item.r;
  if (item.c) part("why").append(" ", element("span", "cause", item.c));
  const who = part("who");
  if (item.n && item.a !== "update") who.append(element("span", "note-text", shorten(item.n)));
  const owners = item.a === "skipped" ? [] : item.o || [];
  for (const at of owners.slice(0, 3)) who.append(ownerText(plan.owners[at]));
  if (owners.length > 3) who.append(" ", element("span", "more-owners", `and ${owners.length - 3} more`));
  return row;
}

function ownerText(owner) {
  const span = element("span", "owner", "", ownerLink(owner, shorten(ownerName(owner))));
  if (owner.p !== undefined) span.append(" ", element("span", "score", "score " + owner.p));
  return span;
}

// ownerLink shows an indicator as a link to OpenCTI where there is one.
function ownerLink(owner, text) {
  if (!owner.l) return document.createTextNode(text);
  const a = element("a", "", text);
  a.href = plan.base + owner.i;
  a.target = "_blank";
  a.rel = "noopener noreferrer";
  return a;
}

// Each list has its items, of which shown are those that pass the filters; rowAt(n) is the row of the
// nth of these.

// PageRows are the rows that the page brought along: they stay, and filters hide them.
class PageRows {
  constructor(box, list) {
    this.items = this.shown = list;
    this.box = box;
    this.rows = Array.from(box.querySelectorAll(".row"));
    this.blocks = Array.from(box.querySelectorAll(".block"));
    this.rows.forEach((row, i) => { row.item = list[i]; });
    this.place();
  }

  show(keep) {
    this.shown = this.items.filter((item, i) => {
      const hide = !keep(item);
      if (this.rows[i].hidden !== hide) this.rows[i].hidden = hide;
      return !hide;
    });
    this.blocks.forEach((block, b) => { block.hidden = !this.rows.slice(b * BLOCK, (b + 1) * BLOCK).some((row) => !row.hidden); });
    this.place();
  }

  place() {
    this.visible = this.rows.filter((row) => !row.hidden);
    this.visible.forEach((row, n) => { row.place = n; });
  }

  rowAt(n) { return this.visible[n]; }

  fill() {}
}

// LateRows are made when they are about to be seen. Until then a block of them is an empty box of about
// their height.
class LateRows {
  constructor(box, list) {
    this.box = box;
    this.items = list;
    this.watch = new IntersectionObserver((seen) => {
      for (const s of seen) if (s.isIntersecting) this.fillBlock(s.target.first);
    }, { rootMargin: "1200px" });
    this.show(() => true);
  }

  show(keep) {
    this.shown = this.items.filter(keep);
    this.watch.disconnect();
    this.blocks = [];
    for (let first = 0; first < this.shown.length; first += BLOCK) {
      const block = element("div", "block unfilled");
      block.first = first;
      block.style.height = Math.min(BLOCK, this.shown.length - first) * ROW + "px";
      this.blocks.push(block);
      this.watch.observe(block);
    }
    this.box.replaceChildren(...this.blocks);
    if (this.blocks.length === 1) this.fillBlock(0);
  }

  fillBlock(first) {
    const block = this.blocks[first / BLOCK];
    if (!block.classList.contains("unfilled")) return block;
    this.watch.unobserve(block);
    this.shown.slice(first, first + BLOCK).forEach((item, i) => {
      const row = fillRow(item);
      row.item = item;
      row.place = first + i;
      row.setAttribute("aria-setsize", this.shown.length);
      row.setAttribute("aria-posinset", first + i + 1);
      block.append(row);
    });
    block.classList.remove("unfilled");
    block.style.height = "";
    return block;
  }

  rowAt(n) { return this.fillBlock(n - n % BLOCK).children[n % BLOCK]; }

  // fill makes the first so many rows.
  fill(most) {
    for (let first = 0; first < Math.min(most, this.shown.length); first += BLOCK) this.fillBlock(first);
  }
}
