import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Stack } from '../resources/kinds.ts';
import type { StackService, StackSpec } from '../resources/stack-types.ts';
import { compileStack } from './compile.ts';
import { describeDiff } from './describe-diff.ts';
import { diffStacks } from './diff.ts';

function stack(services: Record<string, Partial<StackService>>, more: Partial<StackSpec> = {}): Stack {
  const filled = Object.entries(services).map(([name, one]) => [name, { image: 'web:1', instances: 1, ...one }]);
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { services: Object.fromEntries(filled), ...more },
  };
}

const diff = (before: Stack | undefined, after: Stack) =>
  diffStacks(before && compileStack(before), compileStack(after));
const lines = (before: Stack | undefined, after: Stack, instances: readonly string[] = ['web-1', 'web-2']) =>
  describeDiff(diff(before, after), (service) => (service === 'web' ? instances : []));

describe('what another version would change', () => {
  it('is nothing when it says the same', () => {
    const one = stack({ web: { secretEnvironment: { A: 'b' } } }, { secrets: { s: { data: 'eA==' } } });
    assert.deepEqual(diff(one, structuredClone(one)), []);
  });

  it('is everything the first time', () => {
    assert.deepEqual(lines(undefined, stack({ web: { instances: 3 } })), [
      '+ Service web',
      '+ Deployment web',
      '    starts 3 instances',
    ]);
  });

  it('names fields as people write them, and the instances that are replaced', () => {
    const before = stack({ web: { environment: { LOG: 'info', OLD: 'x' }, instances: 2 } });
    const after = stack({
      web: { image: 'web:2', environment: { LOG: 'debug', NEW: 'y' }, instances: 2, update: { autoRollback: true } },
    });
    const found = lines(before, after);
    assert.equal(found[0], '~ Deployment web');
    const fields = [
      '    annotations[flotilla.dev/auto-rollback]: true (new)',
      '    image: web:1 → web:2',
      '    env[LOG]: info → debug',
      '    env[OLD]: x (gone)',
      '    env[NEW]: y (new)',
      '    progressDeadlineSeconds: 300 (new)',
    ];
    assert.deepEqual(found.slice(1, -2).sort(), fields.sort());
    assert.deepEqual(found.slice(-2), [
      '    replaces 2 instances: web-1, web-2',
      '    1 more at a time, none less; taken back when they fail',
    ]);
  });

  it('replaces nobody for another number of instances, or another way to update', () => {
    const after = stack({ web: { instances: 3, update: { maxAtOnce: 2 } } });
    const found = lines(stack({ web: {} }), after);
    assert.ok(found.includes('    replicas: 1 → 3'), found.join('\n'));
    assert.ok(found.includes('    strategy.rollingUpdate.maxSurge: 1 → 2'), found.join('\n'));
    assert.ok(found.includes('    replaces no instance'), found.join('\n'));
  });

  it('never shows what came from outside of the file', () => {
    const secret = (value: string) =>
      stack(
        { web: { secretEnvironment: { PASSWORD: value }, mounts: [{ type: 'secret', source: 's', target: '/s' }] } },
        { secrets: { s: { data: Buffer.from(value).toString('base64') } } },
      );
    const text = lines(secret('hunter2'), secret('correct horse')).join('\n');
    assert.ok(!/hunter2|correct|aHVudGVy|Y29ycmVj/.test(text), text);
    assert.match(text, /~ Secret web-env\n {4}data\.PASSWORD: changed \(hidden\)/);
    assert.match(text, /contents of its secrets, configs or env files: changed\n {4}replaces 2 instances/);
  });

  it('what the file no longer says goes, volumes excepted', () => {
    const before = stack({ web: {}, cache: {} }, { volumes: { data: {} } });
    const found = lines(before, stack({ cache: {} }));
    assert.deepEqual(found, ['- Service web', '- Deployment web', '    stops 2 instances: web-1, web-2']);
  });

  it('a way to update is said in words', () => {
    const how = (service: Partial<StackService>, more: Partial<StackSpec> = {}) =>
      lines(stack({ web: service }, more), stack({ web: { ...service, image: 'web:2' } }, more))
        .at(-1)
        ?.trim();
    assert.equal(how({ update: { minHealthyPercent: 80, maxAtOnce: 2 } }), '2 more at a time, up to 20% less');
    assert.equal(
      how({ update: { order: 'stop-first', pauseSeconds: 30 } }),
      'up to 1 less at a time, each stops before the next starts; batches 30 s apart',
    );
    const mounts = [{ type: 'volume' as const, source: 'data', target: '/data' }];
    assert.equal(how({ mounts }, { volumes: { data: {} } }), 'the old ones stop before the new ones start');
  });

  it('finds something exactly when the compiled objects differ', () => {
    const service = fc.record({
      image: fc.constantFrom('a', 'b'),
      instances: fc.integer({ min: 0, max: 2 }),
      environment: fc.dictionary(fc.constantFrom('A', 'B'), fc.constantFrom('1', '2')),
    });
    const stacks = fc.dictionary(fc.constantFrom('web', 'db'), service).map((services) => stack(services));
    fc.assert(
      fc.property(stacks, stacks, (before, after) => {
        const isSame = JSON.stringify(sorted(compileStack(before))) === JSON.stringify(sorted(compileStack(after)));
        assert.equal(diff(before, after).length === 0, isSame);
      }),
    );
  });
});

function sorted({ prerequisites, workloads }: ReturnType<typeof compileStack>): unknown {
  return [...prerequisites, ...workloads].map(
    ({ object }) => object.metadata.annotations?.['flotilla.dev/applied-hash'],
  );
}
