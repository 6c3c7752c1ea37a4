import { Duplex, Readable } from 'node:stream';
import { FlotillaError } from '../../lib/errors.ts';
import { hostLabels } from '../../resources/names.ts';
import {
  type ContainerEvent,
  type ContainerObservation,
  type ContainerRuntime,
  type ContainerSpec,
  type NetworkSpec,
  pauseImage,
  type RuntimeHandlers,
  type RuntimeInfo,
} from './port.ts';

/** What tests do to the fake from outside, as a host's life would. */
export interface FakeRuntime extends ContainerRuntime {
  /** Images on this host; those in `registry` can be pulled. */
  readonly images: Set<string>;
  readonly registry: Set<string>;
  /** Every call that reached the engine, `create fl_…`. */
  readonly calls: readonly string[];
  /** The process ends by itself. */
  exit(containerId: string, exitCode: number, options?: { readonly wasOomKilled?: boolean }): void;
  write(containerId: string, text: string): void;
  /** `docker pause`. */
  pause(containerId: string): void;
  /** The next call of this name throws this. */
  failNext(call: keyof ContainerRuntime, error: Error): void;
  /** Away: every call fails with EngineFailed, watchers are told; back: they resync. Containers live on. */
  setAway(isAway: boolean): void;
  /** Containers that ignore SIGTERM end only when their grace period is over; see `expireGrace`. */
  readonly stubborn: Set<string>;
  expireGrace(containerId: string): void;
  readonly specs: ReadonlyMap<string, ContainerSpec>;
  /** What a command answers in a container. Default: exit code 0, no output. */
  onExec: (command: readonly string[]) => FakeExec | Promise<FakeExec>;
}

export interface FakeExec {
  readonly exitCode: number;
  readonly stdout?: string;
}

interface FakeContainer {
  readonly spec: ContainerSpec;
  observation: ContainerObservation;
  log: string;
  waiters: (() => void)[];
}

const info: RuntimeInfo = {
  engine: 'docker',
  version: '20.10.24',
  apiVersion: '1.41',
  cpus: 4,
  memoryBytes: 8 * 2 ** 30,
  operatingSystem: 'Fake Linux',
  kernelVersion: '6.1.0',
  architecture: 'x86_64',
  hasLiveRestore: true,
  rootDirectory: '/var/lib/docker',
};

