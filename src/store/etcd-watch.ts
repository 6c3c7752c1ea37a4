import type { Etcd3, IEvent, IWatchRequest, IWatchResponse } from 'etcd3';
import { FlotillaError } from '../lib/errors.ts';
import { etcdError } from './etcd-faults.ts';
import type { EtcdKeys } from './etcd-wire.ts';
import { type Change, StoreCompacted, type WatchOptions } from './port.ts';
import { revisionOf } from './watchers.ts';

export interface EtcdWatchOptions {
  /** Of one member, for this watch alone: closed with it. */
  readonly client: Etcd3;
  readonly endpoint: string;
  readonly keys: EtcdKeys;
  /** Until etcd says that the watch stands. */
  readonly timeoutMs: number;
  readonly prefix: string;
  readonly options: WatchOptions;
  /** It has ended, for whatever reason. */
  readonly onEnd: () => void;
}

type Stream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

/** So many probes in a row may find it behind: a busy member is not a lost one. */
const maxMissed = 2;

/** One watch on a stream of its own; a stream that ends ends the watch: the caller starts the next at the last revision. */
export class EtcdWatch {
  readonly #options: EtcdWatchOptions;
  readonly #onAbort = () => this.#finish();
  #stream: Stream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #seen: number;
  /** How far the member was when it last said something; how far it had to be at the last probe. */
  #progress = 0;
  #probed = 0;
  #missed = 0;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#seen = options.options.afterRevision;
    options.options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  async run(): Promise<void> {
    const { client, endpoint, timeoutMs } = this.#options;
    this.#timer = setTimeout(() => this.end(this.#silence()), timeoutMs).unref();
    try {
      const stream = await client.watchClient.watch();
      this.#stream = stream;
      if (this.#ended) return stream.cancel();
      stream.on('data', (response) => this.#onResponse(response));
      stream.on('error', (error) => this.end(etcdError(error, [endpoint])));
      stream.on('end', () => this.end(etcdError(new Error('the watch stream ended'), [endpoint])));
      stream.write(this.#request());
    } catch (error) {
      this.end(etcdError(error, [endpoint]));
    }
  }

  /** Called once a second with a revision that the majority has. Ends the watch when it stays behind what it had to reach. */
  probe(head: number): void {
    if (this.#ended || this.#progress === 0) return;
    this.#missed = this.#progress < this.#probed ? this.#missed + 1 : 0;
    if (this.#missed === 0) this.#probed = head;
    if (this.#missed > maxMissed) this.end(this.#silence());
    else this.#stream?.write({ progress_request: {} });
  }

  end(reason: Error): void {
    if (this.#ended) return;
    this.#finish();
    this.#options.options.onEnd(reason);
  }

  #request(): IWatchRequest {
    const { keys, prefix, options } = this.#options;
    return {
      create_request: {
        key: keys.of(prefix),
        range_end: keys.after(prefix),
        // One too early, so that etcd refuses exactly when afterRevision is compacted away; 0 would mean "now".
        start_revision: Math.max(1, options.afterRevision),
        prev_kv: true,
      },
    };
  }

  #onResponse(response: IWatchResponse): void {
    if (this.#ended) return;
    if (response.created) clearTimeout(this.#timer);
    this.#progress = Math.max(this.#progress, Number(response.header.revision));
    const compacted = Number(response.compact_revision);
    if (compacted > 0) this.end(new StoreCompacted(compacted));
    else if (response.canceled) {
      const words = response.cancel_reason || 'etcd canceled the watch';
      this.end(etcdError(new Error(words), [this.#options.endpoint]));
    } else if (response.events.length > 0) this.#onEvents(response.events);
  }

  #onEvents(events: readonly IEvent[]): void {
    const { keys, options } = this.#options;
    const changes: Change[] = [];
    try {
      for (const event of events) if (Number(event.kv.mod_revision) > this.#seen) changes.push(keys.toChange(event));
    } catch (error) {
      this.end(etcdError(error, [this.#options.endpoint]));
      return;
    }
    const last = changes.at(-1);
    if (!last) return;
    this.#seen = revisionOf(last);
    options.onChanges(changes);
  }

  #silence(): FlotillaError {
    const { endpoint, prefix } = this.#options;
    return new FlotillaError('StoreUnavailable', `etcd at ${endpoint} left a watch of ${prefix} behind`, {
      retryable: true,
    });
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#options.options.signal.removeEventListener('abort', this.#onAbort);
    this.#stream?.cancel();
    this.#options.client.close();
    this.#options.onEnd();
  }
}
