// Small plots of values over time, as SVG. The colours are those of classes in the style sheet: the page allows no style attributes.
import { html, useId } from "./html.js";

const width = 240;
const height = 48;
const margin = 2; // so that lines at the edges are drawn whole

/**
 * Plot shows up to two series of values with a title, and the last and the largest value as text. points are objects in the order of
 * time, and each has the time in milliseconds as at. series is a list of {field, name}. format makes a text of a value. A point whose value
 * is null or undefined is a gap in the line. span is the time in milliseconds that the width stands for.
 */
export function Plot({ title, points, series, format, span }) {
  const id = useId();
  const end = points.at(-1)?.at ?? 0;
  const largest = Math.max(0, ...series.flatMap(({ field }) => points.map((p) => p[field] ?? 0)));
  const scale = { end, span, largest };
  const texts = series.map(({ field, name }) => `${name ? name + ": " : ""}${lastOf(points, field, format)}`);
  return html`<figure class="plot" aria-labelledby=${id}>
    <figcaption id=${id}>${title}</figcaption>
    <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <line class="plot-base" x1="0" y1=${height - 1} x2=${width} y2=${height - 1} />
      ${series.map(({ field }, i) => html`<path key=${field} class=${"plot-line plot-line-" + i} d=${pathOf(points, field, scale)} />`)}
    </svg>
    <p class="plot-values">
      ${texts.map((text, i) => html`<span key=${i} class=${"plot-value plot-value-" + i}>${text}</span>`)}
      <span class="plot-largest">largest: ${points.length > 0 ? format(largest) : "–"}</span>
    </p>
  </figure>`;
}

function lastOf(points, field, format) {
  const value = points.at(-1)?.[field];
  return value === null || value === undefined ? "–" : format(value);
}

// pathOf returns the commands of the line of a field. A value between two gaps is a short line, so that it can be seen.
function pathOf(points, field, { end, span, largest }) {
  let path = "";
  let drawing = false;
  for (const point of points) {
    const value = point[field];
    if (value === null || value === undefined) {
      drawing = false;
      continue;
    }
    const x = (width * (1 - (end - point.at) / span)).toFixed(1);
    const y = (height - margin - (largest > 0 ? value / largest : 0) * (height - 2 * margin)).toFixed(1);
    path += drawing ? `L${x} ${y}` : `M${x} ${y}h1`;
    drawing = true;
  }
  return path;
}
