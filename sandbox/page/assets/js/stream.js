// The one connection over which everything that changes arrives.

import { born } from "./api.js";
import { emit } from "./bus.js";
import { CHAT_EVENTS, parts, seen, take, world } from "./store.js";

/** Connect; the browser comes back by itself, and goes on after the last event that it got. */
export function connect() {
  const source = new EventSource(`/api/events?after=${world.feed}`);
  source.onopen = () => emit("connection", true);
  source.onerror = () => emit("connection", false);
  listen(source, "hello", (data) => {
    if (data.born !== born) location.reload(); // another start of the server: what this page knows is void
  });
  for (const kind of CHAT_EVENTS) {
    listen(source, kind, (data) => {
      take(kind, data);
      emit("happened", { kind, ...data });
    });
  }
  listen(source, "parts", (data) => {
    Object.assign(parts, data);
    emit("parts", parts);
  });
  for (const name of Object.keys(seen)) {
    listen(source, name, (data) => {
      seen[name] = data;
      emit(name, data);
    });
  }
}

function listen(source, name, take) {
  source.addEventListener(name, (event) => take(JSON.parse(event.data)));
}
