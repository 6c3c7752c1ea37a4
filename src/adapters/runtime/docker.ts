import { FlotillaError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { hostLabels } from '../../resources/names.ts';
import { parseInspect } from './docker/container-json.ts';
import { renderCreateBody } from './docker/create-body.ts';
import { createDockerEngine, type DockerEngine } from './docker/docker-engine.ts';
import { watchEvents } from './docker/docker-events.ts';
import { ensureDockerNetwork } from './docker/docker-network.ts';
import { pullImage } from './docker/docker-pull.ts';
import { openAttach, openExec, openLogs } from './docker/docker-streams.ts';
import { EngineRefusal } from './docker/engine-http.ts';
import type { ContainerObservation, ContainerRuntime, ContainerSpec } from './port.ts';

export interface DockerRuntimeOptions {
  /** Unix socket of the Engine API. Default `/run/docker.sock`. */
  readonly socketPath?: string;
  readonly log: Logger;
}

const slowTimeoutMs = 30_000;
/** What the engine may need beyond the grace period itself. */
const stopSlackMs = 10_000;
const inspectsAtOnce = 8;
const ours = JSON.stringify({ label: [hostLabels.managed] });

/** Containers by Docker Engine's HTTP API (20.10 and newer; Podman's compatible socket too). */
export function createDockerRuntime(options: DockerRuntimeOptions): ContainerRuntime {
  const engine = createDockerEngine(options.socketPath ?? '/run/docker.sock');
  const log = options.log.with({ part: 'docker' });

  const runtime: ContainerRuntime = {
    async info() {
      const [version, info] = await Promise.all([engine.version(), engine.info()]);
      return {
        ...version,
        cpus: info.NCPU,
        memoryBytes: info.MemTotal,
        operatingSystem: info.OperatingSystem,
        kernelVersion: info.KernelVersion,
        architecture: info.Architecture,
        hasLiveRestore: info.LiveRestoreEnabled ?? false,
        rootDirectory: info.DockerRootDir ?? '/var/lib/docker',
      };
    },
    list: () => listContainers(engine),
    inspect: (containerId) => inspectContainer(engine, containerId),
    watch: (handlers, signal) => void watchEvents(engine, handlers, signal, log),

    async hasImage(image) {
      const purpose = `look for image "${image}"`;
      const answer = await engine.call({ method: 'GET', path: `/images/${image}/json`, purpose, accept: [404] });
      return answer.status !== 404;
    },
    pull: (image, onProgress, signal) => pullImage(engine, image, onProgress, signal),

    create: (spec) => createContainer(engine, spec),
    async start(containerId) {
      const purpose = `start container ${short(containerId)}`;
      await engine.call({
        method: 'POST',
        path: `/containers/${containerId}/start`,
        purpose,
        timeoutMs: slowTimeoutMs,
      });
    },
    async stop(containerId, graceSeconds) {
      await engine.call({
        method: 'POST',
        path: `/containers/${containerId}/stop`,
        query: { t: String(graceSeconds) },
        purpose: `stop container ${short(containerId)}`,
        timeoutMs: graceSeconds * 1000 + stopSlackMs,
        accept: [404],
      });
    },
    async kill(containerId, signal) {
      await engine.call({
        method: 'POST',
        path: `/containers/${containerId}/kill`,
        query: { signal },
        purpose: `send ${signal} to container ${short(containerId)}`,
        // Not running, or gone: what was wanted.
        accept: [404, 409],
      });
    },
    async resume(containerId) {
      const purpose = `resume container ${short(containerId)}`;
      try {
        await engine.call({ method: 'POST', path: `/containers/${containerId}/unpause`, purpose, accept: [404, 409] });
      } catch (error) {
        // Engines have no status of its own for this.
        if (!(error instanceof EngineRefusal) || !/is not paused/.test(error.words)) throw error;
      }
    },
    remove: (containerId) => removeContainer(engine, containerId),

    logs: (containerId, logOptions, signal) => openLogs(engine, containerId, logOptions, signal),
    exec: (containerId, execOptions, signal) => openExec(engine, containerId, execOptions, signal),
    attach: (containerId, attachOptions, signal) => openAttach(engine, containerId, attachOptions, signal),
    ensureNetwork: (network) => ensureDockerNetwork(engine, network),

    async ensureVolume(name, labels) {
      await engine.call({
        method: 'POST',
        path: '/volumes/create',
        body: { Name: name, Labels: { ...labels, [hostLabels.managed]: 'true' } },
        purpose: `make volume ${name}`,
      });
    },
    async listVolumes() {
      const query = { filters: ours };
      const answer = await engine.call({ method: 'GET', path: '/volumes', query, purpose: 'list volumes' });
      const { Volumes } = answer.body as { Volumes: { Name: string; Labels?: Record<string, string> | null }[] | null };
      return (Volumes ?? []).map((volume) => ({ name: volume.Name, labels: volume.Labels ?? {} }));
    },
    async removeVolume(name) {
      const purpose = `remove volume ${name}`;
      await engine.call({
        method: 'DELETE',
        path: `/volumes/${name}`,
        purpose,
        timeoutMs: slowTimeoutMs,
        accept: [404],
      });
    },
  };
  return runtime;
}

/** The list alone lacks exit codes, times and what killed a container: each is looked at. */
async function listContainers(engine: DockerEngine): Promise<readonly ContainerObservation[]> {
  const query = { all: '1', filters: ours };
  const answer = await engine.call({ method: 'GET', path: '/containers/json', query, purpose: 'list containers' });
  const waiting = (answer.body as { Id: string }[]).map(({ Id }) => Id);
  const found: ContainerObservation[] = [];
  const inspectNext = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const observation = await inspectContainer(engine, id);
      if (observation) found.push(observation);
    }
  };
  await Promise.all(Array.from({ length: inspectsAtOnce }, inspectNext));
  return found;
}

