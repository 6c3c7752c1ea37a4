import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../../lib/clock.ts';
import { parseUpstream, type Upstream } from './exchange.ts';

export interface ResolversOptions {
  readonly upstreams?: readonly string[];
  readonly resolvConfPath: string;
  /** Addresses that are ourselves: asking them would go round in circles. */
  readonly isOwn: (upstream: Upstream) => boolean;
  readonly clock: Clock;
}

const lookAgainMs = 1_000;
/** So long a resolver that failed is asked after all others; twice as long each time, up to the second. */
const holdMs = 10_000;
const maxHoldMs = 60_000;

/** The host's own resolvers, those that answer first. /etc/resolv.conf is read again when it is another file. */
export class Resolvers {
  readonly #options: ResolversOptions;
  #upstreams: readonly Upstream[];
  readonly #held = new Map<string, { untilMs: number; lastMs: number }>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #version = '';

  constructor(options: ResolversOptions) {
    this.#options = options;
    this.#upstreams = (options.upstreams ?? []).map(parseUpstream);
  }

  async inOrder(): Promise<readonly Upstream[]> {
    if (!this.#options.upstreams) await this.#look();
    const nowMs = this.#options.clock.monotonicMs();
    const usable = this.#upstreams.filter((one) => !this.#options.isOwn(one));
    const isHeld = (one: Upstream) => (this.#held.get(keyOf(one))?.untilMs ?? Number.NEGATIVE_INFINITY) > nowMs;
    return [...usable.filter((one) => !isHeld(one)), ...usable.filter(isHeld)];
  }

  markGood(upstream: Upstream): void {
    this.#held.delete(keyOf(upstream));
  }

  markBad(upstream: Upstream): void {
    const nowMs = this.#options.clock.monotonicMs();
    const before = this.#held.get(keyOf(upstream));
    if (before && before.untilMs > nowMs) return;
    const lastMs = before ? Math.min(before.lastMs * 2, maxHoldMs) : holdMs;
    this.#held.set(keyOf(upstream), { untilMs: nowMs + lastMs, lastMs });
  }

  async #look(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < lookAgainMs) return;
    this.#lookedAtMs = nowMs;
    const { resolvConfPath } = this.#options;
    const found = await stat(resolvConfPath).catch(() => undefined);
    const version = found ? `${found.dev}/${found.ino}/${found.mtimeMs}/${found.size}` : '';
    if (version === this.#version) return;
    const text = await readFile(resolvConfPath, 'utf8').catch(() => '');
    this.#version = version;
    this.#upstreams = parseNameservers(text).map(parseUpstream);
    this.#held.clear();
  }
}

function keyOf({ address, port }: Upstream): string {
  return `${address} ${port}`;
}

/** The `nameserver` lines of resolv.conf(5). */
export function parseNameservers(text: string): string[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .filter((address) => isIP(address) !== 0);
}
