import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container } from 'kubernetes-types/core/v1.js';
import type { ConfigMap, Secret } from '../../resources/kinds.ts';
import { expand, type PodReferences, renderEnvironment } from './environment.ts';
import { podOf } from './test-objects.ts';
import { planVolumes } from './volume-plan.ts';

const meta = { name: 'x', namespace: 'shop' };
const references: PodReferences = {
  configMap: (name) =>
    name === 'conf'
      ? ({
          metadata: meta,
          data: { A: 'one', '1.b': 'digit', 'bad key': 'x' },
          binaryData: { bin: 'AP8=' },
        } as unknown as ConfigMap)
      : undefined,
  secret: (name) =>
    name === 'sec'
      ? ({ metadata: meta, data: { pw: Buffer.from('p w').toString('base64') } } as unknown as Secret)
      : undefined,
  token: ({ audience, expirationSeconds }) => `token ${audience} ${expirationSeconds}`,
};
const facts = { podAddresses: ['10.80.0.2'], hostAddresses: ['192.0.2.1'] };
const variablesOf = (container: Partial<Container>) => {
  const pod = podOf(container, { labels: { app: 'web' } });
  const [only = { name: '' }] = pod.spec.containers;
  const { variables, problems } = renderEnvironment(pod, only, references, facts);
  return { values: Object.fromEntries(variables.map(({ name, value }) => [name, value])), problems };
};

describe('expansion', () => {
  const values = new Map([['A', 'one']]);
  const cases: [text: string, expanded: string][] = [
    ['$(A)/x', 'one/x'],
    ['$(B)', '$(B)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$one'],
    ['$A', '$A'],
    ['$(A', '$(A'],
  ];
  for (const [text, expanded] of cases) it(text, () => assert.equal(expand(text, values), expanded));
});

describe('environment', () => {
  it('takes env over envFrom, and what came before into what comes after', () => {
    const { values, problems } = variablesOf({
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'conf' } }, { configMapRef: { name: 'conf' } }],
      env: [
        { name: 'B', value: 'x-$(A)-$(C)' },
        { name: 'A', value: 'two' },
        { name: 'C', valueFrom: { secretKeyRef: { name: 'sec', key: 'pw' } } },
        { name: 'D', value: '$(A) $(C)' },
      ],
    });
    assert.deepEqual(problems, []);
    assert.equal(values.P_A, 'one');
    assert.equal(values.B, 'x-one-$(C)');
    assert.equal(values.D, 'two p w');
    assert.equal(values['1.b'], 'digit');
    assert.equal(values['bad key'], undefined);
  });
  it('knows the pod and the node', () => {
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const { values } = variablesOf({
      env: [
        field('NAME', 'metadata.name'),
        field('APP', "metadata.labels['app']"),
        field('IP', 'status.podIP'),
        field('HOST', 'status.hostIP'),
        field('NODE', 'spec.nodeName'),
      ],
    });
    assert.deepEqual(values, { NAME: 'web-1', APP: 'web', IP: '10.80.0.2', HOST: '192.0.2.1', NODE: 'h1' });
  });
  it('names what is missing, unless it may be', () => {
    const { values, problems } = variablesOf({
      envFrom: [{ secretRef: { name: 'nope' } }, { secretRef: { name: 'nope', optional: true } }],
      env: [
        { name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'no' } } },
        { name: 'B', valueFrom: { configMapKeyRef: { name: 'no', key: 'no', optional: true } } },
      ],
    });
    assert.deepEqual(problems, ['secret "nope" not found', `couldn't find key no in configmap "conf"`]);
    assert.deepEqual(values, {});
  });
});

