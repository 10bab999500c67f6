// Figures as people read them, by the unit that services.yaml names.

const FORMATS = {
  ratio: (value) => `${(value * 100).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`,
  ms: (value) => (value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${Math.round(value)} ms`),
  per_second: (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`,
  count: (value) => `${Math.round(value)}`,
  bytes: (value) => `${(value / 1024 ** 2).toFixed(0)} MB`,
};

/** A figure with its unit; a dash where there is none. */
export function figure(value, unit) {
  return value === null || value === undefined ? "–" : FORMATS[unit](value);
}

export const STATE_WORDS = { ok: "Healthy", warning: "Degraded", critical: "Failing", unknown: "No figures" };
