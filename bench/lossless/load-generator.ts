import { KeepAlivePool, StreamPool } from './connection-pool.ts';
import { openHttp1 } from './http1-connection.ts';
import { openHttp2 } from './http2-connection.ts';
import { judge } from './judge.ts';
import {
  type ConnectionKind,
  type FailureStage,
  messageOf,
  type WireConnection,
  type WireFailure,
  type WireRequest,
  type WireTarget,
} from './outcome.ts';
import { dueMs, idleMs, type LoadPlan, type PlannedRequest, planRequest } from './request-plan.ts';
import { type LoadReport, Tally } from './tally.ts';
import { Users } from './users.ts';
import { WebSockets } from './web-sockets.ts';

export interface LoadOptions {
  /** Of several client processes. */
  readonly client: number;
  readonly plan: LoadPlan;
  /** As many as `plan.targets`. */
  readonly http: readonly WireTarget[];
  /** Likewise; empty: no HTTP/2. */
  readonly https: readonly WireTarget[];
  readonly host: string;
  /** Connections that rest for 1 to 30 s before each use, besides `plan.rate`. */
  readonly idleConnections: { readonly h1: number; readonly h2: number };
  /** WebSockets, by turns at the targets of `http`. */
  readonly webSockets: number;
  /** Beyond what the application is asked to take. */
  readonly timeoutMs: number;
}

/** A hang must not become a load of another kind: what would come on top of so many under way fails. */
const maxUnderWay = 10_000;
/** Of which a request is given to the next one while nothing of it has been written. */
const maxConnections = 10;
const streamConnections = 6;
/** Between connections that rest: a handshake costs a server more than many requests. */
const openingPauseMs = 10;
const keepAliveConnections = { min: 25, max: 100 };

