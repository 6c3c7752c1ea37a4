// HAProxy as an ingress proxy. Decides in pure functions (wish, names, frame, planWorker); here it is done: commands to all
// workers where those will do, a new configuration where not.
import { mkdir } from 'node:fs/promises';
import { FlotillaError } from '../../../lib/errors.ts';
import { type Exec, exec as run } from '../../../lib/exec.ts';
import type { Logger } from '../../../lib/log.ts';
import type { AccessEntry, IngressOutcome, IngressProxy, IngressState, IngressStats } from '../port.ts';
import { type Candidate, findAcceptable } from './acceptable.ts';
import { type AccessLog, startAccessLog } from './access-log.ts';
import type { Environment } from './bind-lines.ts';
import { endProcesses, oldWorkersEnd } from './end-processes.ts';
import { observeEnvironment } from './environment.ts';
import { handoverMap, serverStates } from './frame.ts';
import { Generations, unwritten } from './generations.ts';
import { observeGeneration, observeWorker } from './observe-worker.ts';
import { podsOf } from './pods-of.ts';
import { HaproxyProcess, startTime } from './process.ts';
import { Refused } from './quote.ts';
import { refusePorts } from './refuse-ports.ts';
import {
  emptyRegistry,
  type Naming,
  nameSections,
  namesInForce,
  nextRegistry,
  pruned,
  type Registry,
} from './registry.ts';
import { readRegistry, writeRegistry } from './registry-file.ts';
import { type Frame, frameOf, mapsOf, renderConfiguration } from './render.ts';
import { CommandRefused, type ProcessList } from './runtime-client.ts';
import { selfMadeCertificate } from './self-made.ts';
import { serverName } from './server.ts';
import { keepStates, noServerStates } from './server-states.ts';
import { masterSocket, openSocketDirectory, removeSocketDirectory } from './socket-directory.ts';
import { Statistics } from './statistics.ts';
import { Sweeper } from './sweeper.ts';
import { probeVersion } from './version.ts';
import { type Accepted, nothingAccepted, type Refusals, readWish, type Wish } from './wish.ts';
import { modelOf, planCertificates, planWorker, type WorkerModel, type WorkerWish } from './worker.ts';

export interface HaproxyOptions {
  /** `<data>/ingress`: HAProxy is found again by it. On a memory file system private keys touch no disk. */
  readonly directory: string;
  readonly log: Logger;
  /** Where it listens. Default: all of IPv4, and of IPv6 where the host has it. */
  readonly addresses?: readonly string[];
  /** Is told of each request and each TCP connection when it is over. Absent: no access log is written. */
  readonly onAccess?: (entry: AccessEntry) => void;
  /** Backends that a new service can get without a reload. Default 64. */
  readonly spareSections?: number;
  /** Servers that left are removed so long after the last change, if nobody is connected to them. Default 10,000. */
  readonly sweepAfterMs?: number;
  /** For one batch of commands to one process. Default 5,000. */
  readonly commandTimeoutMs?: number;
  /** Default `haproxy`. */
  readonly program?: string;
  readonly exec?: Exec;
}

/** A payload larger than HAProxy's buffer is cut off. */
const maxPayloadBytes = 15_000;

/** HAProxy 2.6 or later, of the host. Starts nothing before the first `apply`. */
export function createHaproxy(options: HaproxyOptions): IngressProxy {
  return new Haproxy(options);
}

function hostToolFailed(cause: Error): FlotillaError {
  return new FlotillaError('HostToolFailed', cause.message, { cause, retryable: true });
}

class Haproxy implements IngressProxy {
  readonly #options: HaproxyOptions;
  readonly #log: Logger;
  readonly #exec: Exec;
  readonly #process: HaproxyProcess;
  readonly #generations: Generations;
  readonly #statistics: Statistics;
  readonly #sweeper: Sweeper;
  #version = '';
  #environment: Environment | undefined;
  #accessLog: AccessLog | undefined;
  #selfMade = '';
  #registry: Registry = emptyRegistry;
  /** As it was asked for last. */
  #state: IngressState | undefined;
  #accepted: Accepted = nothingAccepted;
  /** By what HAProxy refused, in words that change when it does. */
  readonly #refusals = new Map<string, string>();
  /** Of the worker that takes connections; undefined: what it has in force is not known. */
  #model: WorkerModel | undefined;
  /** Older workers that lead their requests to it. */
  #handedOver: ReadonlySet<number> = new Set();
  /** Undefined: not asked yet, or something failed: ask all anew. */
  #known: { readonly master: number; readonly masterSince: string | undefined; worker: number } | undefined;
  /** `address:port` → pod, for the access log; of the state before as well: requests end after their pods left. */
  #pods: ReadonlyMap<string, string> = new Map();
  /** Of HTTP and HTTPS, as they were last taken. */
  #ports: readonly number[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #isRetiring = false;