/** An engine in memory that refuses what the real one refuses. Nothing happens by itself but what was asked for. */
export function createFakeRuntime(): FakeRuntime {
  const containers = new Map<string, FakeContainer>();
  const networks = new Map<string, NetworkSpec>();
  const volumes = new Map<string, Readonly<Record<string, string>>>();
  const images = new Set<string>();
  const registry = new Set<string>();
  const stubborn = new Set<string>();
  const calls: string[] = [];
  const failures = new Map<string, Error>();
  const watchers = new Set<RuntimeHandlers>();
  let isAway = false;
  let made = 0;
  let seconds = 0;

  const now = () => new Date(Date.UTC(2026, 0, 1) + seconds++ * 1000).toISOString();
  const call = (name: string, subject = ''): void => {
    calls.push(`${name} ${subject}`.trim());
    const failure = failures.get(name);
    failures.delete(name);
    if (failure) throw failure;
    if (isAway)
      throw new FlotillaError('EngineFailed', `cannot ${name} ${subject}: engine is away`, { retryable: true });
  };
  const find = (id: string): FakeContainer => {
    const found = containers.get(id);
    if (!found) throw new FlotillaError('NotFound', `No such container: ${id}`);
    return found;
  };
  const tell = (id: string, event: ContainerEvent) => {
    if (!isAway) for (const watcher of watchers) queueMicrotask(() => watcher.onContainer(id, event));
  };
  const isRunning = (one: FakeContainer) => one.observation.state === 'running' || one.observation.state === 'paused';
  const refusePaused = (one: FakeContainer, verb: string) => {
    if (one.observation.state !== 'paused') return;
    const words = `Container ${one.observation.id} is paused. Unpause the container before stopping or killing`;
    throw new FlotillaError('Conflict', `cannot ${verb} container ${one.observation.id}: ${words}`);
  };
  const end = (one: FakeContainer, exitCode: number, wasOomKilled = false): void => {
    if (!isRunning(one)) return;
    const { pid: _pid, ...rest } = one.observation;
    one.observation = {
      ...rest,
      state: 'exited',
      exitCode,
      wasOomKilled,
      finishedAt: now(),
      addresses: [],
      hostPorts: [],
    };
    for (const resolve of one.waiters) resolve();
    one.waiters = [];
    tell(one.observation.id, 'die');
  };
  const failStart = (one: FakeContainer, error: string): never => {
    one.observation = { ...one.observation, state: 'exited', exitCode: 128, error };
    throw new FlotillaError('EngineFailed', `cannot start container ${one.spec.name}: ${error}`, { retryable: true });
  };

  return {
    images,
    registry,
    calls,
    stubborn,
    onExec: () => ({ exitCode: 0 }),
    get specs() {
      return new Map([...containers].map(([id, one]) => [id, one.spec]));
    },
    exit: (id, exitCode, options) => end(find(id), exitCode, options?.wasOomKilled),
    write: (id, text) => {
      find(id).log += text;
    },
    pause(id) {
      const one = find(id);
      one.observation = { ...one.observation, state: 'paused' };
      tell(id, 'pause');
    },
    failNext: (name, error) => void failures.set(name, error),
    setAway(away) {
      isAway = away;
      for (const watcher of watchers) {
        if (away) watcher.onDisconnect(new FlotillaError('EngineFailed', 'engine is away', { retryable: true }));
        else watcher.onResync();
      }
    },
    expireGrace: (id) => end(find(id), 137),

    async info() {
      call('info');
      return info;
    },
    async list() {
      call('list');
      return [...containers.values()].map((one) => one.observation);
    },
    async inspect(id) {
      call('inspect', id);
      return containers.get(id)?.observation;
    },
    watch(handlers, signal) {
      watchers.add(handlers);
      signal.addEventListener('abort', () => watchers.delete(handlers));
      queueMicrotask(() => {
        if (!isAway && watchers.has(handlers)) handlers.onResync();
      });
    },
    async hasImage(image) {
      call('hasImage', image);
      return images.has(image);
    },
    async pull(image, onProgress) {
      call('pull', image);
      if (!registry.has(image))
        throw new FlotillaError('ImagePullFailed', `image "${image}" not found in registry fake`);
      onProgress({ currentBytes: 1_000_000, totalBytes: 1_000_000 });
      images.add(image);
    },
    async makePauseImage() {
      call('makePauseImage');
      images.add(pauseImage);
    },
    async create(spec) {
      call('create', spec.name);
      if (!images.has(spec.image)) throw new FlotillaError('NotFound', `No such image: ${spec.image}`);
      const labels: Record<string, string> = { ...spec.labels, [hostLabels.managed]: 'true' };
      const existing = [...containers.values()].find((one) => one.spec.name === spec.name);
      if (existing) {
        const same = [hostLabels.podUid, hostLabels.container, hostLabels.attempt];
        if (same.every((label) => existing.spec.labels[label] === labels[label])) return existing.observation.id;
        containers.delete(existing.observation.id);
      }
      const id = String(++made).padStart(64, '0');
      const observation: ContainerObservation = {
        id,
        name: spec.name,
        labels,
        image: spec.image,
        imageId: `sha256:${'0'.repeat(64)}`,
        state: 'created',
        wasOomKilled: false,
        createdAt: now(),
        addresses: [],
        hostPorts: [],
      };
      containers.set(id, { spec: { ...spec, labels }, observation, log: '', waiters: [] });
      tell(id, 'create');
      return id;
    },
    async start(id) {
      call('start', id);
      const one = find(id);
      if (isRunning(one)) return;
      const { network } = one.spec;
      const address = typeof network === 'string' || 'container' in network ? undefined : network.address;
      for (const joined of joinedBy(one.spec)) {
        const other = containers.get(joined);
        if (!other) failStart(one, `No such container: ${joined}`);
        else if (!isRunning(other)) failStart(one, `cannot join network of a non running container: ${joined}`);
      }
      const others = [...containers.values()].filter((other) => other !== one && isRunning(other));
      if (address !== undefined && others.some((other) => other.observation.addresses.includes(address))) {
        failStart(one, 'Address already in use');
      }
      const hostPorts = one.spec.ports.map((port, index) => ({
        ...port,
        hostPort: port.hostPort ?? 49_153 + made + index,
      }));
      const taken = hostPorts.find((port) =>
        others.some((other) => other.observation.hostPorts.some((used) => used.hostPort === port.hostPort)),
      );
      if (taken) failStart(one, `Bind for 0.0.0.0:${taken.hostPort} failed: port is already allocated`);
      const { error: _error, exitCode: _exitCode, finishedAt: _finishedAt, ...rest } = one.observation;
      one.observation = {
        ...rest,
        state: 'running',
        startedAt: now(),
        pid: 1000 + made,
        addresses: address === undefined ? [] : [address],
        hostPorts,
      };
      tell(id, 'start');
    },
    async stop(id) {
      call('stop', id);
      const one = containers.get(id);
      if (!one || !isRunning(one)) return;
      refusePaused(one, 'stop');
      if (!stubborn.has(id)) return end(one, 143);
      await new Promise<void>((resolve) => one.waiters.push(resolve));
    },
    async kill(id, signal) {
      call('kill', id);
      const one = containers.get(id);
      if (one && (signal === 'SIGKILL' || !stubborn.has(id))) end(one, signal === 'SIGKILL' ? 137 : 143);
    },
    async resume(id) {
      call('resume', id);
      const one = containers.get(id);
      if (one?.observation.state !== 'paused') return;
      one.observation = { ...one.observation, state: 'running' };
      tell(id, 'unpause');
    },
    async reap() {},
    async remove(id) {
      call('remove', id);
      const one = containers.get(id);
      if (!one) return;
      end(one, 137);
      containers.delete(id);
      tell(id, 'destroy');
    },
    async logs(id, options) {
      call('logs', id);
      const lines = find(id)
        .log.split(/(?<=\n)/)
        .filter((line) => line !== '');
      const wanted =
        options.tailLines === undefined ? lines : lines.slice(Math.max(0, lines.length - options.tailLines));
      return {
        lines: (async function* () {
          for (const line of wanted) yield { stream: 'stdout' as const, data: Buffer.from(line) };
        })(),
      };
    },
    async exec(id, options) {
      call('exec', id);
      const one = find(id);
      if (!isRunning(one)) throw new FlotillaError('Conflict', `Container ${id} is not running`);
      const answer = await this.onExec(options.command);
      return {
        stdin: options.stdin ? new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }) : undefined,
        stdout: Readable.from(answer.stdout === undefined ? [] : [Buffer.from(answer.stdout)], { objectMode: false }),
        stderr: Readable.from([], { objectMode: false }),
        resize: async () => {},
        exitCode: async () => answer.exitCode,
      };
    },
    async attach(id, options) {
      call('attach', id);
      const one = find(id);
      if (!isRunning(one)) throw new FlotillaError('Conflict', `Container ${id} is not running`);
      return {
        stdin: options.stdin ? new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }) : undefined,
        stdout: Readable.from(options.withLog ? [Buffer.from(one.log)] : [], { objectMode: false }),
        stderr: Readable.from([], { objectMode: false }),
        resize: async () => {},
        exitCode: async () => 0,
      };
    },
    async ensureNetwork(network) {
      call('ensureNetwork', network.name);
      networks.set(network.name, network);
    },
    async ensureVolume(name, labels) {
      call('ensureVolume', name);
      if (!volumes.has(name)) volumes.set(name, { ...labels, [hostLabels.managed]: 'true' });
    },
    async listVolumes() {
      call('listVolumes');
      return [...volumes].map(([name, labels]) => ({ name, labels }));
    },
    async removeVolume(name) {
      call('removeVolume', name);
      const user = [...containers.values()].find((one) =>
        one.spec.mounts.some((mount) => mount.type === 'volume' && mount.source === name),
      );
      if (user) throw new FlotillaError('Conflict', `cannot remove volume ${name}: volume is in use`);
      volumes.delete(name);
    },
  };
}

function joinedBy({ network, ipcOf, pidOf }: ContainerSpec): readonly string[] {
  const networkOf = typeof network === 'object' && 'container' in network ? network.container : undefined;
  return [networkOf, ipcOf, pidOf].filter((id) => id !== undefined);
}
