import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Kind } from '../../resources/kind.ts';
import { type Service, type Stack, services as serviceKind } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { StackService } from '../../resources/stack-types.ts';
import { compileStack } from '../../stack/compile.ts';
import { sampleNowMs } from '../sample-objects.ts';
import type { Observed } from './inventory.ts';
import { planStack, type StackObservation, type StackStep, stackFinalizer } from './plan.ts';
import { type ServiceState, serviceState } from './service-state.ts';

function stack(services: Record<string, Partial<StackService>>, meta: Partial<Stack['metadata']> = {}): Stack {
  const filled = Object.entries(services).map(([name, one]) => [name, { image: 'web:1', instances: 1, ...one }]);
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop', uid: 'stack-1', generation: 1, finalizers: [stackFinalizer], ...meta },
    spec: { services: Object.fromEntries(filled), volumes: { data: {} } },
  };
}

const starting = serviceState({ instances: 1, newest: [], mayEnd: false, olderCount: 0 });
const healthy: ServiceState = {
  instances: 1,
  updated: 1,
  ready: 1,
  isStarted: true,
  isHealthy: true,
  isCompleted: false,
};
const completed: ServiceState = { ...healthy, isCompleted: true };

function observe(
  one: Stack,
  there: readonly Observed[],
  states: Record<string, ServiceState> = {},
  more: Partial<StackObservation> = {},
): StackObservation {
  return {
    stack: one,
    compiled: compileStack(one),
    find: (kind, name) => there.find((each) => each.kind === kind && each.object.metadata.name === name)?.object,
    made: there.filter((each) => each.object.metadata.annotations?.['flotilla.dev/applied-hash'] !== undefined),
    services: new Map(Object.keys(one.spec.services).map((name) => [name, states[name] ?? starting])),
    podCount: 0,
    mayDeleteNamespace: false,
    nowMs: sampleNowMs,
    ...more,
  };
}

const brief = (steps: readonly StackStep[]) =>
  steps.map((step) => ('object' in step ? `${step.type} ${step.object.kind} ${step.object.metadata.name}` : step.type));
const workloadsOnly = (steps: readonly StackStep[]) => brief(steps).filter((text) => / (Deployment|Pod) /.test(text));

/** What is there after the steps were done. */
function applied(there: readonly Observed[], steps: readonly StackStep[]): Observed[] {
  let now = [...there];
  for (const step of steps) {
    if (!('object' in step)) continue;
    const isIt = (one: Observed) => one.kind === step.kind && one.object.metadata.name === step.object.metadata.name;
    now = now.filter((one) => !isIt(one));
    if (step.type !== 'delete') now.push({ kind: step.kind, object: step.object });
  }
  return now;
}