describe('volumes', () => {
  const directories = { disk: '/data/pods/u', memory: '/data/memory/u' };
  const planOf = (volume: object, mount: object = {}) =>
    planVolumes(
      podOf({}, {}, { volumes: [{ name: 'v', ...volume }] }),
      [{ volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] }],
      'main',
      directories,
      references,
    );
  it('secrets become files in memory, with modes', () => {
    const { volumes, mounts } = planOf({ secret: { secretName: 'sec', defaultMode: 0o400 } });
    const files = [{ path: 'pw', mode: 0o400, data: Buffer.from('p w') }];
    assert.deepEqual(volumes, [{ type: 'files', path: '/data/memory/u/v', files }]);
    assert.deepEqual(mounts, [{ type: 'bind', source: '/data/memory/u/v', target: '/v', readOnly: true }]);
  });
  it('items choose keys and places, inside the volume only', () => {
    const items = [{ key: 'A', path: 'deep/a', mode: 0o600 }];
    const [plan] = planOf({ configMap: { name: 'conf', items } }).volumes;
    assert.deepEqual(plan?.type === 'files' && plan.files.map(({ path, mode }) => [path, mode]), [['deep/a', 0o600]]);
    const outside = planOf({ configMap: { name: 'conf', items: [{ key: 'A', path: '../a' }] } });
    assert.match(outside.problems.join(), /outside of the volume/);
    const missing = planOf({ configMap: { name: 'conf', items: [{ key: 'Z', path: 'z' }] } });
    assert.deepEqual(missing.problems, ['configmap "conf" has no key "Z"']);
  });

  it('of projected volumes come from all their sources, later ones over earlier ones', () => {
    const sources = [
      { serviceAccountToken: { path: 'token', expirationSeconds: 600, audience: 'vault' } },
      { configMap: { name: 'conf', items: [{ key: 'A', path: 'a' }] } },
      { secret: { name: 'sec', items: [{ key: 'pw', path: 'a', mode: 0o400 }] } },
      { downwardAPI: { items: [{ path: 'me/name', fieldRef: { fieldPath: 'metadata.name' } }] } },
      { configMap: { name: 'nowhere', optional: true } },
    ];
    const [plan] = planOf({ projected: { sources, defaultMode: 0o440 } }).volumes;
    assert.ok(plan?.type === 'files');
    const files = plan.files.map(({ path, mode, data }) => `${path} ${mode.toString(8)} ${data}`);
    assert.deepEqual(files, ['token 440 token vault 600', 'a 400 p w', 'me/name 440 web-1']);
    assert.deepEqual(planOf({ projected: { sources: [{ configMap: { name: 'nowhere' } }] } }).problems, [
      'configmap "nowhere" not found',
    ]);
  });

  it('of the downward API hold labels as Kubernetes writes them', () => {
    const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
    const volumes = [{ name: 'v', downwardAPI: { items } }];
    const pod = podOf(
      { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      { labels: { b: 'two', a: 'o"ne' } },
      { volumes },
    );
    const [plan] = planVolumes(pod, pod.spec.containers, 'main', { disk: '/d', memory: '/m' }, references).volumes;
    assert.equal(plan?.type === 'files' && plan.files[0]?.data.toString(), 'a="o\\"ne"\nb="two"');
  });
  it('a missing source is a problem, unless it may be missing', () => {
    assert.deepEqual(planOf({ secret: { secretName: 'no' } }).problems, ['secret "no" not found']);
    assert.deepEqual(planOf({ secret: { secretName: 'no', optional: true } }).problems, []);
  });
  it('claims become named volumes, emptyDir directories or tmpfs, hostPath the path', () => {
    assert.deepEqual(planOf({ persistentVolumeClaim: { claimName: 'data' } }).mounts, [
      { type: 'volume', source: 'fl-main-shop-data', target: '/v', readOnly: false },
    ]);
    assert.equal(planOf({ emptyDir: {} }).volumes[0]?.type, 'directory');
    assert.deepEqual(planOf({ emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }).volumes[0], {
      type: 'tmpfs',
      path: '/data/pods/u/volumes/v',
      sizeBytes: 2 ** 20,
    });
    assert.deepEqual(planOf({ hostPath: { path: '/srv' } }, { readOnly: true }).mounts, [
      { type: 'bind', source: '/srv', target: '/v', readOnly: true },
    ]);
  });
});
