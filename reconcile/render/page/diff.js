// pairs lays the lines of a unified diff side by side: [number, line, number, line], null where a side
// has none, or the head of a part.
function pairs(lines) {
  const out = [];
  let left = 0, right = 0, gone = [], come = [];
  const flush = () => {
    for (let i = 0; i < Math.max(gone.length, come.length); i++) {
      out.push([i < gone.length ? left++ : null, gone[i] ?? null, i < come.length ? right++ : null, come[i] ?? null]);
    }
    gone = [];
    come = [];
  };
  for (const line of lines) {
    const text = line.slice(1);
    if (line[0] === "-") gone.push(text);
    else if (line[0] === "+") come.push(text);
    else {
      flush();
      const at = /^@@ -(\d+),\d+ \+(\d+),\d+ @@$/.exec(line);
      if (at) {
        [left, right] = [Number(at[1]), Number(at[2])];
        out.push(line);
      } else out.push([left++, text, right++, text]);
    }
  }
  flush();
  return out;
}

// common is how many characters two lines begin and end with alike.
function common(a, b) {
  let start = 0, end = 0;
  const most = Math.min(a.length, b.length);
  while (start < most && a[start] === b[start]) start++;
  while (end < most - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const split = (s, i) => i > 0 && i < s.length && /[\uDC00-\uDFFF]/.test(s[i]) && /[\uD800-\uDBFF]/.test(s[i - 1]);
  if (split(a, start) || split(b, start)) start--;
  if (split(a, a.length - end) || split(b, b.length - end)) end--;
  return [start, end];
}

// code is one side of a changed line, with what differs from the other side marked.
function code(text, other) {
  const cell = element("td", "code");
  if (other === null || text === other || text.length > MOST.characters) {
    cell.append(longText(text, "text"));
    return cell;
  }
  const [start, end] = common(text, other);
  const middle = text.slice(start, text.length - end);
  cell.append(text.slice(0, start));
  if (middle) cell.append(start + end === 0 ? middle : element("mark", "", middle));
  cell.append(text.slice(text.length - end));
  return cell;
}

// sideBySide shows a unified diff: before on the left, after on the right.
function sideBySide(lines) {
  const [t, body] = table("diff", "Text, before and after", ["Line", "Before", "Line", "After"]);
  const box = element("div", "boxed", "", t);
  appendSome(box, body, pairs(lines), MOST.lines, "lines", (pair) => {
    if (typeof pair === "string") {
      const td = element("td", "", pair);
      td.colSpan = 4;
      return element("tr", "part", "", td);
    }
    const [ln, left, rn, right] = pair;
    const same = left !== null && right !== null && left === right;
    const side = (n, text, other, cls, sign) => {
      if (text === null) return [element("td", "line void"), element("td", "code void")];
      const c = same ? element("td", "code", text) : code(text, other);
      c.classList.add(same ? "same" : cls);
      return [element("td", "line " + (same ? "" : cls), "", String(n), same ? "" : element("b", "sign", sign)), c];
    };
    return element("tr", "", "", ...side(ln, left, right, "gone", "−"), ...side(rn, right, left, "come", "+"));
  });
  return box;
}

// wholeText shows the text of a rule that comes or goes.
function wholeText(item) {
  const removed = item.a === "delete";
  const [t, body] = table("diff whole", removed ? "The text that goes" : "The new text", ["Line", "Text"]);
  const box = element("div", "boxed", "", t);
  const cls = removed ? "gone" : "come", sign = removed ? "−" : "+";
  const lines = item.x.replace(/\n$/, "").split("\n").map((text, i) => [i + 1, text]);
  appendSome(box, body, lines, MOST.lines, "lines", ([n, text]) => {
    const c = code(text, null);
    c.classList.add(cls);
    return element("tr", "", "", element("td", "line " + cls, "", String(n), element("b", "sign", sign)), c);
  });
  return box;
}