describe('stack plan', () => {
  it('holds itself until what it made is gone', () => {
    const { steps } = planStack(observe(stack({}, { finalizers: [] }), []));
    assert.equal(steps[0]?.type, 'addFinalizer');
  });

  it('makes names, secrets and volumes at once, and workloads when their gates open', () => {
    const one = stack({ db: {}, web: { dependsOn: { db: { condition: 'service_healthy' } } } });
    const first = planStack(observe(one, []));
    assert.deepEqual(brief(first.steps), [
      'create Service db',
      'create Service web',
      'create Volume shop-data',
      'create Deployment db',
    ]);
    assert.equal(first.status.services?.web?.message, 'waits for db to be healthy');
    const there = applied([], first.steps);
    assert.deepEqual(planStack(observe(one, there)).steps, []);
    assert.deepEqual(brief(planStack(observe(one, there, { db: healthy })).steps), ['create Deployment web']);
  });

  const gates: [
    string,
    'service_started' | 'service_healthy' | 'service_completed_successfully',
    ServiceState,
    boolean,
  ][] = [
    ['started: nothing runs', 'service_started', starting, false],
    ['started: one runs', 'service_started', { ...starting, isStarted: true }, true],
    ['healthy: runs, not ready', 'service_healthy', { ...starting, isStarted: true }, false],
    ['healthy', 'service_healthy', healthy, true],
    ['completed: runs', 'service_completed_successfully', healthy, false],
    ['completed', 'service_completed_successfully', completed, true],
    ['started: scaled to 0', 'service_started', { ...starting, instances: 0 }, true],
  ];
  for (const [name, condition, state, isOpen] of gates) {
    it(`gate ${name}`, () => {
      const one = stack({ db: {}, web: { dependsOn: { db: { condition } } } });
      const made = workloadsOnly(planStack(observe(one, [], { db: state })).steps);
      assert.equal(made.includes('create Deployment web'), isOpen);
    });
  }

  it('changes what exists at once, but not before a migration has completed', () => {
    const of = (image: string, condition: 'service_healthy' | 'service_completed_successfully') =>
      stack({ dep: {}, web: { image, dependsOn: { dep: { condition } } } });
    for (const condition of ['service_healthy', 'service_completed_successfully'] as const) {
      const there = applied([], planStack(observe(of('web:1', condition), [], { dep: completed })).steps);
      const steps = workloadsOnly(planStack(observe(of('web:2', condition), there, { dep: starting })).steps);
      assert.deepEqual(steps, condition === 'service_healthy' ? ['update Deployment web'] : []);
    }
  });

  it('removes what the file no longer says, but no volume', () => {
    const there = applied([], planStack(observe(stack({ web: {}, old: {} }), [])).steps);
    const { steps } = planStack(
      observe({ ...stack({ web: {} }), spec: { services: stack({ web: {} }).spec.services } }, there),
    );
    assert.deepEqual(brief(steps).sort(), ['delete Deployment old', 'delete Service old']);
  });

  it('makes a Service object anew that is to have an address, or none any more', () => {
    const modes = ['dnsrr', 'vip'] as const;
    for (const [before, after] of [modes, modes.toReversed()]) {
      const one = stack({ web: { endpointMode: after! } });
      const there = applied([], planStack(observe(stack({ web: { endpointMode: before! } }), [])).steps);
      const { steps } = planStack(observe(one, there));
      assert.deepEqual(brief(steps), ['delete Service web']);
      assert.deepEqual(brief(planStack(observe(one, applied(there, steps))).steps), ['create Service web']);
    }
  });

  it('gives the Service object of an earlier version, which made all of them without one, an address', () => {
    const one = stack({ web: {} });
    const there = applied([], planStack(observe(one, [])).steps).map((each): Observed => {
      if (each.kind !== (serviceKind as Kind)) return each;
      const metadata = {
        ...each.object.metadata,
        annotations: { 'flotilla.dev/applied-hash': 'of an earlier version' },
      };
      const spec = { ...(each.object as Service).spec, clusterIP: 'None', clusterIPs: ['None'] };
      return { ...each, object: { ...each.object, metadata, spec } as Service };
    });
    const { steps } = planStack(observe(one, there));
    assert.deepEqual(brief(steps), ['delete Service web']);
    assert.deepEqual(brief(planStack(observe(one, applied(there, steps))).steps), ['create Service web']);
  });

  it('leaves alone what others made, and names them', () => {
    const one = stack({ web: {} });
    const there = applied([], planStack(observe(one, [])).steps).map((each): Observed => {
      if (each.object.kind !== 'Deployment') return each;
      const metadata = { ...each.object.metadata, labels: { 'flotilla.dev/stack': 'other' } };
      return { ...each, object: { ...each.object, metadata } };
    });
    const { steps, status } = planStack(
      observe({ ...one, spec: { ...one.spec, services: { web: { image: 'web:2', instances: 1 } } } }, there),
    );
    assert.ok(workloadsOnly(steps).every((text) => !text.startsWith('update')));
    const progressing = status.conditions?.find((condition) => condition.type === 'Progressing');
    assert.equal(progressing?.reason, 'Conflict');
    assert.equal(progressing?.message, 'Deployment shop/web exists already and belongs to stack other');
  });

  it('refuses two services of one name', () => {
    const { status } = planStack(observe(stack({ my_app: {}, 'my-app': {} }), []));
    assert.match(
      status.conditions?.find((one) => one.type === 'Progressing')?.message ?? '',
      /would both be Service\/my-app/,
    );
  });

  describe('removal', () => {
    const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    const there = applied([], planStack(observe(stack({ web: {} }), [])).steps);
    const volumesOnly = there.filter((one) => one.object.kind === 'Volume');
    it('ends workloads first, then the rest, then lets go', () => {
      const one = stack({ web: {} }, deleted);
      assert.deepEqual(brief(planStack(observe(one, there)).steps), ['delete Deployment web']);
      const withoutWorkload = there.filter((each) => each.object.kind !== 'Deployment');
      assert.deepEqual(planStack(observe(one, withoutWorkload, {}, { podCount: 1 })).steps, []);
      assert.deepEqual(brief(planStack(observe(one, withoutWorkload)).steps), ['delete Service web']);
      assert.deepEqual(brief(planStack(observe(one, volumesOnly)).steps), ['removeFinalizer']);
      assert.deepEqual(brief(planStack(observe(one, [], {}, { mayDeleteNamespace: true })).steps), [
        'deleteNamespace',
        'removeFinalizer',
      ]);
    });
    it('takes volumes along when asked to', () => {
      const one = stack({ web: {} }, { ...deleted, annotations: { 'flotilla.dev/remove-volumes': 'true' } });
      assert.deepEqual(brief(planStack(observe(one, volumesOnly)).steps), ['delete Volume shop-data']);
    });
  });
});

