// task_card and plan: the steps of a run, with their state, and what went in and came out.

import { h, icon } from "../dom.js";
import { link } from "./mentions.js";
import { richText } from "./rich_text.js";
import { problem } from "./problem.js";

const STATES = { pending: "Waiting", in_progress: "In progress", complete: "Done", error: "Failed" };
const opened = new Map(); // what a reader opened or closed stays so while the message grows

/** A step. */
export function taskCard(block) {
  const state = STATES[block.status];
  if (!state) return problem(`a task with the status “${block.status}”`, block);
  const head = [h("span", { class: `task-state ${block.status}`, title: state }, h("span", { class: "unseen" }, `${state}: `)), h("span", { class: "task-title" }, block.title)];
  const inside = [
    block.details && h("div", { class: "task-details" }, richText(block.details)),
    block.output && h("div", { class: "task-output" }, richText(block.output)),
    block.sources && h("div", { class: "task-sources" }, block.sources.map((each) => link(each.url, each.text, { class: "chip" }))),
  ];
  if (!inside.some(Boolean)) return h("div", { class: "task" }, h("div", { class: "task-line" }, head));
  return foldable(`task ${block.task_id}`, block.status === "error", "task", head, inside);
}

/** The steps of a run below their title. */
export function plan(block) {
  const done = block.tasks.filter((task) => task.status === "complete").length;
  const running = block.tasks.some((task) => task.status === "in_progress");
  const head = [
    h("span", { class: "plan-mark", "aria-hidden": "true" }, icon("fleet")),
    h("span", { class: "plan-title" }, block.title),
    block.tasks.length > 0 && h("span", { class: "plan-count" }, `${done} of ${block.tasks.length}`),
  ];
  const key = `plan ${block.block_id || block.tasks[0]?.task_id || block.title}`;
  const tasks = h("ol", { class: "tasks" }, block.tasks.map((task) => h("li", {}, taskCard(task))));
  return foldable(key, true, `plan${running ? " running" : ""}`, head, tasks);
}

function foldable(key, atFirst, name, head, inside) {
  const details = h("details", { class: name, open: opened.get(key) ?? atFirst }, h("summary", {}, head), inside);
  details.addEventListener("toggle", () => opened.set(key, details.open));
  return details;
}