async function inspectContainer(engine: DockerEngine, nameOrId: string): Promise<ContainerObservation | undefined> {
  const purpose = `inspect container ${short(nameOrId)}`;
  const answer = await engine.call({ method: 'GET', path: `/containers/${nameOrId}/json`, purpose, accept: [404] });
  return answer.status === 404 ? undefined : parseInspect(answer.body);
}

async function createContainer(engine: DockerEngine, spec: ContainerSpec): Promise<string> {
  const labels = { ...spec.labels, [hostLabels.managed]: 'true' };
  for (let tries = 0; ; tries++) {
    try {
      const answer = await engine.call({
        method: 'POST',
        path: '/containers/create',
        query: { name: spec.name },
        body: renderCreateBody({ ...spec, labels }),
        purpose: `create container ${spec.name}`,
        timeoutMs: slowTimeoutMs,
      });
      return (answer.body as { Id: string }).Id;
    } catch (error) {
      if (!(error instanceof EngineRefusal) || error.status !== 409 || tries >= 2) throw error;
      const existing = await inspectContainer(engine, spec.name);
      if (!existing) continue;
      if (!existing.labels[hostLabels.managed]) {
        throw new FlotillaError('Conflict', `cannot create container ${spec.name}: another one has this name`, {
          hint: `Rename or remove it: docker rm ${spec.name}`,
          cause: error,
        });
      }
      if (isSame(existing, labels)) return existing.id;
      await removeContainer(engine, existing.id);
    }
  }
}

/** The same attempt of the same pod's container: what an earlier call made, whose answer was lost. */
function isSame(existing: ContainerObservation, labels: Readonly<Record<string, string>>): boolean {
  return [hostLabels.podUid, hostLabels.container, hostLabels.attempt].every(
    (label) => existing.labels[label] === labels[label],
  );
}

async function removeContainer(engine: DockerEngine, containerId: string): Promise<void> {
  await engine.call({
    method: 'DELETE',
    path: `/containers/${containerId}`,
    query: { force: '1', v: '1' },
    purpose: `remove container ${short(containerId)}`,
    timeoutMs: slowTimeoutMs,
    // 409: its removal is under way already.
    accept: [404, 409],
  });
}

function short(containerId: string): string {
  return /^[0-9a-f]{64}$/.test(containerId) ? containerId.slice(0, 12) : containerId;
}
