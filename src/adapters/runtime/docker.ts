import { type Exec, exec as runProgram } from '../../lib/exec.ts';
import type { Logger } from '../../lib/log.ts';
import { hostLabels } from '../../resources/names.ts';
import {
  createContainer,
  inspectContainer,
  listContainers,
  removeContainer,
  short,
  startContainer,
} from './docker/docker-containers.ts';
import { createDockerEngine } from './docker/docker-engine.ts';
import { watchEvents } from './docker/docker-events.ts';
import { loadImage } from './docker/docker-load.ts';
import { ensureDockerNetwork, remakeDockerNetwork } from './docker/docker-network.ts';
import { pullImage } from './docker/docker-pull.ts';
import { openAttach, openExec, openLogs } from './docker/docker-streams.ts';
import { EngineRefusal } from './docker/engine-http.ts';
import { killLeftBehind } from './docker/left-behind.ts';
import { hasBridge, repairBridge } from './docker/repair-bridge.ts';
import { removeStrayCables } from './docker/stray-cables.ts';
import { pauseArchitecture, renderPauseImage } from './pause/pause-image.ts';
import { type ContainerRuntime, pauseImage } from './port.ts';

export interface DockerRuntimeOptions {
  /** Unix socket of the Engine API. Default `/run/docker.sock`. */
  readonly socketPath?: string;
  /** Runs `ip` where the engine's bridge is. Default: this process's own namespaces. */
  readonly exec?: Exec;
  readonly log: Logger;
}

const slowTimeoutMs = 30_000;
/** What the engine may need beyond the grace period itself. */
const stopSlackMs = 10_000;
const ours = JSON.stringify({ label: [hostLabels.managed] });

/** Containers by Docker Engine's HTTP API (20.10 and newer; Podman's compatible socket too). */
export function createDockerRuntime(options: DockerRuntimeOptions): ContainerRuntime {
  const engine = createDockerEngine(options.socketPath ?? '/run/docker.sock');
  const log = options.log.with({ part: 'docker' });
  const { exec = runProgram } = options;

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

    makePauseImage: async () => {
      const { Architecture } = await engine.info();
      await loadImage(engine, pauseImage, renderPauseImage(pauseArchitecture(Architecture)));
    },

    create: (spec) => createContainer(engine, spec),
    start: (containerId) => startContainer(engine, containerId, log),
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
    async reap(containerId) {
      const killed = await killLeftBehind(containerId);
      if (killed > 0) log.warn('ended what a killed engine had left', { container: short(containerId), killed });
    },

    logs: (containerId, logOptions, signal) => openLogs(engine, containerId, logOptions, signal),
    exec: (containerId, execOptions, signal) => openExec(engine, containerId, execOptions, signal),
    attach: (containerId, attachOptions, signal) => openAttach(engine, containerId, attachOptions, signal),
    async ensureNetwork(network) {
      await ensureDockerNetwork(engine, exec, network);
      if (!(await hasBridge(exec, network.bridgeName))) {
        const running = (await listContainers(engine)).filter(({ addresses }) => addresses.length > 0);
        const pids = running.flatMap(({ pid }) => pid ?? []);
        const isMended = pids.length > 0 && (await repairBridge(exec, network, pids));
        if (isMended) log.warn('somebody had deleted the bridge; made it again', { bridge: network.bridgeName });
        // Nobody uses it: the engine makes it, wherever it runs.
        if (running.length === 0) await remakeDockerNetwork(engine, network);
      }
      removeStrayCables(exec, network.bridgeName).then(
        (removed) => removed > 0 && log.warn('removed cables that a killed engine had left', { removed }),
        (error) => log.warn('cannot look for cables that a killed engine left', { error }),
      );
    },

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
