import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Container } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation, ContainerState } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { attemptOf, isAlive, nameOf, newestFirst } from './container-facts.ts';
import { pauseName } from './pause.ts';
import { planPod } from './plan.ts';
import type { MemberLocal, PodLocal } from './pod-local.ts';
import type { PodStep } from './step.ts';
import { containerOf, podOf } from './test-objects.ts';

const idle: PodLocal = {
  admission: 'admitted',
  isNetworkReady: true,
  hasAddress: true,
  hasResources: true,
  members: new Map(),
  endedAtMs: new Map(),
  endedWithHost: new Set(),
  stopping: new Map(),
  unhealthy: new Map(),
  hooksPending: new Set(),
  started: new Set(),
  graceSeconds: 30,
  mayStop: true,
  mayStepAside: new Map(),
};

const named = (name: string, more: Partial<Container> = {}): Container => ({ name, image: `acme/${name}:1`, ...more });
const sidecar = (name: string) => named(name, { restartPolicy: 'Always' });

/** `first` and `second` are init containers with the sidecar `side` between them; `app` and `helper` follow. */
function group(meta: Partial<Pod['metadata']> = {}, spec: Partial<Pod['spec']> = {}): Pod {
  const pod = podOf({}, meta, spec);
  const initContainers = [named('first'), sidecar('side'), named('second')];
  return { ...pod, spec: { initContainers, ...pod.spec, containers: [named('app'), named('helper')] } };
}

/** `app` of the pause container `POD-0`; ids are name and attempt. */
function one(
  name: string,
  state: ContainerState,
  { attempt = 0, exitCode = 1, pause = 'POD-0' }: { attempt?: number; exitCode?: number; pause?: string } = {},
): ContainerObservation {
  const { exitCode: _none, ...made } = containerOf(attempt, state);
  const own = name === pauseName ? {} : { [hostLabels.pause]: pause, [hostLabels.image]: `acme/${name}:1` };
  return {
    ...made,
    id: `${name}-${attempt}`,
    labels: { ...made.labels, [hostLabels.container]: name, ...own },
    ...(state === 'exited' || state === 'dead' ? { exitCode } : {}),
  };
}

const words = (steps: readonly PodStep[]) =>
  steps.map((step) => {
    if (step.type === 'wait') return `wait ${step.why}`;
    if (step.type === 'stop') return `stop ${step.containerId} ${step.graceSeconds} ${step.why}`;
    if (step.type === 'create') return `create ${step.container}-${step.attempt}`;
    if (step.type === 'start') return `start ${step.container}-${step.attempt}`;
    if (step.type === 'ensure-image') return `image ${step.image} ${step.policy}`;
    if (step.type === 'prepare') return `prepare ${step.container}`;
    return 'containerId' in step ? `${step.type} ${step.containerId}` : step.type;
  });
const begin = (name: string, attempt = 0) => [
  `prepare ${name}`,
  `create ${name}-${attempt}`,
  `start ${name}-${attempt}`,
];
const present: MemberLocal = { image: 'present', crashes: 0, lastAttempt: -1 };
const made = (lastAttempt: number, more: Partial<MemberLocal> = {}): MemberLocal => ({
  ...present,
  lastAttempt,
  ...more,
});
const all = ['POD', 'first', 'side', 'second', 'app', 'helper'];
const members = (given: Record<string, MemberLocal> = {}) =>
  new Map(all.map((name) => [name, given[name] ?? present] as const));

const pause = one('POD', 'running');
const firstDone = one('first', 'exited', { exitCode: 0 });
const secondDone = one('second', 'exited', { exitCode: 0 });
const side = one('side', 'running');
const apps = [one('app', 'running'), one('helper', 'running')];
const whole = [pause, firstDone, side, secondDone, ...apps];
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 10 };

