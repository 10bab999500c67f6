// What the page knows: people, conversations and messages, kept equal to the stand-in by its events.

import { get } from "./api.js";
import { emit } from "./bus.js";

/** Which parts are up and where their links lead: {up, links, model}. */
export const parts = { up: {}, links: {}, model: "" };
/** The last that the fleet, PagerDuty and Confluence said; null until then. */
export const seen = { fleet: null, pagerduty: null, confluence: null };

export const world = { people: new Map(), conversations: new Map(), usergroups: {}, bot: "", approvers: [], feed: 0 };

/** A conversation's messages: the top level, the replies' authors by parent, and the threads that were opened. */
class Log {
  constructor() {
    this.loaded = null;
    this.top = new Map();
    this.replies = new Map();
    this.threads = new Map();
    this.prompts = null;
  }
}

const logs = new Map();
const statuses = new Map();
export const unread = new Map(); // conversation -> how many messages came while it was not looked at
export const homes = new Map(); // person -> the view that the app published

let acting = null;

/** Who is at the keyboard. */
export const me = () => acting;

/** Be somebody else from now on; kept for this tab. */
export function actAs(id) {
  acting = world.people.get(id);
  sessionStorage.setItem("acting", id);
  unread.clear();
  emit("me", acting);
}

/** Read who is there, before everything else; false while Slack is still starting. */
export async function begin() {
  const found = await get("/api/slack/world");
  if (found.starting) return false;
  world.people = new Map(found.people.map((person) => [person.id, person]));
  world.conversations = new Map(found.conversations.map((each) => [each.id, each]));
  Object.assign(world, { usergroups: found.usergroups, bot: found.bot.user, approvers: found.approvers, feed: found.feed });
  const first = found.people.find((person) => !person.is_bot);
  acting = world.people.get(sessionStorage.getItem("acting")) || first;
  return true;
}

/** The conversations of whoever is at the keyboard. */
export function myConversations() {
  return [...world.conversations.values()].filter((each) => each.members.includes(acting.id));
}

export function logOf(channel) {
  if (!logs.has(channel)) logs.set(channel, new Log());
  return logs.get(channel);
}

/** Read a conversation's top level, once. */
export function loadChannel(channel) {
  const log = logOf(channel);
  log.loaded ||= get("/api/slack/channel", { channel }).then((found) => {
    for (const message of found.messages) keepNewer(log.top, message);
    for (const [ts, replies] of Object.entries(found.replies)) {
      for (const reply of replies) repliesOf(log, ts).set(reply.ts, reply.name);
    }
    log.prompts = found.prompts;
  });
  log.loaded.catch(() => (log.loaded = null));
  return log.loaded;
}

/** Read a thread, once; its messages by ts, the parent among them. */
export async function loadThread(channel, ts) {
  const log = logOf(channel);
  if (!log.threads.has(ts)) {
    const thread = new Map();
    log.threads.set(ts, thread);
    try {
      const found = await get("/api/slack/thread", { channel, ts });
      for (const message of found.messages) keepNewer(thread, message);
      if (found.status) setStatus(channel, ts, found.status);
    } catch (error) {
      log.threads.delete(ts);
      throw error;
    }
  }
  return log.threads.get(ts);
}

/** What was read may be older than what an event has told meanwhile: the event's word stays. */
function keepNewer(messages, message) {
  if (!messages.has(message.ts)) messages.set(message.ts, message);
}

function repliesOf(log, ts) {
  if (!log.replies.has(ts)) log.replies.set(ts, new Map());
  return log.replies.get(ts);
}

/** Messages in order, without what only others see. */
export function visible(messages) {
  return [...messages.values()]
    .filter((message) => !message.ephemeral_to || message.ephemeral_to === acting.id)
    .sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

function keep(channel, message) {
  const log = logOf(channel);
  const parent = message.thread_ts || message.ts;
  log.threads.get(parent)?.set(message.ts, message);
  if (!isReply(message) || message.subtype === "thread_broadcast") {
    if (log.loaded) log.top.set(message.ts, message);
  }
  if (isReply(message) && !message.ephemeral_to) repliesOf(log, parent).set(message.ts, message.name);
}

function forget({ channel, ts, thread_ts: parent }) {
  const log = logOf(channel);
  if (log.replies.get(ts)?.size) {
    const left = { ts, thread_ts: ts, name: "Slackbot", text: "This message was deleted.", subtype: "tombstone" };
    keep(channel, { blocks: [], attachments: [], files: [], reactions: {}, ...left });
    return;
  }
  log.top.delete(ts);
  log.threads.get(parent)?.delete(ts);
  log.replies.get(parent)?.delete(ts);
}

/** Leave out a message that only its reader sees. */
export function dismiss(channel, message) {
  const log = logOf(channel);
  log.top.delete(message.ts);
  for (const thread of log.threads.values()) thread.delete(message.ts);
  emit("messages", { channel, ts: message.ts, thread_ts: message.thread_ts || message.ts });
}

const STATUS_LIVES = 120_000; // milliseconds; Slack: assistant.threads.setStatus

function setStatus(channel, ts, status) {
  const key = `${channel}/${ts}`;
  if (status?.status) statuses.set(key, { ...status, until: Date.now() + STATUS_LIVES });
  else statuses.delete(key);
  if (status?.status) setTimeout(() => emit("status", { channel, ts }), STATUS_LIVES + 100);
  emit("status", { channel, ts });
}

/** What the app is doing in a thread; null for nothing. */
export function statusOf(channel, ts) {
  const status = statuses.get(`${channel}/${ts}`);
  return status && status.until > Date.now() ? status : null;
}

const TAKES = {
  "message.posted": takeMessage,
  "message.changed": takeMessage,
  "message.ephemeral": takeMessage,
  "reaction.added": takeMessage,
  "reaction.removed": takeMessage,
  "message.deleted": (data) => {
    forget(data);
    emit("messages", data);
  },
  status: (data) => setStatus(data.channel, data.thread_ts, data),
  prompts: (data) => {
    if (!data.thread_ts) logOf(data.channel).prompts = { title: data.title, prompts: data.prompts };
    emit("prompts", data);
  },
  home: (data) => {
    homes.set(data.user, data.view);
    emit("home", data);
  },
  modal: (data) => emit("modal", data),
};

/** The names of the stand-in's events. */
export const CHAT_EVENTS = Object.keys(TAKES);

/** Take one event of the stand-in. */
export function take(kind, data) {
  TAKES[kind](data);
}

function takeMessage(data) {
  keep(data.channel, data.message);
  emit("messages", data);
}
