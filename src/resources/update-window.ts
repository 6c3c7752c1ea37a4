/** A time of day, every day: local minutes since midnight. `end` ≤ `start`: it goes on past midnight. */
export interface UpdateWindow {
  readonly startMinutes: number;
  readonly endMinutes: number;
  /** IANA, such as `Europe/Helsinki`. */
  readonly timezone: string;
}

const dayMs = 86_400_000;

/** `02:00-04:00`; undefined when it is none, or when it is empty. */
export function parseWindowTimes(text: string): Omit<UpdateWindow, 'timezone'> | undefined {
  const match = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$/.exec(text);
  if (!match) return undefined;
  const [startMinutes, endMinutes] = [minutes(match[1], match[2]), minutes(match[3], match[4])];
  return startMinutes === endMinutes || endMinutes > 1_440 ? undefined : { startMinutes, endMinutes };
}

function minutes(hour: string | undefined, minute: string | undefined): number {
  return Number(hour) * 60 + Number(minute);
}

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** For messages of validation. */
export function windowProblems(text: string): readonly string[] {
  return parseWindowTimes(text) ? [] : ['must be two times of a day such as 02:00-04:00'];
}

export function timezoneProblems(name: string): readonly string[] {
  return isTimezone(name) ? [] : ['must be a time zone such as Europe/Helsinki'];
}

/** From its first minute to just before its last. */
export function isInWindow(window: UpdateWindow, nowMs: number): boolean {
  const atMs = localMs(window.timezone, nowMs);
  const [startMs, endMs] = [window.startMinutes * 60_000, window.endMinutes * 60_000];
  return startMs < endMs ? atMs >= startMs && atMs < endMs : atMs >= startMs || atMs < endMs;
}

/**
 * When it opens next; `nowMs` when it is open. On a day whose clock jumps, the first guess is wrong by the jump, and is mended by
 * what the clock says there; a window that a jump leaves out altogether opens the day after.
 */
export function windowOpensAtMs(window: UpdateWindow, nowMs: number): number {
  const startMs = window.startMinutes * 60_000;
  let atMs = nowMs;
  for (let hop = 0; hop < 6 && !isInWindow(window, atMs); hop += 1) {
    const leftMs = startMs - localMs(window.timezone, atMs);
    const guessMs = atMs + (leftMs > 0 ? leftMs : leftMs + dayMs);
    const mendedMs = guessMs + startMs - localMs(window.timezone, guessMs);
    atMs = mendedMs > atMs && isInWindow(window, mendedMs) ? mendedMs : guessMs;
  }
  return atMs;
}

/** `02:00-04:00 Europe/Helsinki` */
export function formatWindow(window: UpdateWindow): string {
  const clock = (at: number) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
  return `${clock(window.startMinutes)}-${clock(window.endMinutes)} ${window.timezone}`;
}

/** Milliseconds since local midnight. */
function localMs(timezone: string, nowMs: number): number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = new Map(format.formatToParts(nowMs).map(({ type, value }) => [type, Number(value)]));
  const seconds = (parts.get('hour') ?? 0) * 3_600 + (parts.get('minute') ?? 0) * 60 + (parts.get('second') ?? 0);
  return seconds * 1_000 + (((nowMs % 1_000) + 1_000) % 1_000);
}