const table: [title: string, pod: Pod, observed: ContainerObservation[], local: Partial<PodLocal>, steps: string[]][] =
  [
    [
      'from nothing: the pause container, whose image is built in, has the address',
      group(),
      [],
      { admission: 'unknown', hasAddress: false, members: new Map() },
      ['admit', 'image flotilla/pause:1 BuiltIn', 'assign-address', ...begin('POD')],
    ],
    ['then the first init container', group(), [pause], {}, begin('first')],
    ['whose end is waited for', group(), [pause, one('first', 'running')], {}, []],
    [
      'an init container that fails is run again, whatever runs for ever',
      group(),
      [pause, one('first', 'exited')],
      { members: members({ first: made(0) }) },
      begin('first', 1),
    ],
    [
      '… later each time',
      group(),
      [pause, one('first', 'exited')],
      { members: members({ first: made(0, { crashes: 3 }) }), endedAtMs: new Map([['first-0', 400]]) },
      ['wait crash-loop'],
    ],
    [
      '… and ends the pod that is to run once',
      group({}, { restartPolicy: 'Never' }),
      [pause, one('first', 'exited')],
      { members: members({ first: made(0) }) },
      ['stop POD-0 0 finished'],
    ],
    ['the sidecar after it', group(), [pause, firstDone], {}, begin('side')],
    ['which must have started', group(), [pause, firstDone, side], {}, []],
    ['before the next one', group(), [pause, firstDone, side], { started: new Set(['side-0']) }, begin('second')],
    [
      'a sidecar that ended is started again beside it',
      group(),
      [pause, firstDone, one('side', 'exited'), one('second', 'running')],
      { members: members({ side: made(0) }) },
      begin('side', 1),
    ],
    [
      'all others side by side',
      group(),
      [pause, firstDone, side, secondDone],
      { started: new Set(['side-0']) },
      [...begin('app'), ...begin('helper')],
    ],
    [
      'one that waits for its image keeps the other from nothing',
      group(),
      [pause, firstDone, side, secondDone],
      { started: new Set(['side-0']), members: members({ app: { ...present, image: 'pulling' } }) },
      [...begin('helper'), 'wait image'],
    ],
    ['all run', group(), whole, { started: new Set(['side-0']) }, []],
    [
      'a sidecar that is not ready again keeps nothing that runs already',
      group(),
      [pause, firstDone, side, secondDone, one('app', 'running'), one('helper', 'exited')],
      { members: members({ helper: made(0) }) },
      begin('helper', 1),
    ],
    [
      'what an init container did is done, though somebody removed it',
      group(),
      [pause, side, one('second', 'running')],
      { members: members({ first: made(0) }), started: new Set(['side-0']) },
      [],
    ],
    [
      'another image of one: only that one is stopped',
      { ...group(), spec: { ...group().spec, containers: [named('app', { image: 'acme/app:2' }), named('helper')] } },
      whole,
      { started: new Set(['side-0']) },
      ['stop app-0 30 outdated'],
    ],
    [
      'without their pause container all stop',
      group(),
      [one('POD', 'exited', { exitCode: 137 }), firstDone, side, secondDone, ...apps],
      {},
      ['stop side-0 30 pause-ended', 'stop app-0 30 pause-ended', 'stop helper-0 30 pause-ended'],
    ],
    [
      '… then there is a new one',
      group(),
      [one('POD', 'exited', { exitCode: 137 }), firstDone, one('side', 'exited'), secondDone, one('app', 'exited')],
      { members: members({ POD: made(0) }) },
      begin('POD', 1),
    ],
    [
      '… and all begins again',
      group(),
      [one('POD', 'running', { attempt: 1 }), firstDone, one('side', 'exited'), secondDone, one('app', 'exited')],
      { members: members({ POD: made(1), first: made(0) }) },
      begin('first', 1),
    ],
    [
      '… that lived with the old one stop first',
      group(),
      [one('POD', 'running', { attempt: 1 }), ...whole.slice(1)],
      { members: members({ POD: made(1) }) },
      ['stop side-0 30 pause-ended', 'stop app-0 30 pause-ended', 'stop helper-0 30 pause-ended'],
    ],
    [
      'a paused pause container goes on',
      group(),
      [one('POD', 'paused'), ...whole.slice(1)],
      { started: new Set(['side-0']) },
      ['resume POD-0'],
    ],
    [
      'deleted: app containers first, together',
      group(deleted),
      whole,
      {},
      ['stop app-0 10 deleted', 'stop helper-0 10 deleted'],
    ],
    [
      '… then sidecars with what is left of the grace period',
      group(deleted),
      [pause, firstDone, side, secondDone, one('app', 'exited'), one('helper', 'exited')],
      { endingSinceMs: -3_500 },
      ['stop side-0 6 deleted'],
    ],
    [
      '… two seconds at least',
      group(deleted),
      [pause, firstDone, side, secondDone],
      { endingSinceMs: -60_000 },
      ['stop side-0 2 deleted'],
    ],
    [
      '… then all goes',
      group(deleted),
      [pause, firstDone, one('side', 'exited')],
      {},
      ['remove POD-0', 'remove first-0', 'remove side-0', 'release', 'delete-object'],
    ],
    [
      'deleted, and somebody may still be sent to it',
      group(deleted),
      whole,
      { mayStop: { untilMs: 900 } },
      ['wait withdrawal'],
    ],
    [
      '… which nobody waits for where only the pause container lives',
      group(deleted),
      [pause, one('app', 'exited')],
      { mayStop: { untilMs: 900 } },
      ['remove POD-0', 'remove app-0', 'release', 'delete-object'],
    ],
    [
      'that ran once, and all of it: the sidecar stops',
      group({}, { restartPolicy: 'Never' }),
      [pause, firstDone, side, secondDone, one('app', 'exited', { exitCode: 0 }), one('helper', 'exited')],
      {},
      ['stop side-0 30 finished'],
    ],
    [
      '… then the pause container, which is kept: what ended keeps its place',
      group({}, { restartPolicy: 'Never' }),
      [pause, firstDone, one('side', 'exited'), secondDone, one('app', 'exited'), one('helper', 'exited')],
      {},
      ['stop POD-0 0 finished'],
    ],
    [
      'in the host network its pause container has no address',
      group({}, { hostNetwork: true }),
      [],
      { hasAddress: false, isNetworkReady: false, members: members() },
      begin('POD'),
    ],
  ];

