import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from '../../../lib/backoff.ts';
import { FlotillaError, messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { DnsAddress, DnsRecords, DnsServer, DnsSettings, DnsStats, DnsZone, DnsZoneChange } from '../port.ts';
import { protocolVersion, zoneParts } from './frames.ts';
import { LinkClosed, ProcessLink } from './process-link.ts';
import { programId } from './program-id.ts';
import { dnsLogPath, dnsProcessArgv, hasSystemd, startDnsProcessFor } from './start-process.ts';

export interface DnsProcessOptions {
  /** Of the agent: the process is found again by it. */
  readonly dataDirectory: string;
  readonly settings: DnsSettings;
  readonly addresses: readonly DnsAddress[];
  readonly log: Logger;
  /** For tests: another program than this one's. */
  readonly program?: { readonly id: string; readonly argv: readonly string[] };
}

/** The DNS process of this node, as its agent sees it. `stop` leaves it answering; `endDnsProcess` ends it. */
export interface DnsProcess extends DnsServer {
  /** Listens there and nowhere else, by these settings: no question is lost on an address that stays. */
  configure(settings: DnsSettings, addresses: readonly DnsAddress[]): Promise<void>;
  /** How often it had to be started; 0 when it was found. */
  readonly starts: number;
  /** That answers now. */
  readonly pid: number | undefined;
}

const startTimeoutMs = 10_000;
const applyTimeoutMs = 10_000;
const pollMs = 5;
const pingEveryMs = 1_000;
const pingTimeoutMs = 4_000;
/** One that lives shorter than this is started again only after a while. */
const shortLifeMs = 5_000;
const retry = { initialMs: 50, maxMs: 2_000 };

interface Waiter {
  readonly sequence: number;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Finds the process, starts it, or has it replaced by this program; tells it all once, then what changes; starts it again when
 * it ends. Rejects with HostToolFailed when it cannot be started or cannot listen: nothing is tried any more then.
 */
export async function startDnsProcess(options: DnsProcessOptions): Promise<DnsProcess> {
  const client = new DnsProcessClient(options);
  try {
    await client.started;
  } catch (cause) {
    await client.stop();
    throw cause;
  }
  return client;
}

/** Ends it and waits until it has. True: there was one. */
export async function endDnsProcess(dataDirectory: string): Promise<boolean> {
  const link = await ProcessLink.open(dataDirectory, () => {});
  if (!link) return false;
  await link.ask({ type: 'end' }).catch(() => link.kill());
  await link.closed;
  return true;
}

class DnsProcessClient implements DnsProcess {
  readonly started: Promise<void>;
  readonly #options: DnsProcessOptions;
  readonly #program: { readonly id: string; readonly argv: readonly string[] };
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  readonly #firstSync = Promise.withResolvers<void>();
  #settings: DnsSettings;
  #addresses: readonly DnsAddress[];
  /** Undefined: nobody has told any yet. What a process knows from before stays until then. */
  #names: Map<string, DnsRecords> | undefined;
  #revision: string | undefined;
  /** Names that the process has not been told of as they are now. */
  readonly #dirty = new Set<string>();
  /** Of calls; what was told with the last one of them. */
  #sequence = 0;
  #waiters: Waiter[] = [];
  #link: ProcessLink | undefined;
  #flushing = false;
  /** The process that is spoken to has been told all names there are, by this agent. */
  #isWholeTold = false;
  #appliedSequence = 0;
  #stats: DnsStats = { queries: 0, forwarded: 0, failures: 0 };
  #mayReplace = true;
  #hasSystemd: boolean;
  starts = 0;

  constructor(options: DnsProcessOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#addresses = options.addresses;
    this.#program = options.program ?? { id: programId(), argv: dnsProcessArgv(options.dataDirectory) };
    this.#hasSystemd = hasSystemd();
    this.started = this.#firstSync.promise;
    this.started.catch(() => {});
    this.#running = this.#run();
  }

  get pid(): number | undefined {
    return this.#link?.hello.pid;
  }

  apply({ names }: DnsZone, revision?: string): Promise<void> {
    const known = this.#names;
    if (known) {
      for (const name of known.keys()) if (!names.has(name)) this.#dirty.add(name);
      for (const [name, records] of names) {
        const before = known.get(name);
        if (before !== records && JSON.stringify(before) !== JSON.stringify(records)) this.#dirty.add(name);
      }
    }
    this.#names = new Map(names);
    return this.#changed(revision);
  }

  async change({ set, drop }: DnsZoneChange, revision?: string): Promise<void> {
    const names = this.#names;
    if (!names) throw new FlotillaError('Conflict', 'a change of names came before all names were told');
    for (const name of drop) names.delete(name);
    for (const [name, records] of set) names.set(name, records);
    for (const name of [...drop, ...set.keys()]) this.#dirty.add(name);
    await this.#changed(revision);
  }

  async configure(settings: DnsSettings, addresses: readonly DnsAddress[]): Promise<void> {
    this.#settings = settings;
    this.#addresses = addresses;
    await this.#link?.ask({ type: 'configure', settings, addresses }).catch((cause) => {
      throw failed(`cannot answer DNS on ${addresses.map((one) => one.address).join(', ')}`, cause);
    });
  }

  stats(): DnsStats {
    return this.#stats;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#link?.close();
    await this.#running;
    for (const one of this.#waiters.splice(0)) one.reject(failed('names were not applied', new Error('stopped')));
  }

  #changed(revision: string | undefined): Promise<void> {
    if (revision !== undefined) this.#revision = revision;
    const sequence = ++this.#sequence;
    const applied = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter);
        reject(failed('names are not applied yet', new Error(`not within ${applyTimeoutMs} ms`)));
      }, applyTimeoutMs);
      timer.unref();
      const settle = <T extends unknown[]>(end: (...args: T) => void) => {
        return (...args: T) => {
          clearTimeout(timer);
          end(...args);
        };
      };
      const waiter: Waiter = { sequence, resolve: settle(resolve), reject: settle(reject) };
      this.#waiters.push(waiter);
    });
    void this.#flush();
    return applied;
  }

  /** All that has changed until now, as often as there is something. One at a time: acknowledged in order. */
  async #flush(): Promise<void> {
    const link = this.#link;
    if (!link || this.#flushing) return;
    this.#flushing = true;
    try {
      while (this.#names && this.#appliedSequence < this.#sequence && this.#link === link) {
        const sequence = this.#sequence;
        const isWhole = !this.#isWholeTold;
        const change = isWhole ? { set: this.#names, drop: [] } : this.#dirtyNames(this.#names);
        this.#dirty.clear();
        const id = link.nextId();
        // Made at once, before the names go on changing.
        const parts = [...zoneParts(change, { id, isWhole, revision: this.#revision })];
        await link.send(parts, id);
        this.#isWholeTold = true;
        this.#applied(sequence);
      }
    } catch (error) {
      // It is told all again when it is found again.
      this.#options.log.warn('dns process was not told a change', { error: messageOf(error) });
      link.close();
    } finally {
      this.#flushing = false;
    }
  }

  #dirtyNames(names: ReadonlyMap<string, DnsRecords>): DnsZoneChange {
    const set = new Map<string, DnsRecords>();
    const drop: string[] = [];
    for (const name of this.#dirty) {
      const records = names.get(name);
      if (records) set.set(name, records);
      else drop.push(name);
    }
    return { set, drop };
  }

  #applied(sequence: number): void {
    this.#appliedSequence = sequence;
    const done = this.#waiters.filter((one) => one.sequence <= sequence);
    this.#waiters = this.#waiters.filter((one) => one.sequence > sequence);
    for (const one of done) one.resolve();
  }

  async #run(): Promise<void> {
    const { log } = this.#options;
    const beganMs = performance.now();
    let failures = 0;
    while (!this.#abort.signal.aborted) {
      const startedMs = performance.now();
      try {
        const link = await this.#reach();
        if (this.#abort.signal.aborted) return link.close();
        await this.#sync(link);
        this.#firstSync.resolve();
        await link.closed;
        this.#link = undefined;
        if (!this.#abort.signal.aborted) log.warn('the DNS process is gone, or wants to hear all anew');
      } catch (error) {
        this.#link = undefined;
        if (this.#abort.signal.aborted) return;
        const isEnded = error instanceof LinkClosed && performance.now() - beganMs < startTimeoutMs;
        if (!isEnded) this.#firstSync.reject(error);
        log.warn('the DNS process cannot be used, trying again', { error: messageOf(error) });
      }
      failures = performance.now() - startedMs > shortLifeMs ? 0 : failures + 1;
      if (failures > 0)
        await delay(backoffMs(failures, retry), undefined, { signal: this.#abort.signal }).catch(() => {});
    }
  }

  /** A process of this program: found, taken over, or started. */
  async #reach(): Promise<ProcessLink> {
    const { dataDirectory, log } = this.#options;
    const deadlineMs = performance.now() + startTimeoutMs;
    let child: ReturnType<typeof startDnsProcessFor> | undefined;
    let ended: string | undefined;
    for (;;) {
      const link = await ProcessLink.open(dataDirectory, (stats) => {
        this.#stats = stats;
      });
      if (link) {
        if (link.hello.program === this.#program.id || !this.#mayReplace) return link;
        await this.#replace(link);
        continue;
      }
      this.#abort.signal.throwIfAborted();
      if (!child) {
        child = startDnsProcessFor(dataDirectory, this.#program.argv, this.#hasSystemd);
        child.on('error', (error) => (ended = error.message));
        child.on('exit', (code, signal) => (ended = `it ended with ${signal ?? code}`));
        this.starts++;
        log.info('dns process started', { pid: child.pid });
      } else if (ended !== undefined && this.#hasSystemd) {
        // A host whose systemd makes no scopes (systemd-run(1) needs its bus): a session of its own has to do.
        log.warn('dns process cannot be started in a scope of its own', { why: ended });
        this.#hasSystemd = false;
        child = undefined;
        ended = undefined;
      } else if (ended !== undefined || performance.now() > deadlineMs) {
        const why = ended ?? `no answer within ${startTimeoutMs} ms`;
        throw failed('cannot start the DNS process', new Error(why), `read ${dnsLogPath(dataDirectory)}`);
      }
      await delay(pollMs);
    }
  }

  /** By this program, which goes on with the same sockets. One that cannot be replaced goes on, if it understands us. */
  async #replace(link: ProcessLink): Promise<void> {
    const { log } = this.#options;
    log.info('dns process is of another program: replacing it', { pid: link.hello.pid });
    try {
      this.#mayReplace = false; // once: what comes then is what there is
      await link.ask({ type: 'replace', argv: this.#program.argv }, startTimeoutMs * 2);
      link.close();
    } catch (error) {
      log.warn('dns process cannot be replaced without a gap', { error: messageOf(error) });
      if (link.hello.protocol === protocolVersion) return link.close();
      await link.ask({ type: 'end' }).catch(() => link.kill());
      await link.closed;
    }
  }

  /** Names first: an address that is bound before is answered SERVFAIL, which some clients do not ask again after. */
  async #sync(link: ProcessLink): Promise<void> {
    const sequence = this.#sequence;
    this.#isWholeTold = this.#names !== undefined;
    if (this.#names) {
      this.#dirty.clear();
      const id = link.nextId();
      const change = { set: this.#names, drop: [] };
      await link.send([...zoneParts(change, { id, isWhole: true, revision: this.#revision })], id);
    }
    const { log } = this.#options;
    await link.ask({ type: 'configure', settings: this.#settings, addresses: this.#addresses }).catch((cause) => {
      link.close();
      if (cause instanceof LinkClosed) throw cause;
      throw failed('the DNS process cannot listen', cause, 'see what holds the port with "ss -lnptu sport = :53"');
    });
    if (this.#isWholeTold) this.#applied(sequence);
    this.#link = link;
    this.#watch(link, log);
    void this.#flush();
  }

  /** One that stands still is as bad as none. */
  #watch(link: ProcessLink, log: Logger): void {
    const timer = setInterval(() => {
      link.ask({ type: 'ping' }, pingTimeoutMs).catch((error) => {
        if (link.isClosed) return;
        log.warn('dns process stands still and is ended', { pid: link.hello.pid, error: messageOf(error) });
        link.kill();
      });
    }, pingEveryMs);
    timer.unref();
    void link.closed.then(() => clearInterval(timer));
  }
}

function failed(what: string, cause: unknown, hint?: string): FlotillaError {
  return new FlotillaError('HostToolFailed', `${what}: ${messageOf(cause)}`, {
    retryable: true,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
