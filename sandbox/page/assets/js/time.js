// Times as people read them, in the time zone and language of the browser.

const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECOND = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", month: "long", day: "numeric" });

/** The Date of a message's `ts`. */
export const dateOf = (ts) => new Date(Number(ts) * 1000);
export const clock = (date) => MINUTE.format(date);
export const shortClock = (date) => SHORT.format(date);
export const clockWithSeconds = (date) => SECOND.format(date);
export const fullTime = (date) => FULL.format(date);

/** Today, Yesterday, or the day. */
export function dayOf(date) {
  return relativeDay(date) || DAY.format(date);
}

function relativeDay(date) {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const days = Math.floor((midnight - date) / 86_400_000) + 1;
  return { 0: "Today", 1: "Yesterday" }[date >= midnight ? 0 : days] || "";
}

/** Seconds in words, such as `4 min`. */
export function span(seconds) {
  const units = [["day", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  const [unit, size] = units.find(([, size]) => seconds >= size) || units[3];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${unit === "day" && count !== 1 ? "s" : ""}`;
}

const part = (options) => (date) => new Intl.DateTimeFormat(undefined, options).format(date);
const pretty = (format) => (date) => relativeDay(date).toLowerCase() || format(date);
const long = part({ weekday: "long", year: "numeric", month: "long", day: "numeric" });
const medium = part({ year: "numeric", month: "long", day: "numeric" });
const short = part({ year: "numeric", month: "short", day: "numeric" });
const number = (date) => {
  const two = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
};

// Slack: "Formatting text for app surfaces", date formatting.
const TOKENS = {
  date_num: number,
  date_slash: part({ year: "numeric", month: "2-digit", day: "2-digit" }),
  date_long: long,
  date_long_full: long,
  date_long_pretty: pretty(long),
  date: medium,
  date_pretty: pretty(medium),
  date_short: short,
  date_short_pretty: pretty(short),
  day_divider_pretty: (date) => dayOf(date),
  time: clock,
  time_secs: clockWithSeconds,
  ago: (date) => `${span(Math.max(0, (Date.now() - date) / 1000))} ago`,
};

/** A date token's text; the fallback where the format is not understood. */
export function formatDate(seconds, format, fallback) {
  const date = new Date(Number(seconds) * 1000);
  let known = Number.isFinite(date.getTime());
  const text = format.replace(/\{(\w+)\}/g, (_, name) => {
    known = known && name in TOKENS;
    return known ? TOKENS[name](date) : "";
  });
  return known ? text : fallback || format;
}
