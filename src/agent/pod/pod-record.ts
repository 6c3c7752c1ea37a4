import type { BoundPort, ContainerObservation, MountSpec } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { annotations, hostLabels } from '../../resources/names.ts';
import type { Refusal } from './admission.ts';
import type { Environment } from './environment.ts';
import { attemptOf, graceSecondsOf, hasEnded, isAlive, type PodLocal } from './plan.ts';
import type { ProbeState } from './probe-state.ts';

export interface Failure {
  /** A waiting reason of Kubernetes. */
  readonly reason: string;
  /** The reason from the second time on. */
  readonly repeatedReason?: string;
  readonly message: string;
  /** A registry, say, which is spared. */
  readonly isRemote?: boolean;
}

export interface Problem {
  /** The first reason: failures of one kind are counted together. */
  readonly kind: string;
  readonly reason: string;
  readonly message: string;
  readonly failures: number;
  readonly retryAtMs: number;
}

const maxRemoteDelayMs = 300_000;
const maxLocalDelayMs = 10_000;
/** Of a pod in a crash loop there are few containers at a time, and many gone ones. */
const maxRemembered = 32;

/** What the engine says of a container that was gone when it started itself. */
const endedUnseen = 255;

/** A pod whose object is gone was deleted by force: nobody waits for its end. */
const forcedGraceSeconds = 2;

/** All that the agent holds in memory about one pod. Made again from the API and the engine after a restart. */
export class PodRecord {
  readonly uid: string;
  /** The object last seen; undefined for a left-over whose object was never seen. */
  pod: Pod | undefined;
  /** It is assigned to this node now. */
  isDesired = false;
  readonly containers = new Map<string, ContainerObservation>();
  admission: PodLocal['admission'] = 'unknown';
  refusal: Refusal | undefined;
  image: PodLocal['image'] = 'unknown';
  /** The pod asked for another one before. */
  isNewImage = false;
  /** Ends the pull that runs for this pod. */
  pull: AbortController | undefined;
  pullProgress: string | undefined;
  address: string | undefined;
  hasFiles = false;
  problem: Problem | undefined;
  /** Why the last plan broke off half-way: a full disk, an engine that is away. */
  trouble: string | undefined;
  crashes = 0;
  lastAttempt = -1;
  readonly endedAtMs = new Map<string, number>();
  endedWithHostId: string | undefined;
  stopping: { readonly containerId: string; readonly deadlineMs: number } | undefined;
  unhealthy: { readonly containerId: string; readonly graceSeconds?: number } | undefined;
  /** The postStart handler of the newest container that started. */
  hook: { readonly containerId: string; readonly state: 'pending' | 'running' | 'done' } | undefined;
  probe: ProbeState | undefined;
  /** From the `prepare` step to the `create` step. */
  prepared: { readonly environment: Environment; readonly mounts: readonly MountSpec[] } | undefined;
  boundPorts: readonly BoundPort[] = [];
  /** Last words of containers that ended, by container id. */
  readonly messages = new Map<string, string>();

  /** When the engine was asked for what is known of a container; Infinity: it is gone for good, ids never come back. */
  readonly #askedAtMs = new Map<string, number>();

  constructor(uid: string) {
    this.uid = uid;
  }

  /** The object as it is now. Another image is got at once, whatever became of the one before. */
  take(pod: Pod): void {
    const before = this.pod?.spec.containers[0]?.image;
    this.pod = pod;
    if (before === undefined || before === pod.spec.containers[0]?.image) return;
    this.pull?.abort();
    this.pull = undefined;
    this.image = 'unknown';
    this.isNewImage = true;
    this.problem = undefined;
  }

  /** What the API says of the past: needed where the engine no longer has a container that ran before the agent started. */
  recall(pod: Pod): void {
    if (this.boundPorts.length === 0)
      this.boundPorts = parseBoundPorts(pod.metadata.annotations?.[annotations.boundHostPorts]);
    const told = pod.status?.containerStatuses?.[0];
    if (this.lastAttempt >= 0 || !told?.containerID) return;
    this.lastAttempt = told.restartCount;
    this.crashes = told.restartCount;
  }

