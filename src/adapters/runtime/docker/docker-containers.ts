import { systemClock } from '../../../lib/clock.ts';
import { FlotillaError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import { hostLabels } from '../../../resources/names.ts';
import type { ContainerObservation, ContainerSpec } from '../port.ts';
import { parseInspect } from './container-json.ts';
import { renderCreateBody } from './create-body.ts';
import type { DockerEngine } from './docker-engine.ts';
import { EngineRefusal } from './engine-http.ts';
import { killLeftBehind } from './left-behind.ts';

const slowTimeoutMs = 30_000;
const inspectsAtOnce = 8;
/** containerd needs a moment to see that a shim is gone. */
const restartPauseMs = 100;
const maxStarts = 5;
const ours = JSON.stringify({ label: [hostLabels.managed] });

/** The list alone lacks exit codes, times and what killed a container: each is looked at. */
export async function listContainers(engine: DockerEngine): Promise<readonly ContainerObservation[]> {
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

export async function inspectContainer(
  engine: DockerEngine,
  nameOrId: string,
): Promise<ContainerObservation | undefined> {
  const purpose = `inspect container ${short(nameOrId)}`;
  const answer = await engine.call({ method: 'GET', path: `/containers/${nameOrId}/json`, purpose, accept: [404] });
  return answer.status === 404 ? undefined : parseInspect(answer.body);
}

export async function createContainer(engine: DockerEngine, spec: ContainerSpec): Promise<string> {
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

/** Where a killed engine left half a start behind, its rest is in the way of each further one: it goes, and the next try counts. */
export async function startContainer(engine: DockerEngine, containerId: string, log: Logger): Promise<void> {
  const purpose = `start container ${short(containerId)}`;
  for (let tries = 1; ; tries++) {
    try {
      const path = `/containers/${containerId}/start`;
      await engine.call({ method: 'POST', path, purpose, timeoutMs: slowTimeoutMs });
      return;
    } catch (error) {
      const isRefused = error instanceof EngineRefusal;
      if (!isRefused || tries >= maxStarts || (await inspectContainer(engine, containerId))?.pid) throw error;
      const killed = await killLeftBehind(containerId);
      if (killed === 0 && tries === 1) throw error;
      log.warn('an engine that was killed had started it by half, trying again', {
        container: short(containerId),
        killed,
      });
      await systemClock.sleep(restartPauseMs * tries);
    }
  }
}

/** The same attempt of the same pod's container: what an earlier call made, whose answer was lost. */
function isSame(existing: ContainerObservation, labels: Readonly<Record<string, string>>): boolean {
  return [hostLabels.podUid, hostLabels.container, hostLabels.attempt].every(
    (label) => existing.labels[label] === labels[label],
  );
}

export async function removeContainer(engine: DockerEngine, containerId: string): Promise<void> {
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

export function short(containerId: string): string {
  return /^[0-9a-f]{64}$/.test(containerId) ? containerId.slice(0, 12) : containerId;
}
