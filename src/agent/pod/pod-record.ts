import type { ContainerStatus } from 'kubernetes-types/core/v1.js';
import type { BoundPort, ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { annotations, hostLabels } from '../../resources/names.ts';
import { podContainer, podContainers } from '../../resources/pod-containers.ts';
import type { Refusal } from './admission.ts';
import { parseBoundPorts } from './bound-ports.ts';
import { attemptOf, graceSecondsOf, hasEnded, isAlive, isOutdated, nameOf, newestFirst } from './container-facts.ts';
import { MemberRecord } from './member-record.ts';
import type { PodLocal } from './pod-local.ts';
import type { PodServices } from './pod-services.ts';
import type { ProbeState } from './probe-state.ts';
import type { MayStop } from './withdrawal.ts';

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
  /** When its host goes down, monotonic: what runs leaves routing and stops, and nothing starts. */
  hostEndsAtMs: number | undefined;
  readonly containers = new Map<string, ContainerObservation>();
  admission: PodLocal['admission'] = 'unknown';
  refusal: Refusal | undefined;
  address: string | undefined;
  hasFiles = false;
  /** Why the last plan broke off half-way: a full disk, an engine that is away. */
  trouble: string | undefined;
  boundPorts: readonly BoundPort[] = [];
  /** Since when it is ready, monotonic, until all nodes have followed. */
  unroutedSinceMs: number | undefined;
  #wasReady = false;
  /** When the stop began that ends the pod. */
  endingSinceMs: number | undefined;
  /** By container id, as all below. */
  readonly stopping = new Map<string, { readonly deadlineMs: number }>();
  readonly unhealthy = new Map<string, { readonly graceSeconds?: number }>();
  /** The postStart handlers of containers that started. */
  readonly hooks = new Map<string, 'pending' | 'running' | 'done'>();
  readonly probes = new Map<string, ProbeState>();
  /** Last words of containers that ended. */
  readonly messages = new Map<string, string>();
  /** Since when containers that are to be started anew are out of routing, or on their way. */
  readonly #asideMs = new Map<string, number>();
  readonly #endedAtMs = new Map<string, number>();
  readonly #endedWithHost = new Set<string>();
  readonly #members = new Map<string, MemberRecord>();
  /** When the engine was asked for what is known of a container; Infinity: it is gone for good, ids never come back. */
  readonly #askedAtMs = new Map<string, number>();

  constructor(uid: string) {
    this.uid = uid;
  }

  /** What is known of the container of this name. */
  member(name: string): MemberRecord {
    let member = this.#members.get(name);
    if (!member) {
      member = new MemberRecord();
      this.#members.set(name, member);
    }
    return member;
  }

  members(): Iterable<MemberRecord> {
    return this.#members.values();
  }

  /** The object as it is now. */
  take(pod: Pod): void {
    const before = this.pod;
    this.pod = pod;
    if (!before) return;
    for (const { container } of podContainers(pod)) {
      const known = podContainer(before, container.name);
      if (known && known.container.image !== container.image) this.member(container.name).wantNewImage();
    }
  }

  /** What is about to be told. */
  noteReady(isReady: boolean, nowMs: number): void {
    if (isReady === this.#wasReady) return;
    this.#wasReady = isReady;
    this.unroutedSinceMs = isReady ? nowMs : undefined;
  }

  /** What the API says of the past: needed where the engine no longer has a container that ran before the agent started. */
  recall(pod: Pod): void {
    if (this.boundPorts.length === 0)
      this.boundPorts = parseBoundPorts(pod.metadata.annotations?.[annotations.boundHostPorts]);
    for (const told of toldStatuses(pod)) {
      const member = this.member(told.name);
      if (member.lastAttempt >= 0 || !told.containerID) continue;
      member.lastAttempt = told.restartCount;
      member.crashes = told.restartCount;
    }
    for (const [id, state] of this.hooks) {
      const container = this.containers.get(id);
      if (state !== 'done' && container && toldStatus(pod, container)?.started) this.hooks.set(id, 'done');
    }
  }

  /**
   * The engine's word about a container, asked for at `askedAtMs`. Answers overtake each other, and a list takes its time:
   * what was asked for earlier than what is known counts no more.
   */
  observe(container: ContainerObservation, nowMs: number, askedAtMs = nowMs): void {
    const { id } = container;
    if (askedAtMs < (this.#askedAtMs.get(id) ?? 0)) return;
    const isFirstSight = !this.#askedAtMs.has(id);
    this.#askedAtMs.set(id, askedAtMs);
    this.containers.set(id, container);
    const member = this.member(nameOf(container));
    const attempt = attemptOf(container);
    if (attempt > member.lastAttempt) {
      if (member.lastAttempt < 0) member.crashes = Number(container.labels[hostLabels.crashes] ?? attempt);
      member.lastAttempt = attempt;
    }
    if (hasEnded(container)) {
      if (isFirstSight && container.exitCode === endedUnseen) this.#endedWithHost.add(id);
      if (!this.#endedAtMs.has(id)) this.#endedAtMs.set(id, nowMs);
    }
    if (isAlive(container)) {
      member.problem = undefined;
      this.#endedAtMs.delete(id); // somebody started it again by hand
      if (container.hostPorts.length > 0) this.boundPorts = container.hostPorts;
      this.#noticeHook(container);
    } else this.stopping.delete(id);
    // Somebody else took a random port meanwhile: the next attempt gets another one.
    if (container.error && /already (allocated|in use)/.test(container.error)) this.boundPorts = [];
  }

  /** A list that was asked for at `askedAtMs` does not have it. */
  miss(containerId: string, askedAtMs: number): void {
    if (askedAtMs >= (this.#askedAtMs.get(containerId) ?? 0)) this.forget(containerId);
  }

  /** It is gone. */
  forget(containerId: string): void {
    this.#askedAtMs.set(containerId, Number.POSITIVE_INFINITY);
    const gone = [...this.#askedAtMs.keys()].filter((id) => id !== containerId && !this.containers.has(id));
    for (const id of gone.slice(0, Math.max(0, gone.length - maxRemembered))) this.#askedAtMs.delete(id);
    const known = [this.containers, this.messages, this.hooks, this.probes, this.stopping, this.unhealthy];
    for (const one of [...known, this.#asideMs, this.#endedAtMs, this.#endedWithHost]) one.delete(containerId);
  }

  /** It is to be started anew: who runs it says that it is not ready, and stops it when nobody is sent to it. */
  isStepAside(container: ContainerObservation): boolean {
    if (!this.pod || !isAlive(container)) return false;
    if (this.hostEndsAtMs !== undefined) return true;
    return this.unhealthy.has(container.id) || this.stopping.has(container.id) || isOutdated(this.pod, container);
  }

  /** By container id. */
  mayStepAside(ask: NonNullable<PodServices['mayStepAside']>, nowMs: number): Map<string, MayStop> {
    const found = new Map<string, MayStop>();
    for (const container of this.containers.values()) {
      const { id } = container;
      if (!this.pod || !this.isStepAside(container)) {
        this.#asideMs.delete(id);
        continue;
      }
      const sinceMs = this.#asideMs.get(id) ?? nowMs;
      this.#asideMs.set(id, sinceMs);
      found.set(id, ask(this.pod, sinceMs, this.unhealthy.has(id)));
    }
    return found;
  }

  local(
    isNetworkReady: boolean,
    mayStop: MayStop = true,
    mayStepAside: PodLocal['mayStepAside'] = new Map(),
  ): PodLocal {
    return {
      admission: this.admission,
      isNetworkReady,
      mayStop,
      mayStepAside,
      hasAddress: this.address !== undefined,
      hasResources: this.address !== undefined || this.hasFiles,
      members: new Map([...this.#members].map(([name, member]) => [name, member.local])),
      endedAtMs: this.#endedAtMs,
      endedWithHost: this.#endedWithHost,
      stopping: this.stopping,
      unhealthy: this.unhealthy,
      hooksPending: new Set([...this.hooks].flatMap(([id, state]) => (state === 'pending' ? [id] : []))),
      started: new Set([...this.containers.keys()].filter((id) => this.isStarted(id))),
      graceSeconds: Math.min(this.pod ? graceSecondsOf(this.pod) : forcedGraceSeconds, forcedGraceSeconds),
      ...(this.hostEndsAtMs === undefined ? {} : { hostEndsAtMs: this.hostEndsAtMs }),
      ...(this.endingSinceMs === undefined ? {} : { endingSinceMs: this.endingSinceMs }),
    };
  }

  /** Its postStart handler has not ended: until then nobody is told that it runs well. */
  isHookPending(containerId: string): boolean {
    return (this.hooks.get(containerId) ?? 'done') !== 'done';
  }

  /** Its postStart handler has ended, and its startup probe has succeeded. */
  isStarted(containerId: string): boolean {
    const container = this.containers.get(containerId);
    return (
      container !== undefined && isAlive(container) && !this.isHookPending(containerId) && this.#isProbed(container)
    );
  }

  /** The newest container of a name; without one: of all. */
  newest(name?: string): ContainerObservation | undefined {
    return newestFirst(this.containers.values(), name)[0];
  }

  attempt(name: string, attempt: number): ContainerObservation | undefined {
    return newestFirst(this.containers.values(), name).find((one) => attemptOf(one) === attempt);
  }

  /** The container that has the pod's address on the wire. */
  get wired(): ContainerObservation | undefined {
    return newestFirst(this.containers.values()).find(({ addresses }) => addresses.length > 0);
  }

  #isProbed(container: ContainerObservation): boolean {
    if (this.probes.get(container.id)?.isStarted) return true;
    const spec = this.pod && podContainer(this.pod, nameOf(container))?.container;
    return spec?.startupProbe === undefined;
  }

  /**
   * A container with a postStart handler runs. Unless the API was told that it has started, the handler may not have run:
   * it runs at least once.
   */
  #noticeHook(container: ContainerObservation): void {
    const { pod } = this;
    if (this.hooks.has(container.id) || !pod) return;
    if (!podContainer(pod, nameOf(container))?.container.lifecycle?.postStart) return;
    this.hooks.set(container.id, toldStatus(pod, container)?.started === true ? 'done' : 'pending');
  }
}

/** What the API was told last about this very container. */
export function toldStatus(pod: Pod, container: ContainerObservation): ContainerStatus | undefined {
  return toldStatuses(pod).find(({ containerID }) => containerID === `docker://${container.id}`);
}

function toldStatuses({ status }: Pod): readonly ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}
