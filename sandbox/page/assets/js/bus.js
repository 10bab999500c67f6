// Who wants to know of what: a view listens while it is on screen.

const listeners = new Map();

/** Listen; gives the function that ends it. */
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
  return () => listeners.get(name).delete(listener);
}

/** Tell everybody who listens. */
export function emit(name, data) {
  for (const listener of [...(listeners.get(name) || [])]) listener(data);
}

/** Ends of several listenings, to be called together. */
export class Scope {
  #ends = [];

  /** Listen until the scope ends. */
  on(name, listener) {
    this.#ends.push(on(name, listener));
  }

  /** Call this when the scope ends. */
  add(end) {
    this.#ends.push(end);
  }

  end() {
    for (const end of this.#ends.splice(0)) end();
  }
}
