// Asks the page's server. What it refuses comes as an error whose message is a sentence for the reader.

import { toast } from "./notices.js";

const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;

/** Which start of the server this page belongs to. */
export const born = meta("sandbox-born");

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error("The sandbox does not answer: it may have ended. `make demo` starts it again.");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw Object.assign(new Error(body.error || `The sandbox answered ${answer.status}.`), { status: answer.status });
  }
  return body;
}

/** Read something. */
export function get(path, query = {}) {
  const parameters = new URLSearchParams(query).toString();
  return ask(parameters ? `${path}?${parameters}` : path, {});
}

/** Have something done. */
export function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", "X-Sandbox-Token": meta("sandbox-token") };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Have something done, and show the reason where it is refused; null then. */
export async function order(path, body = {}) {
  try {
    return await post(path, body);
  } catch (error) {
    toast(error.message);
    return null;
  }
}
