// The place "PagerDuty": incidents with their log, what people do about them, and what was delivered to the bot.

import { order } from "./api.js";
import { Scope } from "./bus.js";
import { h, icon, refill } from "./dom.js";
import { toast } from "./notices.js";
import { go, hash } from "./routes.js";
import { me, seen } from "./store.js";
import { clockWithSeconds } from "./time.js";

const ACTIONS = {
  triggered: [["acknowledge", "Acknowledge"], ["escalate", "Escalate"], ["resolve", "Resolve"]],
  acknowledged: [["escalate", "Escalate"], ["resolve", "Resolve"]],
  resolved: [["reopen", "Reopen"]],
};
const TITLE = "High 5xx error rate on api-server";

export class PagerDutyPanel {
  #scope = new Scope();
  #open = "";

  constructor() {
    this.list = h("ul", { class: "records" });
    this.detail = h("article", { class: "record pane", "aria-live": "off" });
    this.deliveries = h("div", { class: "deliveries" });
    this.notice = h("p", { class: "notice", role: "status", hidden: true });
    this.service = h("select", { class: "select", id: "pd-service" });
    this.form = this.#trigger();
    const side = h("div", { class: "records-side" }, this.form, h("h2", {}, "Incidents"), this.list);
    this.element = h("div", { class: "pagerduty page" }, h("header", { class: "page-head" }, h("h1", {}, "PagerDuty"), h("p", { class: "muted" }, "A stand-in with the real protocol: it sends signed webhooks and answers the REST API.")), this.notice, h("div", { class: "records-grid" }, side, h("div", { class: "records-main" }, this.detail, this.deliveries)));
    this.#scope.on("pagerduty", () => this.#show());
  }

  show([, id = ""]) {
    this.#open = id;
    this.element.classList.toggle("one", Boolean(id));
    this.#show();
  }