describe('plan of a pod of several containers', () => {
  for (const [title, pod, observed, local, steps] of table) {
    const given = { ...idle, members: members(), ...local };
    it(title, () => assert.deepEqual(words(planPod(pod, observed, given, 500)), steps));
  }
});

/** A host in a few lines, on which containers may end at any time. */
class Model {
  containers: ContainerObservation[] = [];
  readonly last = new Map<string, number>();
  nowMs = 0;
  isObjectThere = true;
  hasResources = false;
  /** Init containers that ended well, with the pause container of their time. */
  readonly done = new Set<string>();
  readonly pod: Pod;

  constructor(pod: Pod) {
    this.pod = pod;
  }

  local(): PodLocal {
    const known = all.map((name) => [name, made(this.last.get(name) ?? -1)] as const);
    const { hasResources } = this;
    return {
      ...idle,
      hasResources,
      members: new Map(known),
      started: new Set(this.containers.filter(isAlive).map(({ id }) => id)),
    };
  }

  end(name: string, exitCode: number): void {
    this.containers = this.containers.map((container) =>
      nameOf(container) === name && isAlive(container) ? this.ended(container, exitCode) : container,
    );
  }

  ended(container: ContainerObservation, exitCode: number): ContainerObservation {
    const paused = container.labels[hostLabels.pause];
    if (exitCode === 0) this.done.add(`${nameOf(container)} in ${paused}`);
    return one(nameOf(container), 'exited', {
      ...{ attempt: attemptOf(container), exitCode },
      ...(paused === undefined ? {} : { pause: paused }),
    });
  }

  do(step: PodStep): void {
    if (step.type === 'wait') this.nowMs = Math.max(this.nowMs, step.untilMs ?? this.nowMs);
    if (step.type === 'delete-object') this.isObjectThere = false;
    if (step.type === 'prepare') this.hasResources = true;
    if (step.type === 'release') this.hasResources = false;
    if (step.type === 'remove') this.containers = this.containers.filter(({ id }) => id !== step.containerId);
    if (step.type === 'stop') {
      this.containers = this.containers.map((one) => (one.id === step.containerId ? this.ended(one, 143) : one));
    }
    if (step.type === 'create') this.#create(step.container, step.attempt);
    if (step.type === 'start') this.#start(step.container, step.attempt);
  }

