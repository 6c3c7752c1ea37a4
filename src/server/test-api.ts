// For tests: the API over a store in memory, everybody allowed, called without a network.
import type { IncomingMessage } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { type Clock, systemClock } from '../lib/clock.ts';
import { Metrics } from '../lib/metrics.ts';
import { allKinds } from '../resources/kinds.ts';
import { createMemoryStore } from '../store/memory.ts';
import type { Store } from '../store/port.ts';
import type { HistoryBounds } from './cache/event-ring.ts';
import { startWatchCache, type WatchCache } from './cache/watch-cache.ts';
import { createKubeHandler } from './kube/handler.ts';
import { ensureNamespaces } from './registry/bootstrap.ts';
import type { TokenIssuer } from './registry/call.ts';
import { createCipher } from './registry/cipher.ts';
import { createObjectCodec } from './registry/object-codec.ts';
import { commitHistogram, createRegistry, type Registry } from './registry/registry.ts';
import { readResourceVersions } from './registry/resource-version.ts';
import type { AuditRecord, Authorizer, HttpResponse, KubeHandler, PodStreams, RequestContext } from './request.ts';

export interface TestApiOptions {
  readonly store?: Store;
  readonly clock?: Clock;
  readonly authorizer?: Authorizer;
  readonly podStreams?: PodStreams;
  readonly tokenIssuer?: TokenIssuer;
  readonly history?: HistoryBounds;
}

export interface TestApi {
  readonly store: Store;
  readonly cache: WatchCache;
  readonly registry: Registry;
  readonly handler: KubeHandler;
  readonly audited: AuditRecord[];
  readonly metrics: Metrics;
  context(signal?: AbortSignal): RequestContext;
  call(method: string, path: string, options?: TestCall): Promise<TestAnswer>;
  /** The lines of a watch as they come; ends with the watch. */
  watch(path: string, signal: AbortSignal, headers?: Record<string, string>): AsyncIterable<WatchLine>;
  stop(): Promise<void>;
}

export interface TestCall {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestAnswer {
  readonly code: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
}

export interface WatchLine {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly object: any;
}

/** Everybody may do everything. */
export const allowAll: Authorizer = {
  authorize: () => ({ allowed: true }),
  authorizePath: () => ({ allowed: true }),
  rulesOf: () => ({ rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], problems: [], isIncomplete: false }),
  rulesOfRole: () => [],
};

const noStreams: PodStreams = {
  logs: async () => {
    throw new Error('this test has no pod streams');
  },
  upgrade: async () => {
    throw new Error('this test has no pod streams');
  },
};

export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const { clock = systemClock, store = createMemoryStore({ clock }), tokenIssuer } = options;
  const codec = createObjectCodec(createCipher(new Uint8Array(32).fill(7)), await readResourceVersions(store));
  const history = options.history ? { history: options.history } : {};
  const cache = await startWatchCache({ store, kinds: allKinds, codec, clock, ...history });
  const metrics = new Metrics();
  const issuer = tokenIssuer ? { tokenIssuer } : {};
  const registry = createRegistry({ store, cache, codec, clock, commitSeconds: commitHistogram(metrics), ...issuer });
  await ensureNamespaces(registry);
  const audited: AuditRecord[] = [];
  const handler = createKubeHandler({
    registry,
    cache,
    authorizer: options.authorizer ?? allowAll,
    audit: { write: (record) => void audited.push(record) },
    podStreams: options.podStreams ?? noStreams,
    metrics,
    version: '0.1.0',
    clock,
  });
  const context = (signal = new AbortController().signal): RequestContext => ({
    requestId: 'r1',
    user: { name: 'flotilla:admin', groups: ['system:masters'] },
    grid: 'main',
    sourceAddress: '127.0.0.1',
    userAgent: 'test',
    signal,
  });
  const begin = (method: string, path: string, call: TestCall, signal?: AbortSignal) => {
    const response = new MemoryResponse();
    const url = new URL(path, 'http://server');
    const done = handler.handle(context(signal), requestOf(method, path, call), response.asHttp(), url);
    return { response, done };
  };
  return {
    store,
    cache,
    registry,
    handler,
    audited,
    metrics,
    context,
    call: async (method, path, call = {}) => {
      const { response, done } = begin(method, path, call);
      await done;
      await response.ended;
      return response.answer();
    },
    watch: async function* (path, signal, headers = {}) {
      const { response } = begin('GET', path, { headers }, signal);
      for await (const line of response.lines()) yield JSON.parse(line) as WatchLine;
    },
    stop: async () => {
      await cache.stop();
      await store.close();
    },
  };
}

function requestOf(method: string, path: string, { body, headers = {} }: TestCall): IncomingMessage {
  const bytes = body === undefined ? [] : [Buffer.isBuffer(body) ? body : Buffer.from(bodyText(body))];
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return Object.assign(Readable.from(bytes), { method, url: path, headers: lower }) as unknown as IncomingMessage;
}

function bodyText(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

/** What the handlers use of a response. */
class MemoryResponse extends Writable {
  statusCode = 200;
  headersSent = false;
  readonly #headers = new Map<string, unknown>();
  readonly #chunks: Buffer[] = [];
  #more: () => void = () => {};
  readonly ended = new Promise<void>((resolve) => this.once('close', resolve));

  asHttp(): HttpResponse {
    return this as unknown as HttpResponse;
  }

  setHeader(name: string, value: unknown): void {
    this.#headers.set(name.toLowerCase(), value);
  }

  removeHeader(name: string): void {
    this.#headers.delete(name.toLowerCase());
  }

  flushHeaders(): void {
    this.headersSent = true;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.headersSent = true;
    this.#chunks.push(chunk);
    this.#more();
    done();
  }

  answer(): TestAnswer {
    const bytes = Buffer.concat(this.#chunks);
    let json: unknown;
    try {
      json = JSON.parse(bytes.toString());
    } catch {
      json = undefined;
    }
    return { code: this.statusCode, headers: Object.fromEntries(this.#headers), bytes, json };
  }

  async *lines(): AsyncGenerator<string> {
    let text = '';
    for (let taken = 0; ; ) {
      while (taken < this.#chunks.length) text += this.#chunks[taken++]!.toString();
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        yield text.slice(0, end);
        text = text.slice(end + 1);
      }
      if (taken < this.#chunks.length) continue;
      if (this.closed) return;
      const more = new Promise<void>((resolve) => {
        this.#more = resolve;
      });
      await Promise.race([more, this.ended]);
    }
  }
}
