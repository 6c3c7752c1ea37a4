import { parseDurationMs } from '../durations.ts';

export interface WaitFlags {
  readonly wait: boolean;
  readonly timeout: string;
}

/** Undefined: it shall not be waited for. Throws BadUsage. */
export function waitMs({ wait, timeout }: WaitFlags): number | undefined {
  const timeoutMs = parseDurationMs(timeout, '--timeout');
  return wait ? timeoutMs : undefined;
}
