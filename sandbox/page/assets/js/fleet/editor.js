// The env file of api-server in an editor, and what can be broken with one click. An edit takes effect when it is deployed.

import { order } from "../api.js";
import { h, refill } from "../dom.js";
import { toast } from "../notices.js";
import { me } from "../store.js";

export class EnvEditor {
  #known = null; // the file as it was read

  constructor() {
    this.field = h("textarea", { class: "env", spellcheck: "false", autocapitalize: "off", "aria-label": "Settings of api-server", rows: "20" });
    this.notice = h("p", { class: "env-notice", role: "status" });
    this.changes = h("p", { class: "env-changes" });
    this.deploy = h("button", { type: "button", class: "button primary", onclick: () => this.#deploy() }, "Deploy");
    this.reset = h("button", { type: "button", class: "button", onclick: () => this.#take(this.latest) }, "Undo my edits");
    this.faults = h("ul", { class: "faults" });
    this.element = h(
      "section",
      { class: "card env-card", "aria-label": "Settings" },
      h("h2", {}, "Settings of api-server"),
      h("p", { class: "muted" }, "An edit does nothing until it is deployed, as in life."),
      this.field,
      this.notice,
      this.changes,
      h("div", { class: "env-buttons" }, this.deploy, this.reset),
    );
    this.breaking = h("section", { class: "card breaking", "aria-label": "Break it" }, h("h2", {}, "Break it"), this.faults);
    this.field.addEventListener("input", () => this.#compare());
  }

  /** Take what the server says: an edit that was begun stays. */
  show({ env, faults }) {
    this.latest = env;
    if (!this.#known || this.field.value === this.#known.text) {
      if (env.hash !== this.#known?.hash) this.#take(env);
    } else this.#compare();
    const key = JSON.stringify(faults);
    if (key !== this.#faultsKey) this.#showFaults(faults);
    this.#faultsKey = key;
  }

  #faultsKey = "";

  #take(env) {
    this.#known = env;
    this.field.value = env.text;
    this.#compare();
  }

  #compare() {
    const edits = changes(this.#known.text, this.field.value);
    const moved = this.latest.hash !== this.#known.hash;
    this.deploy.disabled = !this.field.value.trim();
    this.reset.hidden = !edits.length && !moved;
    this.notice.textContent = moved ? "The file was changed by somebody else since you began. Undo your edits to see what it says now." : "";
    refill(this.changes, edits.map((edit) => h("code", {}, edit)));
  }

  async #deploy() {
    const edits = changes(this.#known.text, this.field.value);
    const done = await this.#busy(this.deploy, "/api/fleet/deploy", { text: this.field.value, hash: this.#known.hash });
    if (!done) return;
    this.#known = { ...this.latest, text: this.field.value, hash: "" };
    toast(edits.length ? `api-server was redeployed with ${edits.join(", ")}.` : "api-server was redeployed with the same settings.", "done");
  }

  #showFaults(faults) {
    refill(this.faults, faults.map((fault) => {
      const words = fault.active ? "Put it right" : "Break";
      const button = h("button", { type: "button", class: `button ${fault.active ? "" : "danger"}`, "aria-label": `${words}: ${fault.title}` }, words);
      button.addEventListener("click", () => this.#fault(fault, button));
      const settings = Object.entries(fault.active ? fault.healthy : fault.broken).map(([name, value]) => h("code", {}, `${name}=${value}`));
      return h("li", { class: fault.active ? "fault active" : "fault" }, h("div", {}, h("b", {}, fault.title), h("p", { class: "muted" }, fault.about), h("p", {}, settings)), button);
    }));
  }

  async #fault(fault, button) {
    const done = await this.#busy(button, `/api/fleet/faults/${encodeURIComponent(fault.id)}`, { mend: fault.active });
    if (done) toast(fault.active ? `${fault.title}: put right and redeployed.` : `${fault.title}: redeployed. Watch the figures.`, "done");
  }

  async #busy(button, path, body) {
    button.disabled = true;
    const done = await order(path, { ...body, author: me().name });
    button.disabled = false;
    return done;
  }
}

/** The settings that differ, as they are now. */
function changes(before, after) {
  const read = (text) => new Map(text.split("\n").filter((line) => /^\s*[A-Za-z_]\w*\s*=/.test(line)).map((line) => [line.split("=")[0].trim(), line.trim()]));
  const [old, now] = [read(before), read(after)];
  const set = [...now].filter(([name, line]) => old.get(name) !== line).map(([, line]) => line);
  const gone = [...old.keys()].filter((name) => !now.has(name)).map((name) => `${name} removed`);
  return [...set, ...gone];
}
