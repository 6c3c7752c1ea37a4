export interface BackoffOptions {
  /** Wait after the first failure. */
  readonly initialMs: number;
  readonly maxMs: number;
  /** Default 2. */
  readonly factor?: number;
  /** Share of the wait that is random, 0..1. Default 0.2. */
  readonly jitter?: number;
}

/** The wait before try number `failures + 1`; `random` in [0, 1). */
export function backoffMs(failures: number, options: BackoffOptions, random: () => number = Math.random): number {
  if (failures <= 0) return 0;
  const factor = options.factor ?? 2;
  const jitter = options.jitter ?? 0.2;
  const full = Math.min(options.maxMs, options.initialMs * factor ** Math.min(failures - 1, 60));
  return Math.round(full * (1 - jitter) + full * jitter * random());
}