  #create(name: string, attempt: number): void {
    const holder = newestFirst(this.containers, pauseName)[0];
    assert.ok(name === pauseName || (holder && isAlive(holder)), `${name} is made without a pause container`);
    assert.ok(attempt > (this.last.get(name) ?? -1) || !this.containers.some(({ id }) => id === `${name}-${attempt}`));
    this.last.set(name, attempt);
    this.containers.push(one(name, 'created', { attempt, ...(holder ? { pause: holder.id } : {}) }));
  }

  #start(name: string, attempt: number): void {
    const others = this.containers.filter((other) => nameOf(other) === name && isAlive(other));
    assert.deepEqual(others, [], `a second ${name} starts beside an old one`);
    this.#assertInOrder(name);
    this.containers = this.containers.map((container) => {
      if (container.id !== `${name}-${attempt}`) return container;
      const holder = container.labels[hostLabels.pause];
      return one(name, 'running', { attempt, ...(holder === undefined ? {} : { pause: holder }) });
    });
  }

  /** All before it are through, in the life of this pause container. */
  #assertInOrder(name: string): void {
    const [holder] = newestFirst(this.containers, pauseName);
    const before = all.slice(1, all.indexOf(name)).filter((other) => ['first', 'second'].includes(other));
    if (name === pauseName || name === 'side') return;
    for (const other of before) {
      const isDone = this.done.has(`${other} in ${holder?.id}`);
      assert.ok(isDone, `${name} starts before ${other} is through`);
    }
  }

  /** Until it rests; init containers end by themselves. */
  settle(desired: Pod | undefined): void {
    for (let round = 0; ; round++) {
      assert.ok(round < 200, 'it does not come to rest');
      const steps = planPod(this.isObjectThere ? desired : undefined, this.containers, this.local(), this.nowMs);
      for (const step of steps) this.do(step);
      const running = this.containers.filter(isAlive).map(nameOf);
      const init = running.find((name) => name === 'first' || name === 'second');
      if (init !== undefined) this.end(init, 0);
      else if (steps.length === 0) return;
    }
  }
}

const events = fc.array(
  fc.record({
    name: fc.constantFrom(...all),
    what: fc.constantFrom('ends', 'fails', 'is removed'),
    /** Steps of the plan that are done before the agent is cut off and begins anew. */
    cutAfter: fc.nat(8),
  }),
  { maxLength: 12 },
);

describe('plan of a pod of several containers, whatever ends when', () => {
  it('has each container at most once, begins in order, comes to rest whole, and ends without a trace', () => {
    fc.assert(
      fc.property(events, fc.constantFrom('Always', 'OnFailure', 'Never'), (happenings, restartPolicy) => {
        const pod = group({}, { restartPolicy });
        const model = new Model(pod);
        for (const { name, what, cutAfter } of happenings) {
          for (const step of planPod(pod, model.containers, model.local(), model.nowMs).slice(0, cutAfter))
            model.do(step);
          if (what === 'is removed')
            model.containers = model.containers.filter((container) => nameOf(container) !== name);
          else model.end(name, what === 'ends' ? 0 : 1);
        }
        model.settle(pod);
        const alive = model.containers.filter(isAlive).map(nameOf).sort();
        if (restartPolicy === 'Always') assert.deepEqual(alive, ['POD', 'app', 'helper', 'side']);
        // Where all of it has ended for good, nothing is left running.
        else if (!alive.includes('app') && !alive.includes('helper')) assert.deepEqual(alive, []);
        model.settle({ ...pod, metadata: { ...pod.metadata, ...deleted } });
        assert.deepEqual([model.containers, model.isObjectThere], [[], false]);
      }),
      { numRuns: 500 },
    );
  });
});
