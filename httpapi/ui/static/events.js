// The events of a key or a subtree that the member still has.
import { codes } from "./codes.js";

const mostEvents = 2000; // what a person may want to look through
const mostCharacters = 16 * 1024 * 1024; // of the lines of events in memory

/**
 * readEvents returns {events, oldest, index, dropped}: the events of a path, with recursive also those of everything below that is not
 * hidden, from the oldest to the newest. oldest is the index of the oldest event of the whole tree that the member has, index the current
 * one. dropped is the number of old events that were left out because there are too many.
 */
export async function readEvents(api, path, { recursive = false, signal } = {}) {
  for (let attempt = 0; ; attempt++) {
    const begun = await watchNow(api, path, { recursive, signal });
    await begun.body.cancel();
    const oldest = Number(begun.headers.get("X-Pando-Oldest-Index"));
    const index = Number(begun.headers.get("X-Etcd-Index"));
    if (oldest === 0 || oldest > index) return { events: [], oldest, index, dropped: 0 };
    try {
      const response = await watchNow(api, path, { recursive, waitIndex: oldest, signal });
      return { ...(await readLines(response.body)), oldest, index };
    } catch (error) {
      // Events at the end of the history are dropped while others are written.
      if (error.code !== codes.eventIndexCleared || attempt >= 5) throw error;
    }
  }
}

/** isRemoval reports whether the action of an event removes its node. */
export const isRemoval = (action) => ["delete", "compareAndDelete", "expire"].includes(action);

// watchNow asks for the events that have happened: the answer ends without waiting for others.
const watchNow = (api, path, { recursive, waitIndex, signal }) =>
  api.send("GET", api.keyUrl(path, { wait: true, stream: true, recursive, waitIndex, waitTimeout: 0 }), { signal });

async function readLines(body) {
  const events = [];
  let size = 0;
  let dropped = 0;
  const take = (line) => {
    if (line.trim() === "") return;
    const event = JSON.parse(line);
    if (event.errorCode) throw Object.assign(new Error(event.message), { code: event.errorCode });
    events.push({ ...event, size: line.length });
    size += line.length;
    while (events.length > mostEvents || (size > mostCharacters && events.length > 1)) {
      size -= events.shift().size;
      dropped++;
    }
  };
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    lines.forEach(take);
    if (done) return { events, dropped };
  }
}
