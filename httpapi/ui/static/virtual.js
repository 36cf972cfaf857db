// A list that draws only the rows in sight, so that a list of millions scrolls as one of ten does.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";

const overscan = 6; // rows that are drawn above and below those in sight
const rowRem = 1.625; // the height of a row; --row in style.css

/** rowHeight returns the height of a row in CSS pixels. It follows the browser's font size. */
const rowHeight = () => rowRem * parseFloat(getComputedStyle(document.documentElement).fontSize);

/**
 * VirtualList shows count rows. row(i) returns the element of a row; its height must be that of the class "row". attributes are those of
 * the element that scrolls. show is {index}: a new object makes the list scroll so that the row is in sight. onRange gets the first and
 * the last row in sight.
 */
export function VirtualList({ count, row, attributes = {}, show, onRange, inner = {} }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const height = useRowHeight();
  const measure = () => setView({ top: box.current.scrollTop, height: box.current.clientHeight });
  useLayoutEffect(() => {
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (!show) return;
    const element = box.current;
    const top = show.index * height;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + height > element.scrollTop + element.clientHeight) element.scrollTop = top + height - element.clientHeight;
    measure();
  }, [show, height]);
  const firstSeen = Math.floor(view.top / height);
  const lastSeen = Math.min(count - 1, Math.ceil((view.top + view.height) / height));
  useEffect(() => onRange?.(firstSeen, lastSeen), [firstSeen, lastSeen, count]);
  const first = Math.max(0, Math.min(firstSeen, count) - overscan);
  const last = Math.min(count - 1, lastSeen + overscan);
  const rows = [];
  for (let i = first; i <= last; i++) rows.push(row(i));
  return html`<div ref=${box} ...${attributes} class=${"virtual " + (attributes.class ?? "")} onScroll=${measure}>
    <div role="none" class="virtual-all" style=${{ height: count * height + "px" }}>
      <div ...${{ role: "none", ...inner }} class="virtual-rows" style=${{ transform: `translateY(${first * height}px)` }}>${rows}</div>
    </div>
  </div>`;
}

// useRowHeight returns the height of a row, and renders again when it changes.
function useRowHeight() {
  const [height, setHeight] = useState(rowHeight);
  useEffect(() => {
    const update = () => setHeight(rowHeight());
    addEventListener("resize", update);
    return () => removeEventListener("resize", update);
  }, []);
  return height;
}
