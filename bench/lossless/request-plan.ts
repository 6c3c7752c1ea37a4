import type { ConnectionKind } from './outcome.ts';

/** What one client process asks for, as data: the n-th request is the same in every run. */
export interface LoadPlan {
  /** Requests a second, those of idle connections not counted. */
  readonly rate: number;
  /** Weights. */
  readonly mix: Readonly<Partial<Record<ConnectionKind, number>>>;
  /** Share of requests that the application takes `slowMs` for. */
  readonly slowShare: number;
  readonly slowMs: number;
  /** Of them, every second one keeps the cookies it is given. */
  readonly users: number;
  readonly targets: number;
}

export interface PlannedRequest {
  readonly kind: ConnectionKind;
  readonly target: number;
  readonly user: number;
  /** How long the application is asked to take. */
  readonly delayMs: number;
}

export function planRequest(plan: LoadPlan, number: number): PlannedRequest {
  const roll = random(number, 1);
  return {
    kind: pick(plan.mix, random(number, 0)),
    target: number % plan.targets,
    user: Math.floor(random(number, 2) * plan.users),
    delayMs: roll < plan.slowShare ? plan.slowMs : 0,
  };
}

/** When the n-th is due, ms after the start: by the plan, never by what became of the others. */
export function dueMs(plan: LoadPlan, number: number): number {
  return (number * 1_000) / plan.rate;
}

export function keepsCookies(user: number): boolean {
  return user % 2 === 0;
}

/** 1 to 30 s, for the `round`-th rest of a connection. */
export function idleMs(connection: number, round: number): number {
  return 1_000 + 29_000 * random(connection * 1_009 + round, 3);
}

function pick(mix: LoadPlan['mix'], share: number): ConnectionKind {
  const entries = Object.entries(mix) as [ConnectionKind, number][];
  let left = share * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of entries) {
    left -= weight;
    if (left < 0) return kind;
  }
  throw new Error('a mix without weights');
}

/** [0, 1) from two numbers (mulberry32). */
export function random(number: number, stream: number): number {
  let state = (Math.imul(number + 1, 0x9e3779b1) + Math.imul(stream + 1, 0x85ebca6b)) | 0;
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
}
