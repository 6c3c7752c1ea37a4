import type { StreamPart } from './stream-demux.ts';

/** `2026-01-02T03:04:05.678901234Z `, always this long. */
const timeBytes = 31;

/**
 * The engine keeps a line of more than 16 KiB in pieces, and gives each piece a time when it is asked for times. Takes all but the first
 * one out.
 */
export class TimesInLongLines {
  readonly #of = {
    stdout: { isInLine: false, toDrop: 0 },
    stderr: { isInLine: false, toDrop: 0 },
  };

  /** Undefined: nothing is left of it. */
  take(part: StreamPart): StreamPart | undefined {
    const state = this.#of[part.stream];
    if (part.isStart) state.toDrop = state.isInLine ? timeBytes : 0;
    const data = part.data.subarray(state.toDrop);
    state.toDrop = Math.max(0, state.toDrop - part.data.byteLength);
    if (part.data.byteLength > 0) state.isInLine = part.data.at(-1) !== 10;
    return data.byteLength > 0 ? { ...part, data } : undefined;
  }
}
