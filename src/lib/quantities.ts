const durationUnitsMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `1m30s`, `500ms`, `2h` (Compose's durations, and days) in milliseconds; undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  const part = /(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/y;
  let totalMs = 0;
  let at = 0;
  while (at < text.length) {
    part.lastIndex = at;
    const match = part.exec(text);
    if (!match) return undefined;
    totalMs += Number(match[1]) * (durationUnitsMs[match[2] ?? ''] ?? 0);
    at = part.lastIndex;
  }
  return at === 0 || totalMs > maxDurationMs ? undefined : totalMs;
}

const maxDurationMs = 366 * 86_400_000;

const byteUnits: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `512m`, `1.5gb`, `64KiB`, `1024` in bytes: units are powers of 1,024, as everywhere in Compose. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*(?:([kmgt])(?:i?b?)?|b)?$/i.exec(text.trim());
  if (!match) return undefined;
  const bytes = Math.floor(Number(match[1]) * (byteUnits[(match[2] ?? 'b').toLowerCase()] ?? 1));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `0.5` → 500. */
export function parseCpuMillis(text: string): number | undefined {
  if (!/^\d{1,6}(\.\d{1,6})?$/.test(text)) return undefined;
  const millis = Math.round(Number(text) * 1000);
  return millis > 0 ? millis : undefined;
}
