import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { crashDelayMs, isAlive } from './container-facts.ts';
import { planPod } from './plan.ts';
import type { MemberLocal, PodLocal } from './pod-local.ts';
import type { PodStep } from './step.ts';
import { containerOf, podOf } from './test-objects.ts';

/** The pod's, and those of its only container. */
type Local = PodLocal & MemberLocal;

const idle: Local = {
  admission: 'admitted',
  isNetworkReady: true,
  hasAddress: true,
  hasResources: true,
  members: new Map(),
  image: 'present',
  crashes: 0,
  lastAttempt: -1,
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
const planOf = (pod: Pod | undefined, observed: ContainerObservation[], local: Local, nowMs: number) =>
  planPod(pod, observed, { ...local, members: new Map([['web', local]]) }, nowMs);
const words = (steps: readonly PodStep[]) =>
  steps.map((step) => {
    if (step.type === 'wait') return `wait ${step.why}${step.untilMs === undefined ? '' : ` ${step.untilMs}`}`;
    if (step.type === 'stop') return `stop ${step.containerId} ${step.graceSeconds} ${step.why}`;
    if (step.type === 'create') return `create ${step.attempt} crashes ${step.crashes}`;
    if (step.type === 'start') return `start ${step.attempt}`;
    if (step.type === 'remove') return `remove ${step.containerId}`;
    return step.type === 'ensure-image' ? `image ${step.policy}` : step.type;
  });

const running = (attempt: number) => containerOf(attempt, 'running');
const exited = (attempt: number, exitCode = 1) => containerOf(attempt, 'exited', { exitCode });
/** Made when the pod asked for another image. */
const outdated = (state: 'running' | 'exited', more: Partial<ContainerObservation> = {}) => {
  const one = containerOf(0, state, more);
  return { ...one, labels: { ...one.labels, [hostLabels.image]: 'acme/web:0' } };
};
const start = ['prepare', 'create 0 crashes 0', 'start 0'];
const deleted = podOf({}, { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 5 });

const table: [
  title: string,
  pod: ReturnType<typeof podOf> | undefined,
  observed: ContainerObservation[],
  local: Partial<Local>,
  steps: string[],
][] = [
  [
    'from nothing',
    podOf({}),
    [],
    { admission: 'unknown', image: 'unknown', hasAddress: false },
    ['admit', 'image IfNotPresent', 'assign-address', ...start],
  ],
  [
    'pull policy Always holds for the first attempt',
    podOf({ imagePullPolicy: 'Always' }),
    [],
    { image: 'unknown' },
    ['image Always', ...start],
  ],
  [
    '… and not for a restart',
    podOf({ imagePullPolicy: 'Always' }),
    [exited(0)],
    { image: 'unknown', lastAttempt: 0 },
    ['image IfNotPresent', 'prepare', 'create 1 crashes 1', 'start 1'],
  ],
  [
    'another image: the container serves until nobody is sent to it …',
    podOf({}),
    [outdated('running')],
    { mayStepAside: new Map([['c0', { untilMs: 900 }]]) },
    ['wait withdrawal 900'],
  ],
  [
    '… so does one that failed its liveness probe …',
    podOf({}),
    [running(0)],
    { unhealthy: new Map([['c0', {}]]), mayStepAside: new Map([['c0', { untilMs: 900 }]]) },
    ['wait withdrawal 900'],
  ],
  [
    '… but for one that stops already',
    podOf({}),
    [outdated('running')],
    { stopping: new Map([['c0', { deadlineMs: 9_000 }]]), mayStepAside: new Map([['c0', { untilMs: 900 }]]) },
    ['wait stopping'],
  ],
  ['another image: the container is stopped …', podOf({}), [outdated('running')], {}, ['stop c0 30 outdated']],
  [
    '… and the next one starts at once, whatever the restart policy',
    podOf({ imagePullPolicy: 'Always' }, {}, { restartPolicy: 'Never' }),
    [outdated('exited', { exitCode: 0 })],
    { image: 'unknown', isNewImage: true, lastAttempt: 0, crashes: 4, endedAtMs: new Map([['c0', 0]]) },
    ['image Always', 'prepare', 'create 1 crashes 0', 'start 1'],
  ],
  [
    '… but not once the pod has ended',
    podOf({}, {}, { restartPolicy: 'Never' }, 'Succeeded'),
    [outdated('exited', { exitCode: 0 })],
    { lastAttempt: 0 },
    [],
  ],
  [
    'its host goes down: it serves until nobody is sent to it …',
    podOf({}),
    [running(0)],
    { hostEndsAtMs: 60_500, mayStepAside: new Map([['c0', { untilMs: 900 }]]) },
    ['wait withdrawal 900'],
  ],
  [
    '… but its grace period is not shortened for that …',
    podOf({}),
    [running(0)],
    { hostEndsAtMs: 30_600, mayStepAside: new Map([['c0', { untilMs: 12_000 }]]) },
    ['wait withdrawal 600'],
  ],
  ['… then it stops …', podOf({}), [running(0)], { hostEndsAtMs: 60_500 }, ['stop c0 30 host']],
  ['… within the time that is left', podOf({}), [running(0)], { hostEndsAtMs: 4_500 }, ['stop c0 4 host']],
  ['… and nothing starts or is removed', podOf({}), [exited(0)], { hostEndsAtMs: 60_500, lastAttempt: 0 }, []],
  ['a host that goes down begins nothing', podOf({}), [], { hostEndsAtMs: 60_500 }, []],
  [
    'what is deleted meanwhile goes as ever',
    deleted,
    [exited(0)],
    { hostEndsAtMs: 60_500, lastAttempt: 0 },
    ['remove c0', 'release', 'delete-object'],
  ],
  ['while the image is pulled', podOf({}), [], { image: 'pulling' }, ['wait image']],
  ['without a network', podOf({}), [], { isNetworkReady: false, hasAddress: false }, ['wait network']],
  [
    'in the host network nobody waits for ours',
    podOf({}, {}, { hostNetwork: true }),
    [],
    { isNetworkReady: false, hasAddress: false },
    start,
  ],
  ['after a failure, before its time', podOf({}), [], { problem: { retryAtMs: 900 } }, ['wait problem 900']],
  ['after a failure, at its time', podOf({}), [], { problem: { retryAtMs: 100 } }, start],
  ['created by an agent that died', podOf({}), [containerOf(0, 'created')], { lastAttempt: 0 }, ['start 0']],
  [
    'its start failed: made anew, since what it was made for may be gone',
    podOf({}),
    [containerOf(2, 'created')],
    { lastAttempt: 2, crashes: 1, problem: { retryAtMs: 100 } },
    ['remove c2', 'prepare', 'create 2 crashes 1', 'start 2'],
  ],
  [
    'its start failed a moment ago',
    podOf({}),
    [containerOf(2, 'created')],
    { lastAttempt: 2, problem: { retryAtMs: 900 } },
    ['wait problem 900'],
  ],
  ['running', podOf({}), [running(0)], { lastAttempt: 0 }, []],
  [
    'first crash: again at once',
    podOf({}),
    [exited(0)],
    { lastAttempt: 0 },
    ['prepare', 'create 1 crashes 1', 'start 1'],
  ],
  [
    'third crash: later',
    podOf({}),
    [exited(2)],
    { lastAttempt: 2, crashes: 2, endedAtMs: new Map([['c2', 400]]) },
    ['wait crash-loop 2400'],
  ],
  [
    'ended with its host: no crash, whatever was before',
    podOf({}),
    [exited(7, 255)],
    { lastAttempt: 7, crashes: 3, endedAtMs: new Map([['c7', 400]]), endedWithHost: new Set(['c7']) },
    ['prepare', 'create 8 crashes 3', 'start 8'],
  ],
  [
    'a long run forgets crashes',
    podOf({}),
    [containerOf(5, 'exited', { startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:10:00Z' })],
    { lastAttempt: 5, crashes: 5 },
    ['prepare', 'create 6 crashes 1', 'start 6'],
  ],
  ['Never', podOf({}, {}, { restartPolicy: 'Never' }), [exited(0)], { lastAttempt: 0 }, []],
  ['OnFailure, success', podOf({}, {}, { restartPolicy: 'OnFailure' }), [exited(0, 0)], { lastAttempt: 0 }, []],
  [
    'OnFailure, failure',
    podOf({}, {}, { restartPolicy: 'OnFailure' }),
    [exited(0, 2)],
    { lastAttempt: 0 },
    ['prepare', 'create 1 crashes 1', 'start 1'],
  ],
  ['removed behind our back', podOf({}), [], { lastAttempt: 3 }, ['prepare', 'create 4 crashes 1', 'start 4']],
  ['removed behind our back, Never', podOf({}, {}, { restartPolicy: 'Never' }), [], { lastAttempt: 0 }, []],
  [
    'two run: the older one goes first',
    podOf({}),
    [running(0), running(1)],
    { lastAttempt: 1 },
    ['stop c0 30 surplus'],
  ],
  ['only the last end is kept', podOf({}), [running(3), exited(2), exited(1)], { lastAttempt: 3 }, ['remove c1']],
  [
    'unhealthy',
    podOf({}),
    [running(0)],
    { lastAttempt: 0, unhealthy: new Map([['c0', {}]]) },
    ['stop c0 30 unhealthy'],
  ],
  ['deleted while it runs', deleted, [running(0)], { lastAttempt: 0 }, ['stop c0 5 deleted']],
  [
    'deleted, its stop under way',
    deleted,
    [running(0)],
    { lastAttempt: 0, stopping: new Map([['c0', { deadlineMs: 5_500 }]]) },
    ['wait stopping'],
  ],
  [
    'deleted again with a shorter grace',
    deleted,
    [running(0)],
    { lastAttempt: 0, stopping: new Map([['c0', { deadlineMs: 30_500 }]]) },
    ['stop c0 5 deleted'],
  ],
  [
    'deleted, ended',
    deleted,
    [exited(1), exited(0)],
    { lastAttempt: 1 },
    ['remove c1', 'remove c0', 'release', 'delete-object'],
  ],
  [
    'deleted, and somebody may still be sent to it',
    deleted,
    [running(0)],
    { mayStop: { untilMs: 900 } },
    ['wait withdrawal 900'],
  ],
  [
    '… which nobody waits for once it has ended',
    deleted,
    [exited(0)],
    { mayStop: { untilMs: 900 } },
    ['remove c0', 'release', 'delete-object'],
  ],
  ['deleted before anything was made', deleted, [], { hasResources: false }, ['delete-object']],
  ['not wanted here', undefined, [running(0)], { lastAttempt: 0, graceSeconds: 7 }, ['stop c0 7 not-wanted']],
  ['not wanted here, ended', undefined, [exited(0)], { lastAttempt: 0 }, ['remove c0', 'release']],
  ['refused', podOf({}), [], { admission: 'refused' }, []],
  ['finished long ago', podOf({}, {}, {}, 'Succeeded'), [exited(0, 0)], { lastAttempt: 0 }, []],
];

describe('plan of a pod', () => {
  for (const [title, pod, observed, local, steps] of table) {
    it(title, () => assert.deepEqual(words(planOf(pod, observed, { ...idle, ...local }, 500)), steps));
  }

  it('waits longer after each crash, never beyond five minutes', () => {
    assert.deepEqual([0, 1, 2, 3, 9, 10, 50].map(crashDelayMs), [0, 1000, 2000, 4000, 256_000, 300_000, 300_000]);
  });
});

/** A host in a few lines: what a step does when all goes well. */
class Model {
  containers: ContainerObservation[];
  local: Local;
  isObjectThere = true;
  nowMs = 0;

  constructor(containers: ContainerObservation[], local: Local) {
    this.containers = containers;
    this.local = local;
  }

  #withoutHook(): void {
    this.local = { ...this.local, hooksPending: new Set() };
  }

  do(step: PodStep): void {
    const set = (change: Partial<Local>) => {
      this.local = { ...this.local, ...change };
    };
    switch (step.type) {
      case 'admit':
        set({ admission: 'admitted' });
        return;
      case 'ensure-image':
        set({ image: 'present' });
        return;
      case 'assign-address':
        set({ hasAddress: true, hasResources: true });
        return;
      case 'prepare':
        set({ hasResources: true });
        return;
      case 'create':
        this.containers.push(containerOf(step.attempt, 'created'));
        set({ lastAttempt: step.attempt, crashes: step.crashes });
        return;
      case 'start':
        this.containers = this.containers.map((one) => (one.id === `c${step.attempt}` ? running(step.attempt) : one));
        return;
      case 'post-start':
        assert.equal(this.containers.find((one) => one.id === step.containerId)?.state, 'running');
        this.#withoutHook();
        return;
      case 'resume':
        this.containers = this.containers.map((one) =>
          one.id === step.containerId ? { ...one, state: 'running' } : one,
        );
        return;
      case 'stop':
        assert.notEqual(this.containers.find((one) => one.id === step.containerId)?.state, 'paused');
        this.containers = this.containers.map((one) =>
          one.id === step.containerId ? exited(Number(one.id.slice(1)), 143) : one,
        );
        return;
      case 'remove':
        this.containers = this.containers.filter((one) => one.id !== step.containerId);
        return;
      case 'release':
        set({ hasAddress: false, hasResources: false, image: 'unknown' });
        return;
      case 'delete-object':
        this.isObjectThere = false;
        return;
      case 'wait':
        if (step.untilMs !== undefined) this.nowMs = Math.max(this.nowMs, step.untilMs);
        else set({ image: 'present', isNetworkReady: true });
    }
  }
}

const states = fc.constantFrom('created', 'running', 'exited', 'dead', 'paused') as fc.Arbitrary<
  ContainerObservation['state']
>;
const hosts = fc.record({
  states: fc.array(states, { maxLength: 5 }),
  exitCode: fc.constantFrom(0, 1, 137),
  policy: fc.constantFrom('Always', 'OnFailure', 'Never'),
  fate: fc.constantFrom('wanted', 'deleted', 'gone'),
  image: fc.constantFrom('unknown', 'present', 'pulling') as fc.Arbitrary<MemberLocal['image']>,
  admission: fc.constantFrom('unknown', 'admitted') as fc.Arbitrary<PodLocal['admission']>,
  isNetworkReady: fc.boolean(),
  crashes: fc.nat(20),
  retryAtMs: fc.nat(1000),
  isHookPending: fc.boolean(),
});

describe('plan of a pod, whatever the host looks like', () => {
  it('comes to rest, and never has two running containers that it started', () => {
    fc.assert(
      fc.property(hosts, (host) => {
        const meta = host.fate === 'deleted' ? { deletionTimestamp: 'x', deletionGracePeriodSeconds: 1 } : {};
        const pod = podOf({}, meta, { restartPolicy: host.policy });
        const containers = host.states.map((state, attempt) =>
          containerOf(attempt, state, { exitCode: host.exitCode }),
        );
        const model = new Model(containers, {
          ...idle,
          image: host.image,
          admission: host.admission,
          isNetworkReady: host.isNetworkReady,
          hasAddress: false,
          crashes: host.crashes,
          problem: { retryAtMs: host.retryAtMs },
          lastAttempt: host.states.length - 1,
          ...(host.isHookPending ? { hooksPending: new Set([`c${host.states.length - 1}`]) } : {}),
        });
        for (let round = 0; ; round++) {
          assert.ok(round < 40, 'it does not come to rest');
          const desired = host.fate === 'gone' || !model.isObjectThere ? undefined : pod;
          const steps = planOf(desired, model.containers, model.local, model.nowMs);
          if (steps.length === 0) break;
          for (const step of steps) {
            if (step.type === 'start') {
              const others = model.containers.filter((one) => isAlive(one) && one.id !== `c${step.attempt}`);
              assert.deepEqual(others, [], 'a new one starts beside an old one');
            }
            model.do(step);
            if (step.type === 'wait') break;
          }
        }
        const alive = model.containers.filter(isAlive);
        assert.ok(alive.length <= 1);
        assert.ok(!alive.some((one) => one.state === 'paused'));
        if (host.fate === 'wanted') assert.ok(!model.local.hooksPending.has(alive[0]?.id ?? 'none'));
        if (host.fate !== 'wanted') assert.deepEqual(model.containers, []);
        else if (host.policy === 'Always') assert.equal(alive.length, 1);
        if (host.fate === 'wanted')
          assert.ok(model.containers.length - alive.length <= 1 || host.states.includes('created'));
      }),
      { numRuns: 500 },
    );
  });
});
