// Watches by server-sent events. EventSource can't send a password, so the stream is read with fetch.
import { codes } from "./codes.js";
import { pause, visible } from "./waiting.js";

const heartbeat = 15; // seconds between two signs of life
const silence = 3 * heartbeat * 1000; // milliseconds after which a stream without them is dead
const firstDelay = 300; // milliseconds before the first reconnection
const longestDelay = 10_000;

/**
 * watchStream watches a path until options.signal is aborted. It connects again after each end, and continues after the last event, so
 * that no event is lost or comes twice. While the page is not visible it does not connect: browsers allow only six connections to a server
 * for all tabs together. Options:
 *
 *   recursive, keysOnly, paths  as in the API; paths are the values of its parameter path
 *   since       the index after which events are wanted; without it those from now on
 *   onEvent     gets each event: {action, node, prevNode}
 *   onCleared   is called when events were lost: everything must be read anew. The events after that follow
 *   onState     gets "connecting", "live", "waiting" (before it connects again) or "denied" (the watch has ended: there is no right to it)
 */
export async function watchStream(api, path, options) {
  const { signal, onState = () => {} } = options;
  const place = { id: options.since ? String(options.since) : "", keysOnly: options.keysOnly };
  let delay = firstDelay;
  while (!signal.aborted) {
    onState("connecting");
    try {
      await readOnce(api, path, options, place, () => {
        delay = firstDelay;
        onState("live");
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error.code === codes.invalidField && place.keysOnly) {
        place.keysOnly = false; // a member of an older version has no watches without values
        continue;
      }
      if (error.status === 401 || (error.status >= 400 && error.status < 429)) {
        onState("denied", error);
        return;
      }
    }
    if (signal.aborted) return;
    onState("waiting");
    await pause(delay * (0.75 + Math.random() / 2), signal);
    delay = Math.min(2 * delay, longestDelay);
    await visible(signal);
  }
}

// readOnce opens one stream and reads it to its end.
async function readOnce(api, path, options, place, opened) {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const hide = () => document.visibilityState === "hidden" && stop.abort();
  document.addEventListener("visibilitychange", hide);
  let timer = setTimeout(() => stop.abort(), silence);
  try {
    const query = { wait: true, recursive: options.recursive, keysOnly: place.keysOnly || undefined, path: options.paths, heartbeat };
    const headers = { Accept: "text/event-stream" };
    if (place.id) headers["Last-Event-ID"] = place.id;
    const response = await api.send("GET", api.keyUrl(path, query), { headers, signal, timeout: 0 });
    opened();
    const parser = new EventParser((event) => dispatch(event, options, place));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), silence);
      parser.feed(value);
    }
  } finally {
    stop.abort(); // ends the request also after an error in a function of options
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", hide);
  }
}

function dispatch({ type, data, id }, { onEvent, onCleared = () => {} }, place) {
  if (id) place.id = id;
  if (type === "cleared") onCleared();
  else if (type === "message" && data) onEvent(JSON.parse(data));
}

// EventParser parses a stream of the type text/event-stream that arrives in pieces.
class EventParser {
  #rest = "";
  #event = { type: "message", data: [], id: "" };
  #emit;

  /** emit gets each event: {type, data, id}. id is that of the last event that had one, also if this event is only an id. */
  constructor(emit) {
    this.#emit = emit;
  }

  feed(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  #line(line) {
    const event = this.#event;
    if (line === "") {
      if (event.data.length > 0 || event.id) this.#emit({ type: event.type, data: event.data.join("\n"), id: event.id });
      this.#event = { type: "message", data: [], id: "" };
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") event.data.push(value);
    else if (field === "id") event.id = value;
    else if (field === "event") event.type = value;
  }
}