const conditions = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;
/** Services a, b, c …; each depends on earlier ones only, as the parser makes sure. */
const files = fc
  .array(
    fc.record({
      image: fc.constantFrom('web:1', 'web:2'),
      mayEnd: fc.boolean(),
      on: fc.array(fc.tuple(fc.nat(5), fc.constantFrom(...conditions)), { maxLength: 2 }),
    }),
    {
      minLength: 1,
      maxLength: 5,
    },
  )
  .map((list) => {
    const name = (at: number) => `s${at}`;
    const services = list.map(({ image, mayEnd, on }, at): [string, Partial<StackService>] => {
      const dependsOn = Object.fromEntries(
        on
          .filter(([other]) => other < at)
          .map(
            ([other, condition]) =>
              [
                name(other),
                {
                  condition:
                    condition === 'service_completed_successfully' && !list[other]?.mayEnd
                      ? 'service_healthy'
                      : condition,
                },
              ] as const,
          ),
      );
      return [name(at), { image, dependsOn, ...(mayEnd ? { restart: 'no' as const } : {}) }];
    });
    return stack(Object.fromEntries(services));
  });

describe('stack plan, any file', () => {
  const statesOf = (one: Stack, there: readonly Observed[]): Record<string, ServiceState> =>
    Object.fromEntries(
      Object.entries(one.spec.services).map(([name, service]) => {
        const compiled = compileStack(one).workloads.find((each) => each.service === name);
        const isThere =
          compiled && there.some((each) => each.kind === compiled.kind && isSameHash(each.object, compiled.object));
        return [name, isThere ? (service.restart === 'no' ? completed : healthy) : starting];
      }),
    );

  it('converges from any other file, one opened gate after the other', () => {
    fc.assert(
      fc.property(files, files, (before, after) => {
        let there: Observed[] = [];
        for (const one of [before, after]) {
          let rounds = 0;
          for (;;) {
            const { steps } = planStack(observe(one, there, statesOf(one, there)));
            if (steps.length === 0) break;
            there = applied(there, steps);
            rounds += 1;
            assert.ok(rounds < 12, 'does not come to rest');
          }
          const wanted = compileStack(one);
          for (const each of [...wanted.prerequisites, ...wanted.workloads]) {
            assert.ok(there.some((other) => other.kind === each.kind && isSameHash(other.object, each.object)));
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('never makes a workload before its gates are open', () => {
    fc.assert(
      fc.property(
        files,
        fc.array(fc.constantFrom(starting, healthy, completed), { minLength: 5, maxLength: 5 }),
        (one, list) => {
          const states = Object.fromEntries(Object.keys(one.spec.services).map((name, at) => [name, list[at]!]));
          const made = new Set(
            workloadsOnly(planStack(observe(one, [], states)).steps).map((text) => text.split(' ')[2]),
          );
          for (const workload of compileStack(one).workloads) {
            if (!made.has(workload.object.metadata.name)) continue;
            for (const gate of workload.gates) {
              const state = states[gate.service]!;
              if (gate.condition === 'service_healthy') assert.ok(state.isHealthy);
              if (gate.condition === 'service_completed_successfully') assert.ok(state.isCompleted);
              if (gate.condition === 'service_started') assert.ok(state.isStarted);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

function isSameHash(a: ApiObject, b: ApiObject): boolean {
  const hash = (one: ApiObject) => one.metadata.annotations?.['flotilla.dev/applied-hash'];
  return a.metadata.name === b.metadata.name && hash(a) === hash(b);
}
