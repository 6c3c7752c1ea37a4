import { FlotillaError } from '../lib/errors.ts';

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `5m`, `1h30m`, `500ms` → milliseconds. Throws BadUsage naming the option. */
export function parseDurationMs(text: string, option: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new FlotillaError('BadUsage', `${option} "${text}" is no duration`, { hint: 'such as 90s, 5m or 1h30m' });
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (unitsMs[part[2] ?? ''] ?? 0), 0);
}