  #show() {
    const found = seen.pagerduty;
    if (!found || !this.element.isConnected) return;
    this.notice.hidden = !found.refused;
    this.notice.textContent = found.refused || "";
    if (found.refused) return;
    if (!this.service.options.length) refill(this.service, found.services.map((name) => h("option", {}, name)));
    const chosen = found.incidents.find((each) => each.id === this.#open) || (this.#open ? null : found.incidents[0]);
    refill(this.list, found.incidents.length ? found.incidents.map((each) => this.#line(each, each === chosen)) : h("li", { class: "empty" }, "No incident so far. Trigger one, and the bot is paged."));
    this.#showDetail(chosen);
    this.#showDeliveries(found);
  }

  #line(incident, here) {
    return h("li", {}, h("a", { class: here ? "record-line here" : "record-line", href: hash(["pagerduty", incident.id]), "aria-current": here ? "true" : null }, h("span", { class: `status-word ${incident.status}` }, incident.status), h("b", {}, `#${incident.number} ${incident.title}`), h("small", {}, `${incident.service} · ${incident.urgency} urgency · ${clockWithSeconds(new Date(incident.created))}`)));
  }

  #showDetail(incident) {
    const key = JSON.stringify([incident, me().id]);
    if (key === this.#detailKey) return;
    this.#detailKey = key;
    const draft = this.detail.querySelector("textarea")?.value || "";
    if (!incident) {
      refill(this.detail, h("p", { class: "empty" }, this.#open ? "This incident is not here." : "What is paged is shown here."));
      return;
    }
    const act = (action, more = {}) => order(`/api/pagerduty/incidents/${incident.id}/${action}`, { ...this.#person(), ...more });
    const buttons = ACTIONS[incident.status].map(([action, words], number) => h("button", { type: "button", class: number ? "button" : "button primary", onclick: () => act(action) }, words));
    const facts = [["Service", incident.service], ["Urgency", incident.urgency], ["Priority", incident.priority], ["Assigned to", incident.assigned.join(", ")], ["Resolved", incident.resolved && clockWithSeconds(new Date(incident.resolved))]];
    refill(
      this.detail,
      h("a", { class: "icon-button back", href: hash(["pagerduty"]), "aria-label": "All incidents" }, icon("back")),
      h("h2", {}, h("span", { class: `status-word ${incident.status}` }, incident.status), `#${incident.number} ${incident.title}`),
      h("dl", { class: "facts" }, facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      h("div", { class: "record-buttons" }, buttons),
      incident.notes.length ? [h("h3", {}, "Notes"), h("ul", { class: "notes" }, incident.notes.map((note) => h("li", {}, h("p", {}, note.text), h("small", {}, `${note.by}, ${clockWithSeconds(new Date(note.at))}`))))] : null,
      noteForm(draft, (text) => act("note", { text })),
      h("h3", {}, "Log"),
      h("ol", { class: "log" }, incident.log.map((entry) => h("li", {}, h("time", { datetime: entry.at }, clockWithSeconds(new Date(entry.at))), h("span", {}, entry.text)))),
    );
  }

  #detailKey = "";

  #person() {
    const found = Object.entries(seen.pagerduty.users).find(([name]) => name === me().real_name);
    return found ? { user: found[1] } : {};
  }

  #trigger() {
    const title = h("input", { type: "text", class: "text-input", id: "pd-title", value: TITLE, maxlength: "250", required: true });
    const urgency = h("select", { class: "select", id: "pd-urgency" }, h("option", { value: "high" }, "High"), h("option", { value: "low" }, "Low"));
    const send = async (event) => {
      event.preventDefault();
      const made = await order("/api/pagerduty/incidents", { title: title.value, service: this.service.value, urgency: urgency.value });
      if (!made) return;
      toast("PagerDuty is sending its signed webhook to the bot.", "done");
      go(["pagerduty", made.id]);
    };
    const line = (id, words, node) => h("div", { class: "form-line" }, h("label", { for: id }, words), node);
    return h("form", { class: "card trigger", onsubmit: send, "aria-label": "Trigger an incident" }, h("h2", {}, "Trigger an incident"), line("pd-title", "Title", title), h("div", { class: "form-row" }, line("pd-service", "Service", this.service), line("pd-urgency", "Urgency", urgency)), h("button", { type: "submit", class: "button primary" }, "Trigger"));
  }

  #showDeliveries({ deliveries, webhooks, pending }) {
    const rows = deliveries.map((each) =>
      h("tr", {}, h("td", {}, clockWithSeconds(new Date(each.time * 1000))), h("td", {}, each.event_type), h("td", {}, h("span", { class: each.status >= 200 && each.status < 300 ? "good" : "bad" }, each.status ? `${each.outcome} (${each.status})` : each.outcome)), h("td", {}, String(each.attempt)), h("td", {}, `${Math.round(each.seconds * 1000)} ms`)),
    );
    const head = h("tr", {}, ["Time", "Event", "Outcome", "Attempt", "Took"].map((words) => h("th", { scope: "col" }, words)));
    const to = webhooks.map((each) => `${each.url}${each.enabled ? "" : " (disabled)"}`).join(", ");
    refill(
      this.deliveries,
      h("h2", {}, "Webhook deliveries"),
      h("p", { class: "muted" }, to ? `Signed with HMAC-SHA256, to ${to}. ${pending ? `${pending} still to be sent.` : "Nothing waits."}` : "Nobody has subscribed to webhooks."),
      rows.length ? h("div", { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Webhook deliveries" }, h("table", { class: "plain-table" }, h("thead", {}, head), h("tbody", {}, rows))) : null,
    );
  }
}

function noteForm(draft, send) {
  const field = h("textarea", { class: "text-input", rows: "2", "aria-label": "A note on this incident", placeholder: "A note on this incident", value: draft });
  const submit = async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    if (!(await send(text))) field.value = text;
  };
  return h("form", { class: "note-form", onsubmit: submit }, field, h("button", { type: "submit", class: "button small" }, "Add the note"));
}