  constructor(options: HaproxyOptions) {
    const { directory, program = 'haproxy', exec = run, commandTimeoutMs = 5_000 } = options;
    this.#options = options;
    this.#log = options.log;
    this.#exec = exec;
    this.#process = new HaproxyProcess({ directory, socket: masterSocket(directory), program, commandTimeoutMs });
    this.#generations = new Generations(directory, program, exec);
    const { client } = this.#process;
    this.#statistics = new Statistics(client, directory);
    this.#sweeper = new Sweeper({
      ...{ client, log: options.log, afterMs: options.sweepAfterMs ?? 10_000 },
      model: () => this.#model,
      inTurn: (work) => this.#inTurn(work),
    });
  }

  apply(state: IngressState): Promise<IngressOutcome> {
    return this.#inTurn(async () => {
      try {
        const outcome = await this.#apply(state);
        this.#sweeper.later();
        return outcome;
      } catch (error) {
        this.#forget();
        if (error instanceof Refused) throw new FlotillaError('Invalid', `settings of ingress: ${error.message}`);
        throw error instanceof CommandRefused ? hostToolFailed(error) : error;
      }
    });
  }

  async hasDrifted(): Promise<boolean> {
    // Amid a change it is neither as it was nor as it will be.
    await this.#turn;
    const known = this.#known;
    if (!known) return true;
    if ((await startTime(known.master)) !== known.masterSince) return true;
    await this.#process.boundLog();
    const list = await this.#process.client.list().catch(() => undefined);
    return list?.master !== known.master || list.worker !== known.worker;
  }

  async stats(): Promise<IngressStats> {
    const list = await this.#process.find();
    if (!list) throw new FlotillaError('HostToolFailed', 'HAProxy does not run', { retryable: true });
    return this.#statistics.read(list, this.#version, this.#registry.sections);
  }

  async stop(): Promise<void> {
    this.#isRetiring = false;
    this.#sweeper.stop();
    await this.#turn.catch(() => {});
    this.#sweeper.stop();
    await this.#accessLog?.stop();
    this.#accessLog = undefined;
    // Whoever comes next may have changed it.
    this.#forget();
    await this.#statistics.keep();
  }

  async retire(graceSeconds: number): Promise<void> {
    const deadline = performance.now() + graceSeconds * 1_000;
    this.#isRetiring = true;
    await this.#inTurn(async () => {
      const running = await this.#observe();
      if (running?.worker === undefined || !this.#state)
        throw new FlotillaError('HostToolFailed', 'no HAProxy runs that was told anything');
      // The worker that has the connections is an older one then: it leads what still comes to the next, which takes commands.
      const before = this.#required();
      this.#environment = { ...before, addresses: [] };
      await this.#load(this.#state, running).catch((error) => {
        this.#environment = before;
        this.#forget();
        throw error;
      });
    });
    await oldWorkersEnd(this.#process.client, deadline, () => this.#isRetiring);
  }

  async end(graceSeconds: number): Promise<void> {
    this.#sweeper.stop();
    await this.#inTurn(async () => {
      const list = await this.#process.find();
      this.#forget();
      if (list) await endProcesses(list, graceSeconds * 1_000);
    });
    await this.stop();
    await this.#generations.removeAll();
    await removeSocketDirectory(this.#options.directory);
    this.#registry = emptyRegistry;
    this.#environment = undefined;
    this.#state = undefined;
  }

  async #apply(state: IngressState): Promise<IngressOutcome> {
    await this.#prepare();
    this.#state = state;
    if (this.#accessLog) this.#pods = podsOf(state, this.#pods);
    const running = await this.#observe();
    await this.#freePorts(state, running);
    const wish = readWish(state, this.#accepted, this.#refusals);
    const naming = nameSections(this.#registry, wish);
    const frame = frameOf(wish, naming.names, this.#required());
    const why = this.#whyReload(running, wish, naming, frame);
    if (why === undefined && running) {
      const isChanged = await this.#change(wish, naming).catch((error: unknown) => {
        if (!(error instanceof CommandRefused)) throw error;
        this.#log.warn('a change of the running HAProxy failed: it is loaded anew', { error });
        return undefined;
      });
      if (isChanged !== undefined) {
        this.#accept(wish);
        await this.#handOver(running.oldWorkers);
        return { problems: wish.problems, ...(isChanged ? { by: 'runtime' as const } : {}) };
      }
    }
    this.#log.info('haproxy loads a configuration', { why: why ?? 'commands did not do' });
    return this.#load(state, running);
  }

  #accept({ taken, settings }: ReturnType<typeof readWish>): void {
    this.#accepted = taken;
    this.#ports = [settings.httpPort, settings.httpsPort];
  }

  /** Once: what the host has. */
  async #prepare(): Promise<void> {
    const { directory, onAccess, addresses, program = 'haproxy' } = this.#options;
    const socketDirectory = await openSocketDirectory(directory);
    if (onAccess && !this.#accessLog) {
      const names = () => ({ sections: this.#registry.sections, pods: this.#pods });
      this.#accessLog = await startAccessLog({ socketDirectory, onAccess, log: this.#log, names });
    }
    if (this.#environment) return;
    const version = await probeVersion(program, this.#exec);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      this.#selfMade = await selfMadeCertificate(directory, Date.now());
    } catch (cause) {
      throw unwritten(directory, cause);
    }
    const generation = await this.#generations.inForce();
    this.#registry = (await readRegistry(directory)) ?? { ...emptyRegistry, generation };
    this.#version = version.text;
    this.#environment = await observeEnvironment({ socketDirectory, addresses, logSocket: this.#accessLog?.path });
  }

  #required(): Environment {
    if (!this.#environment) throw new Error('used before it was prepared');
    return this.#environment;
  }

  /** Nothing is taken for granted any more. */
  #forget(): void {
    this.#known = undefined;
    this.#model = undefined;
    this.#handedOver = new Set();
  }

  /** Which processes there are, and what the worker has in force where that is not known. */
  async #observe(): Promise<ProcessList | undefined> {
    const list = await this.#process.find();
    const known = this.#known;
    if (list?.worker === undefined || list.worker !== known?.worker || list.master !== known.master) this.#forget();
    if (list?.worker === undefined) return list;
    if (!this.#model && (await observeGeneration(this.#process.client, list.worker)) === this.#registry.generation) {
      this.#model = await observeWorker(this.#process.client, list.worker);
    }
    await this.#remember(list);
    return list;
  }

  async #remember({ master, worker, oldWorkers }: ProcessList): Promise<void> {
    if (worker === undefined) return;
    this.#known = { master, masterSince: await startTime(master), worker };
    this.#handedOver = new Set(oldWorkers.filter((pid) => this.#handedOver.has(pid)));
    if (oldWorkers.length === 0) this.#registry = pruned(this.#registry);
  }

  /** Undefined: commands will do. */
  #whyReload(running: ProcessList | undefined, wish: Wish, naming: Naming, frame: Frame): string | undefined {
    if (!running) return 'no HAProxy runs';
    if (running.worker === undefined) return 'its worker is gone';
    if (!this.#model) return 'it runs another configuration than the last one written';
    if (frame.hash !== this.#registry.frame) return 'settings or listeners changed';
    if (naming.unknown.length > 0)
      return `backends with lines of their own, or no spare one left: ${naming.unknown.slice(0, 5).join(', ')}`;
    const isLarge = planCertificates(this.#model, wish, wish.defaultPem ?? this.#selfMade).some(
      ({ payload = '' }) => payload.length > maxPayloadBytes,
    );
    return isLarge ? 'a certificate too large for a command' : undefined;
  }

  /** True: something had to change. */
  async #change(wish: Wish, naming: Naming): Promise<boolean> {
    const model = this.#model;
    if (!model) throw new Error('a worker of which nothing is known was to be changed');
    if (naming.isChanged) await this.#keepRegistry({ ...this.#registry, sections: naming.sections });
    const commands = planWorker(model, this.#wanted(wish, naming.names));
    const isThere = await this.#process.client.tell(model.pid, commands);
    if (!isThere) throw new CommandRefused(model.pid, 'it is gone');
    return commands.length > 0;
  }

  /** From now on older workers send to no instance themselves: what still comes to them is led to the newest one. */
  async #handOver(oldWorkers: readonly number[]): Promise<void> {
    const fresh = oldWorkers.filter((pid) => !this.#handedOver.has(pid));
    const command = { text: `add map ${handoverMap} old 1`, isDone: (answer: string) => answer === '' };
    const told = await Promise.allSettled(fresh.map((pid) => this.#process.client.tell(pid, [command])));
    this.#handedOver = new Set([...this.#handedOver, ...fresh.filter((_, at) => told[at]?.status === 'fulfilled')]);
    for (const one of told) if (one.status === 'rejected') throw one.reason;
  }

  #wanted(wish: Wish, names: ReadonlyMap<string, string>): WorkerWish {
    const endpoints = new Map(
      [...wish.sections].map(([key, { backend }]) => [names.get(key) ?? '', backend.endpoints]),
    );
    const alive = new Set([...wish.sections.values()].flatMap(({ backend }) => backend.endpoints.map(serverName)));
    const defaultPem = wish.defaultPem ?? this.#selfMade;
    return { wish, maps: mapsOf(wish, names), sections: this.#registry.sections, endpoints, alive, defaultPem };
  }

  /** Listeners whose port somebody has are left out, and tried again each time. */
  async #freePorts(state: IngressState, running: ProcessList | undefined): Promise<void> {
    for (const [key, why] of this.#refusals) if (why.startsWith('port ')) this.#refusals.delete(key);
    const taken = await refusePorts(state, {
      listeners: this.#accepted.listeners,
      ports: running?.worker === undefined ? [] : this.#ports,
      pids: running ? [running.master, running.worker ?? 0, ...running.oldWorkers] : [],
      addresses: this.#required().addresses,
      exec: this.#exec,
    });
    for (const [key, why] of taken) this.#refusals.set(key, why);
  }

  async #load(state: IngressState, running: ProcessList | undefined): Promise<IngressOutcome> {
    const { registry, configuration, wish } = await findAcceptable({
      render: (refusals) => this.#render(state, refusals),
      generations: this.#generations,
      refusals: this.#refusals,
    });
    const { generation } = registry;
    const last = this.#registry;
    await this.#keepRegistry(registry);
    const before = await this.#generations.inForce();
    const { client } = this.#process;
    await keepStates({ client, generations: this.#generations, log: this.#log }, running?.worker, last, registry);
    await this.#generations.putInForce(generation);
    let list: ProcessList;
    try {
      list = running ? await this.#process.reload(running) : await this.#process.start();
    } catch (error) {
      if (before > 0) await this.#generations.putInForce(before);
      await this.#keepRegistry(last);
      throw error;
    }
    if (list.worker !== undefined) {
      this.#model = modelOf(list.worker, this.#wanted(wish, namesInForce(registry)), registry.inForce);
    }
    await this.#remember(list);
    this.#accept(wish);
    await this.#handOver(list.oldWorkers);
    // Of that moment alone.
    await this.#generations.overwrite(generation, serverStates, noServerStates).catch(() => {});
    await this.#generations.removeOthers(generation, configuration.files);
    return { problems: wish.problems, by: running?.worker === undefined ? 'start' : 'reload' };
  }

  #render(state: IngressState, refusals: Refusals): Candidate {
    const wish = readWish(state, this.#accepted, refusals);
    const naming = nameSections(this.#registry, wish);
    const frame = frameOf(wish, naming.names, this.#required());
    const registry = nextRegistry(this.#registry, naming, frame.hash, this.#options.spareSections ?? 64);
    const configuration = renderConfiguration({
      wish,
      frame,
      names: naming.names,
      sections: registry.sections,
      inForce: registry.inForce,
      generation: registry.generation,
      defaultPem: wish.defaultPem ?? this.#selfMade,
    });
    return { wish, registry, configuration };
  }

  async #keepRegistry(registry: Registry): Promise<void> {
    await writeRegistry(this.#options.directory, registry);
    this.#registry = registry;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
