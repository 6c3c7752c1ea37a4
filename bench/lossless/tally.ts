import { Histogram, type HistogramData } from './histogram.ts';
import type { ConnectionKind, FailureStage } from './outcome.ts';
import type { WebSocketCounts } from './web-sockets.ts';

/** One request that was not answered as it should be; each is kept. */
export interface Failure {
  readonly id: string;
  /** When it failed, ms since 1970. */
  readonly atMs: number;
  readonly phase: string;
  readonly kind: ConnectionKind;
  /** `10.99.0.1:80` */
  readonly target: string;
  readonly stage: FailureStage;
  readonly error: string;
  /** From its turn, with the connection that it may have needed, to its failure. */
  readonly afterMs: number;
  /** How long its connection had rested before; 0 for a new one. */
  readonly restedMs: number;
  /** It was one that the application takes long for. */
  readonly isSlow: boolean;
}

/** Of one phase, or of one kind of connection. */
export interface CountsData {
  readonly answered: number;
  readonly failed: number;
  /** Told in so many words that it was not processed. */
  readonly refused: number;
  /** From the moment it was due to its last byte, without what the application was asked to take. */
  readonly latency: HistogramData;
}

/** What a client process says in the end. */
export interface LoadReport {
  readonly client: number;
  /** Ids are `<client>-<0 … sent − 1>`. */
  readonly sent: number;
  readonly phases: Readonly<Record<string, CountsData>>;
  readonly kinds: Readonly<Record<string, CountsData>>;
  readonly failures: readonly Failure[];
  /** Failures beyond those that are kept in full. */
  readonly failuresLeftOut: number;
  /** Numbers of all requests that did not get their 200, refused ones too. */
  readonly notAnswered: readonly number[];
  readonly refused: readonly number[];
  /** How much later than due the client itself was. */
  readonly lateness: HistogramData;
  readonly connections: ConnectionCounts;
}

export interface ConnectionCounts {
  readonly opened: number;
  /** Ended by the other side while nothing was asked on them. */
  readonly closedIdle: Readonly<Record<'fin' | 'reset' | 'unasked bytes', number>>;
  readonly goaways: number;
  /** Given to another connection, since a GOAWAY was read before a byte of them was written. */
  readonly unsent: number;
  /** Fingerprints of certificates that were shown. */
  readonly certificates: readonly string[];
  /** Users with a cookie who were answered by another instance than before. */
  readonly moved: number;
  readonly webSockets: WebSocketCounts;
}

const maxFailures = 20_000;

class Counts {
  answered = 0;
  failed = 0;
  refused = 0;
  readonly latency = new Histogram();

  toJSON(): CountsData {
    const { answered, failed, refused, latency } = this;
    return { answered, failed, refused, latency: latency.toJSON() };
  }
}

/** Keeps count in one client process. */
export class Tally {
  readonly lateness = new Histogram();
  readonly failures: Failure[] = [];
  readonly notAnswered: number[] = [];
  readonly refused: number[] = [];
  failuresLeftOut = 0;
  readonly #phases = new Map<string, Counts>();
  readonly #kinds = new Map<string, Counts>();
  phase = 'start';

  answered(kind: ConnectionKind, latencyMs: number): void {
    for (const counts of this.#of(kind)) {
      counts.answered++;
      counts.latency.add(latencyMs);
    }
  }

  failed(number: number, failure: Failure): void {
    this.notAnswered.push(number);
    if (failure.stage === 'refused') this.refused.push(number);
    for (const counts of this.#of(failure.kind)) {
      if (failure.stage === 'refused') counts.refused++;
      else counts.failed++;
    }
    if (this.failures.length < maxFailures) this.failures.push(failure);
    else this.failuresLeftOut++;
  }

  report(client: number, sent: number, connections: ConnectionCounts): LoadReport {
    return {
      ...{ client, sent, connections, failures: this.failures, failuresLeftOut: this.failuresLeftOut },
      ...{ notAnswered: this.notAnswered, refused: this.refused, lateness: this.lateness.toJSON() },
      phases: toRecord(this.#phases),
      kinds: toRecord(this.#kinds),
    };
  }

  #of(kind: ConnectionKind): readonly Counts[] {
    return [countsOf(this.#phases, this.phase), countsOf(this.#kinds, kind)];
  }
}

function countsOf(all: Map<string, Counts>, key: string): Counts {
  const found = all.get(key);
  if (found) return found;
  const made = new Counts();
  all.set(key, made);
  return made;
}

function toRecord(all: ReadonlyMap<string, Counts>): Record<string, CountsData> {
  return Object.fromEntries([...all].map(([key, counts]) => [key, counts.toJSON()]));
}