  /**
   * The engine's word about a container, asked for at `askedAtMs`. Answers overtake each other, and a list takes its time:
   * what was asked for earlier than what is known counts no more.
   */
  observe(container: ContainerObservation, nowMs: number, askedAtMs = nowMs): void {
    if (askedAtMs < (this.#askedAtMs.get(container.id) ?? 0)) return;
    const isFirstSight = !this.#askedAtMs.has(container.id);
    this.#askedAtMs.set(container.id, askedAtMs);
    this.containers.set(container.id, container);
    const attempt = attemptOf(container);
    if (attempt > this.lastAttempt) {
      if (this.lastAttempt < 0) this.crashes = Number(container.labels[hostLabels.crashes] ?? attempt);
      this.lastAttempt = attempt;
    }
    if (isFirstSight && hasEnded(container) && container.exitCode === endedUnseen) this.endedWithHostId = container.id;
    if (hasEnded(container) && !this.endedAtMs.has(container.id)) this.endedAtMs.set(container.id, nowMs);
    if (isAlive(container)) {
      this.problem = undefined;
      this.endedAtMs.delete(container.id); // somebody started it again by hand
      if (container.hostPorts.length > 0) this.boundPorts = container.hostPorts;
      this.#noticeHook(container);
    }
    // Somebody else took a random port meanwhile: the next attempt gets another one.
    if (container.error && /already (allocated|in use)/.test(container.error)) this.boundPorts = [];
    if (this.stopping?.containerId === container.id && !isAlive(container)) this.stopping = undefined;
  }

  /** A list that was asked for at `askedAtMs` does not have it. */
  miss(containerId: string, askedAtMs: number): void {
    if (askedAtMs >= (this.#askedAtMs.get(containerId) ?? 0)) this.forget(containerId);
  }

  /** It is gone. */
  forget(containerId: string): void {
    this.#askedAtMs.set(containerId, Number.POSITIVE_INFINITY);
    const [oldest] = this.#askedAtMs.keys();
    if (this.#askedAtMs.size > maxRemembered && oldest !== undefined) this.#askedAtMs.delete(oldest);
    this.containers.delete(containerId);
    this.messages.delete(containerId);
    this.endedAtMs.delete(containerId);
    if (this.stopping?.containerId === containerId) this.stopping = undefined;
  }

  /** Something failed: the next try comes later each time. What somebody puts right is not to be waited for long. */
  fail(failure: Failure, nowMs: number): void {
    const failures = this.problem?.kind === failure.reason ? this.problem.failures + 1 : 1;
    const maxMs = failure.isRemote ? maxRemoteDelayMs : maxLocalDelayMs;
    const delayMs = Math.min(maxMs, 1_000 * 2 ** Math.min(failures - 1, 20));
    const reason = failures > 1 ? (failure.repeatedReason ?? failure.reason) : failure.reason;
    this.problem = { kind: failure.reason, reason, message: failure.message, failures, retryAtMs: nowMs + delayMs };
  }

  local(isNetworkReady: boolean): PodLocal {
    return {
      admission: this.admission,
      image: this.image,
      isNetworkReady,
      hasAddress: this.address !== undefined,
      hasResources: this.address !== undefined || this.hasFiles,
      crashes: this.crashes,
      endedAtMs: this.endedAtMs,
      lastAttempt: this.lastAttempt,
      graceSeconds: Math.min(this.pod ? graceSecondsOf(this.pod) : forcedGraceSeconds, forcedGraceSeconds),
      ...(this.endedWithHostId === undefined ? {} : { endedWithHostId: this.endedWithHostId }),
      ...(this.isNewImage ? { isNewImage: true } : {}),
      ...(this.problem ? { problem: this.problem } : {}),
      ...(this.stopping ? { stopping: this.stopping } : {}),
      ...(this.unhealthy ? { unhealthy: this.unhealthy } : {}),
      ...(this.hook?.state === 'pending' ? { hookPendingId: this.hook.containerId } : {}),
    };
  }

  /** Its postStart handler has not ended: until then nobody is told that it runs well. */
  isHookPending(containerId: string): boolean {
    return this.hook?.containerId === containerId && this.hook.state !== 'done';
  }

  /**
   * A container with a postStart handler runs. Unless the API was told that it has started, the handler may not have run:
   * it runs at least once.
   */
  #noticeHook(container: ContainerObservation): void {
    if (this.hook?.containerId === container.id || !this.pod?.spec.containers[0]?.lifecycle?.postStart) return;
    const told = this.pod.status?.containerStatuses?.[0];
    const isDone = told?.containerID === `docker://${container.id}` && told.started === true;
    this.hook = { containerId: container.id, state: isDone ? 'done' : 'pending' };
  }

  get newest(): ContainerObservation | undefined {
    let newest: ContainerObservation | undefined;
    for (const one of this.containers.values()) if (!newest || attemptOf(one) > attemptOf(newest)) newest = one;
    return newest;
  }

  attempt(attempt: number): ContainerObservation | undefined {
    return [...this.containers.values()].find((one) => attemptOf(one) === attempt);
  }
}

/** The annotation that agents write: random host ports stay the same over a reboot. What is not readable is forgotten. */
export function parseBoundPorts(text: string | undefined): readonly BoundPort[] {
  if (text === undefined) return [];
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed.filter(isBoundPort) : [];
  } catch {
    return [];
  }
}

function isBoundPort(one: unknown): one is BoundPort {
  if (typeof one !== 'object' || one === null) return false;
  const { containerPort, hostPort, protocol } = one as Partial<BoundPort>;
  return (
    typeof containerPort === 'number' && typeof hostPort === 'number' && (protocol === 'TCP' || protocol === 'UDP')
  );
}
