// The difference of two texts by lines.
import { html, useMemo } from "./html.js";
import { VirtualList } from "./virtual.js";

const mostEdits = 1500; // beyond it, the middle counts as replaced

// diffLines returns the lines of both texts: [{sign, text}]. sign is " " for a line of both, "-" for one of the first text alone, and "+"
// for one of the second alone.
function diffLines(before, after) {
  const a = before.split("\n");
  const b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (lines) => lines.map((text) => ({ sign: " ", text }));
  const middle = editsOf(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

// editsOf is the algorithm of Myers, "An O(ND) Difference Algorithm and Its Variations" (1986).
function editsOf(a, b) {
  const trace = [];
  let front = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, mostEdits); d++) {
    const next = new Map(front);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (front.get(k - 1) ?? -1) < (front.get(k + 1) ?? -1));
      let x = down ? front.get(k + 1) ?? 0 : (front.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, [...trace, front], d);
    }
    trace.push(front);
    front = next;
  }
  return [...a.map((text) => ({ sign: "-", text })), ...b.map((text) => ({ sign: "+", text }))];
}

// walkBack makes the lines of the shortest edit, from its end to its beginning.
function walkBack(a, b, trace, edits) {
  const lines = [];
  let x = a.length;
  let y = b.length;
  for (let d = edits; d >= 0; d--) {
    const front = trace[d];
    const k = x - y;
    const down = k === -d || (k !== d && (front.get(k - 1) ?? -1) < (front.get(k + 1) ?? -1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : front.get(fromK) ?? 0;
    const fromY = d === 0 ? 0 : fromX - fromK;
    while (x > fromX && y > fromY) {
      lines.push({ sign: " ", text: a[--x] });
      y--;
    }
    if (d === 0) break;
    if (down) lines.push({ sign: "+", text: b[--y] });
    else lines.push({ sign: "-", text: a[--x] });
  }
  return lines.reverse();
}

const longestShown = 400; // characters of a line
const classes = { " ": "", "-": "removed", "+": "added" };

/** Diff shows the difference of two texts. The names say what the lines with "-" and "+" are. */
export function Diff({ before, after, beforeName, afterName }) {
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  const first = useMemo(() => ({ index: Math.max(0, lines.findIndex((l) => l.sign !== " ")) }), [lines]);
  const row = (i) => {
    const { sign, text } = lines[i];
    const shown = text.length > longestShown ? text.slice(0, longestShown) + "…" : text;
    return html`<div key=${i} class=${"row " + classes[sign]}>
      <span class="line-number">${sign}</span><code>${shown}</code></div>`;
  };
  return html`<div class="diff">
    <p><span class="badge removed">− ${beforeName}</span> <span class="badge added">+ ${afterName}</span></p>
    <${VirtualList} count=${lines.length} row=${row} show=${first} attributes=${{
      class: "code", tabIndex: 0, role: "region", "aria-label": "Differences", style: { "--rows": Math.max(4, Math.min(lines.length, 16)) },
    }} />
  </div>`;
}