/** Sends when it is due, whatever became of what was sent before. */
export class LoadGenerator {
  readonly tally = new Tally();
  readonly #options: LoadOptions;
  readonly #keepAlive: readonly KeepAlivePool[];
  readonly #streams: readonly StreamPool[];
  readonly #users = new Users();
  readonly #closedIdle = { fin: 0, reset: 0, 'unasked bytes': 0 };
  readonly #certificates = new Set<string>();
  readonly #webSockets: WebSockets;
  readonly #rests = new Map<NodeJS.Timeout, () => void>();
  #isStopped = false;
  #next = 0;
  #underWay = 0;
  #opened = 0;
  #goaways = 0;
  #unsent = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#webSockets = new WebSockets({ targets: options.http, host: options.host, count: options.webSockets });
    this.#keepAlive = options.http.map(
      (_, target) => new KeepAlivePool(() => this.#openH1(target), keepAliveConnections),
    );
    this.#streams = options.https.map((_, target) => new StreamPool(() => this.#openH2(target), streamConnections));
  }

  get sent(): number {
    return this.#next;
  }

  /** The first request is on its way, and the connections that rest are being opened. */
  start(): void {
    this.#webSockets.start();
    const { h1, h2 } = this.#options.idleConnections;
    const kinds: ConnectionKind[] = [
      ...Array.from({ length: h1 }, (): ConnectionKind => 'h1-idle'),
      ...Array.from({ length: h2 }, (): ConnectionKind => 'h2-idle'),
    ];
    for (const [index, kind] of kinds.entries()) void this.#useNowAndThen(index, kind);
    const startedMs = performance.now();
    let number = 0;
    const send = () => {
      if (this.#isStopped) return;
      for (;;) {
        const atMs = startedMs + dueMs(this.#options.plan, number);
        if (atMs > performance.now()) break;
        void this.#sendPlanned(planRequest(this.#options.plan, number), atMs);
        number++;
      }
      setTimeout(send, 1);
    };
    send();
  }

  /** Sends nothing more; waits for what is under way. */
  async stop(): Promise<LoadReport> {
    this.#isStopped = true;
    for (const [timer, wake] of this.#rests) {
      clearTimeout(timer);
      wake();
    }
    const { plan, timeoutMs, client } = this.#options;
    const endMs = performance.now() + plan.slowMs + timeoutMs + 10_000;
    while (this.#underWay > 0 && performance.now() < endMs) await this.#rest(20);
    if (this.#underWay > 0) throw new Error(`${this.#underWay} requests have neither been answered nor failed`);
    for (const pool of [...this.#keepAlive, ...this.#streams]) pool.close();
    return this.tally.report(client, this.#next, {
      ...{ opened: this.#opened, closedIdle: this.#closedIdle, goaways: this.#goaways, moved: this.#users.moved },
      unsent: this.#unsent,
      ...{ certificates: [...this.#certificates], webSockets: this.#webSockets.stop() },
    });
  }

  async #sendPlanned(request: PlannedRequest, dueAtMs: number): Promise<void> {
    const { kind, target } = request;
    if (kind === 'h1-keep-alive') {
      const pool = this.#keepAlive[target]!;
      let uses = 0;
      await this.#send(
        request,
        dueAtMs,
        async () => {
          const taken = await pool.take();
          uses = taken.uses + 1;
          return taken;
        },
        (connection) => pool.giveBack(connection, uses),
      );
    } else if (kind === 'h2') {
      await this.#send(request, dueAtMs, async () => ({
        connection: await this.#streams[target]!.take(),
        restedMs: 0,
      }));
    } else {
      const open = kind === 'h2-new' ? () => this.#openH2(target) : () => this.#openH1(target);
      await this.#send(
        request,
        dueAtMs,
        async () => ({ connection: await open(), restedMs: 0 }),
        (connection) => connection.close(),
      );
    }
  }

  /** One connection that rests for long between its requests. Closed in order while it rests: nothing is lost, it is opened anew. */
  async #useNowAndThen(index: number, kind: ConnectionKind): Promise<void> {
    const target = index % this.#options.plan.targets;
    const seed = index + 1_000 * this.#options.client;
    const open = () => (kind === 'h2-idle' ? this.#openH2(target) : this.#openH1(target));
    let kept: WireConnection | undefined;
    // Not all at once. The first use is at once, as anybody's: what rests are connections that are kept alive.
    await this.#rest(index * openingPauseMs);
    for (let round = 0; !this.#isStopped; round++) {
      const connection = kept;
      const restedMs = round === 0 ? 0 : idleMs(seed, round - 1);
      kept = undefined;
      await this.#send(
        { kind, target, user: index % this.#options.plan.users, delayMs: 0 },
        performance.now(),
        async () => (connection?.isUsable() ? { connection, restedMs } : { connection: await open(), restedMs: 0 }),
        (used) => {
          kept = used;
        },
      );
      await this.#rest(idleMs(seed, round));
    }
    kept?.close();
  }

  async #send(
    request: PlannedRequest,
    dueAtMs: number,
    take: () => Promise<{ readonly connection: WireConnection | WireFailure; readonly restedMs: number }>,
    done?: (connection: WireConnection) => void,
  ): Promise<void> {
    const { host, timeoutMs } = this.#options;
    const number = this.#next++;
    const id = `${this.#options.client}-${number}`;
    this.tally.lateness.add(performance.now() - dueAtMs);
    if (this.#underWay >= maxUnderWay) {
      this.#failed(request, number, { stage: 'timeout', error: `${maxUnderWay} requests are under way` }, 0, 0);
      return;
    }
    this.#underWay++;
    try {
      const cookie = this.#users.cookieOf(request.user);
      const wire: WireRequest = {
        ...{ id, host, path: request.delayMs > 0 ? `/work?delay=${request.delayMs}` : '/work' },
        ...(cookie === undefined ? {} : { cookie }),
        timeoutMs: timeoutMs + request.delayMs,
      };
      for (let tries = 1; ; tries++) {
        const beganMs = performance.now();
        const { connection, restedMs } = await take();
        const outcome = 'send' in connection ? await connection.send(wire) : connection;
        if ('stage' in outcome && outcome.stage === 'unsent' && tries < maxConnections) {
          this.#unsent++;
          continue;
        }
        const verdict = judge(id, outcome);
        if ('stage' in verdict) this.#failed(request, number, verdict, performance.now() - beganMs, restedMs);
        else {
          this.tally.answered(request.kind, performance.now() - dueAtMs - request.delayMs);
          this.#users.answered(request.user, verdict.instance, verdict.setCookies);
        }
        if ('send' in connection) done?.(connection);
        return;
      }
    } catch (error) {
      this.#failed(request, number, { stage: 'wrong', error: `in the client: ${messageOf(error)}` }, 0, 0);
    } finally {
      this.#underWay--;
    }
  }

  #failed(
    { kind, target, delayMs }: PlannedRequest,
    number: number,
    { stage, error }: { readonly stage: FailureStage; readonly error: string },
    afterMs: number,
    restedMs: number,
  ): void {
    const { address, port } = (kind.startsWith('h2') ? this.#options.https : this.#options.http)[target]!;
    this.tally.failed(number, {
      ...{ id: `${this.#options.client}-${number}`, atMs: Date.now(), phase: this.tally.phase, kind, stage, error },
      ...{ target: `${address}:${port}`, isSlow: delayMs > 0 },
      ...{ afterMs: Math.round(afterMs * 100) / 100, restedMs: Math.round(restedMs) },
    });
  }

  #openH1(target: number): Promise<WireConnection | WireFailure> {
    this.#opened++;
    return openHttp1(this.#options.http[target]!, { closedWhileIdle: (how) => this.#closedIdle[how]++ });
  }

  #openH2(target: number): Promise<WireConnection | WireFailure> {
    this.#opened++;
    return openHttp2({
      target: this.#options.https[target]!,
      serverName: this.#options.host,
      onCertificate: (fingerprint) => this.#certificates.add(fingerprint),
      onGoaway: () => this.#goaways++,
    });
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#rests.delete(timer);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#rests.set(timer, wake);
    });
  }
}
