// Emoji by the names that people type between colons. What is not here is shown as it was written.

export const EMOJI = new Map(
  Object.entries({
    "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", eyes: "👀", white_check_mark: "✅", heavy_check_mark: "✔️",
    x: "❌", warning: "⚠️", rotating_light: "🚨", fire: "🔥", tada: "🎉", rocket: "🚀", bug: "🐛", hourglass: "⌛",
    hourglass_flowing_sand: "⏳", mag: "🔍", bar_chart: "📊", chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉",
    red_circle: "🔴", large_orange_circle: "🟠", large_yellow_circle: "🟡", large_green_circle: "🟢", large_blue_circle: "🔵",
    bell: "🔔", no_bell: "🔕", memo: "📝", wrench: "🔧", hammer_and_wrench: "🛠️", gear: "⚙️", robot_face: "🤖", wave: "👋",
    pray: "🙏", clap: "👏", raised_hands: "🙌", muscle: "💪", ok_hand: "👌", point_right: "👉", point_down: "👇",
    thinking_face: "🤔", smile: "😄", slightly_smiling_face: "🙂", joy: "😂", sob: "😭", sweat_smile: "😅", scream: "😱",
    heart: "❤️", broken_heart: "💔", 100: "💯", boom: "💥", zap: "⚡", bulb: "💡", question: "❓", exclamation: "❗",
    information_source: "ℹ️", no_entry: "⛔", no_entry_sign: "🚫", octagonal_sign: "🛑", hand: "✋", raised_hand: "✋",
    arrow_up: "⬆️", arrow_down: "⬇️", arrows_counterclockwise: "🔄", repeat: "🔁", lock: "🔒", unlock: "🔓", key: "🔑",
    calendar: "📅", clock1: "🕐", stopwatch: "⏱️", alarm_clock: "⏰", package: "📦", computer: "💻", floppy_disk: "💾",
    phone: "☎️", pager: "📟", speech_balloon: "💬", paperclip: "📎", link: "🔗", pushpin: "📌", star: "⭐", sparkles: "✨",
    coffee: "☕", beers: "🍻", ambulance: "🚑", fire_engine: "🚒", construction: "🚧", ship: "🚢", ghost: "👻", skull: "💀",
  }),
);

/** Offered first when somebody reacts. */
export const OFTEN = ["eyes", "white_check_mark", "+1", "tada", "pray", "thinking_face", "rotating_light", "fire"];

/** The character of an emoji, or its name as it was written. */
export function emojiOf(name) {
  return EMOJI.get(name.split("::")[0]) || `:${name}:`;
}

/** Text with the known emoji in it. */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+'-]+):/g, (written, name) => EMOJI.get(name) || written);
}
