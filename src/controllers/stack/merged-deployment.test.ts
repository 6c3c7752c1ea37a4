import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deployment, Stack } from '../../resources/kinds.ts';
import type { StackService } from '../../resources/stack-types.ts';
import { compileStack } from '../../stack/compile.ts';
import { deploymentTrouble } from './deployment-trouble.ts';
import { mergedDeployment } from './merged-deployment.ts';

function compiled(service: Partial<StackService> = {}) {
  const stack: Stack = {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { services: { web: { image: 'web:1', instances: 1, ...service } } },
  };
  return compileStack(stack);
}

function deploymentOf(service: Partial<StackService> = {}): Deployment {
  const found = compiled(service).workloads[0]?.object;
  assert.ok(found);
  return structuredClone(found) as Deployment;
}

function merged(known: Deployment, wanted: Deployment): Deployment {
  const annotations = { ...known.metadata.annotations, ...wanted.metadata.annotations };
  return mergedDeployment(known, wanted, { ...known.metadata, annotations });
}

function takenBack(bad: Deployment, good: Deployment): Deployment {
  const record = {
    from: 'web-bad',
    to: 'web-good',
    fromRevision: '2',
    toRevision: '1',
    by: 'deadline',
    templateHash: bad.metadata.annotations?.['flotilla.dev/template-hash'],
    why: 'instance web-x cannot get its image',
    lines: ['no database'],
  };
  const annotations = { ...bad.metadata.annotations, 'flotilla.dev/rolled-back': JSON.stringify(record) };
  return { ...bad, metadata: { ...bad.metadata, annotations }, spec: { ...bad.spec, template: good.spec.template } };
}

const imageOf = (one: Deployment) => one.spec.template.spec?.containers[0]?.image;

describe('a Deployment of a stack, written again', () => {
  it('keeps a pause and a restart, and nothing of what the file no longer says', () => {
    const known = deploymentOf({ update: { window: '02:00-04:00', pauseSeconds: 5, autoRollback: true } });
    known.spec.paused = true;
    const at = { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' };
    known.spec.template.metadata = { ...known.spec.template.metadata, annotations: at };
    const next = merged(known, deploymentOf({ image: 'web:2' }));
    assert.equal(next.spec.paused, true);
    assert.equal(imageOf(next), 'web:2');
    assert.deepEqual(next.spec.template.metadata?.annotations, at);
    const own = Object.keys(next.metadata.annotations ?? {}).filter((key) => /rollback|update/.test(key));
    assert.deepEqual(own, []);
  });

  it('what was taken back is not tried again by the same wish, and any other wish is written', () => {
    const bad = deploymentOf({ image: 'bad:2' });
    const known = takenBack(bad, deploymentOf());
    const scaled = merged(known, deploymentOf({ image: 'bad:2', instances: 4 }));
    assert.deepEqual([imageOf(scaled), scaled.spec.replicas], ['web:1', 4]);
    assert.equal(imageOf(merged(known, deploymentOf({ image: 'web:3' }))), 'web:3');
  });
});

describe('trouble of a Deployment of a stack', () => {
  const troubleOf = (service: Partial<StackService>, observed: Deployment | undefined) =>
    deploymentTrouble({ compiled: compiled(service), deployment: () => observed }, 'web');

  it('names what was taken back, only while that is what the file says', () => {
    const known = takenBack(deploymentOf({ image: 'bad:2' }), deploymentOf());
    const trouble = troubleOf({ image: 'bad:2' }, known);
    assert.equal(trouble?.reason, 'RolledBack');
    assert.match(
      trouble.message,
      /^revision 2 did not become healthy .*: instance web-x cannot get its image; back to revision 1\nlast/,
    );
    assert.equal(troubleOf({ image: 'web:3' }, known), undefined);
  });

  it('names a pause and a window, and not what an older generation waited for', () => {
    assert.equal(troubleOf({}, undefined), undefined);
    assert.equal(troubleOf({}, deploymentOf()), undefined);
    const paused = deploymentOf();
    paused.spec.paused = true;
    assert.equal(troubleOf({}, paused)?.reason, 'Paused');
    const condition = { type: 'flotilla.dev/UpdateHeld', status: 'True', reason: 'OutsideWindow', message: 'waits' };
    const held = (generation: number): Deployment => {
      const one = deploymentOf();
      const status = { observedGeneration: 2, conditions: [condition] };
      return { ...one, metadata: { ...one.metadata, generation }, status };
    };
    assert.deepEqual(troubleOf({}, held(2)), {
      reason: 'OutsideWindow',
      message: 'waits',
      isStuck: false,
      isMeanwhile: true,
    });
    assert.equal(troubleOf({}, held(3)), undefined);
  });

  it('names a deadline that has passed where nothing is left to go back to', () => {
    const late = (service: Partial<StackService>, revision = '1'): Deployment => {
      const one = deploymentOf(service);
      one.metadata.annotations = { ...one.metadata.annotations, 'deployment.kubernetes.io/revision': revision };
      const condition = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: '' };
      return { ...one, status: { observedGeneration: 1, conditions: [condition] } };
    };
    const update = { autoRollback: true };
    assert.equal(troubleOf({ update }, late({ update }))?.reason, 'DeadlineExceeded');
    assert.equal(troubleOf({ update }, late({ update }, '2')), undefined, 'it is being taken back');
    assert.equal(troubleOf({}, late({})), undefined, 'what nobody takes back may still come');
  });
});
