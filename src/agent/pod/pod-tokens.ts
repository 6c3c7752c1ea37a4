import type { ServiceAccountTokenProjection } from 'kubernetes-types/core/v1.js';
import type { Clock } from '../../lib/clock.ts';
import { hasCode } from '../../lib/errors.ts';
import type { Pod } from '../../resources/kinds.ts';

/** Tokens of service accounts for the pods of this node: asked for when first needed, renewed before they end. */
export interface PodTokens {
  /**
   * One that has at least a fifth of its life before it. While no server answers: the one there was, however old. Throws
   * Unavailable when there was none, ApiError when the server refuses.
   */
  get(pod: Pod, wanted: WantedToken): Promise<PodToken>;
  /** For the copy on disk. */
  known(): readonly StoredToken[];
  remember(tokens: readonly StoredToken[]): void;
  keepOnly(podUids: ReadonlySet<string>): void;
}

/** What a `serviceAccountToken` source of a projected volume asks for. */
export interface WantedToken {
  /** Undefined: that of this cluster's API. */
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
}

export interface PodToken {
  readonly token: string;
  /** When the next one is to be fetched, monotonic. */
  readonly renewAtMs: number;
}

export interface StoredToken {
  readonly podUid: string;
  readonly audience?: string;
  readonly expirationSeconds: number;
  readonly token: string;
  /** Wall clock: what is on disk outlives this process. */
  readonly issuedAtMs: number;
}

/** `POST serviceaccounts/<name>/token`, bound to the pod. */
export type RequestToken = (pod: Pod, wanted: WantedToken, signal: AbortSignal) => Promise<string>;

export interface PodTokensOptions {
  readonly request: RequestToken;
  readonly clock: Clock;
}

interface Held {
  readonly stored: StoredToken;
  readonly renewAtMs: number;
}

const timeoutMs = 5_000;
const defaultSeconds = 3_600;
/** Of a token that is due while no server answers. */
const retryMs = 10_000;
/** As Kubernetes': four fifths of its life, and at the latest after a day. */
const usedShare = 0.8;
const maxUsedMs = 24 * 3_600_000;

export function createPodTokens({ request, clock }: PodTokensOptions): PodTokens {
  const held = new Map<string, Held>();
  const asking = new Map<string, Promise<PodToken>>();

  const hold = (key: string, stored: StoredToken): PodToken => {
    const ageMs = Math.max(0, clock.wallMs() - stored.issuedAtMs);
    const usableMs = Math.min(maxUsedMs, stored.expirationSeconds * 1_000 * usedShare);
    const renewAtMs = clock.monotonicMs() + Math.max(0, usableMs - ageMs);
    held.set(key, { stored, renewAtMs });
    return { token: stored.token, renewAtMs };
  };

  const ask = async (key: string, pod: Pod, { audience, expirationSeconds }: WantedToken): Promise<PodToken> => {
    const before = held.get(key);
    try {
      const token = await request(pod, { audience, expirationSeconds }, AbortSignal.timeout(timeoutMs));
      const more = audience === undefined ? {} : { audience };
      const podUid = pod.metadata.uid ?? '';
      return hold(key, { podUid, expirationSeconds, token, issuedAtMs: clock.wallMs(), ...more });
    } catch (error) {
      const isAway = hasCode(error, 'Unavailable') || (error instanceof Error && error.name === 'TimeoutError');
      if (!before || !isAway) throw error;
      return { token: before.stored.token, renewAtMs: clock.monotonicMs() + retryMs };
    }
  };

  return {
    get(pod, wanted) {
      const key = keyOf(pod.metadata.uid ?? '', wanted);
      const known = held.get(key);
      if (known && known.renewAtMs > clock.monotonicMs()) {
        return Promise.resolve({ token: known.stored.token, renewAtMs: known.renewAtMs });
      }
      let asked = asking.get(key);
      if (!asked) {
        asked = ask(key, pod, wanted).finally(() => asking.delete(key));
        asking.set(key, asked);
      }
      return asked;
    },
    known: () => [...held.values()].map(({ stored }) => stored),
    remember(tokens) {
      for (const stored of tokens) hold(keyOf(stored.podUid, { audience: undefined, ...stored }), stored);
    },
    keepOnly(podUids) {
      for (const [key, { stored }] of held) if (!podUids.has(stored.podUid)) held.delete(key);
    },
  };
}

function keyOf(podUid: string, { audience, expirationSeconds }: WantedToken): string {
  return JSON.stringify([podUid, audience ?? '', expirationSeconds]);
}

/** Those that a pod's volumes ask for, each once. */
export function wantedTokensOf(pod: Pod): WantedToken[] {
  const found = new Map<string, WantedToken>();
  for (const { projected } of pod.spec.volumes ?? []) {
    for (const { serviceAccountToken } of projected?.sources ?? []) {
      if (serviceAccountToken) found.set(JSON.stringify(serviceAccountToken), wantedToken(serviceAccountToken));
    }
  }
  return [...found.values()];
}

export function wantedToken(source: ServiceAccountTokenProjection): WantedToken {
  return { audience: source.audience || undefined, expirationSeconds: source.expirationSeconds ?? defaultSeconds };
}
