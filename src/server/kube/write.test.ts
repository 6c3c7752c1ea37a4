// What writes are refused and warned about, in Kubernetes' words, and what dry runs leave behind.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { apiVersionOf } from '../../resources/kind.ts';
import { allKinds } from '../../resources/kinds.ts';
import { allowAll, startTestApi, type TestApi } from '../test-api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const base = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const yaml = { 'content-type': 'application/yaml' };
const patchType = (type: string) => ({
  'content-type': `application/${type}-patch+${type === 'apply' ? 'yaml' : 'json'}`,
});

function web(replicas = 1) {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  };
}

const ownersOf = (object: {
  metadata: { managedFields?: { manager: string; operation: string; subresource?: string }[] };
}) =>
  (object.metadata.managedFields ?? []).map((one) => `${one.manager} ${one.operation} ${one.subresource ?? ''}`.trim());

test('keys that stand twice: refused, warned about, or the last one counts', async () => {
  const doubled = 'metadata:\n  name: doubled\ndata:\n  a: "1"\n  a: "2"\n';
  const strict = await api.call('POST', `${base}?fieldValidation=Strict`, { body: doubled, headers: yaml });
  assert.equal(strict.code, 400);
  assert.equal(
    strict.json.message,
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n  line 5: key "a" already set in map',
  );
  const warned = await api.call('POST', base, { body: doubled, headers: yaml });
  assert.equal(warned.code, 201);
  assert.deepEqual(warned.json.data, { a: '2' });
  assert.match(
    `${warned.headers.warning}`,
    /299 - "yaml: unmarshal errors: {3}line 5: key \\"a\\" already set in map"/,
  );
  const ignored = await api.call('PUT', `${base}/doubled?fieldValidation=Ignore`, { body: doubled, headers: yaml });
  assert.equal(ignored.headers.warning, undefined);
});

test('unknown and doubled fields of a body are told in the order in which they stand', async () => {
  const body = `{"metadata":{"name":"w","unknownMeta":1},"spec":{"paused":true,"unknown1":1,"replicas":1,"paused":false,
    "unknownDupe":1,"unknownDupe":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
    "spec":{"containers":[{"name":"c","image":"i","image":"j","unknownNested":1}]}}}}`;
  const { json } = await api.call('POST', `${deployments}?fieldValidation=Strict`, { body });
  assert.match(
    json.message,
    /strict decoding error: unknown field "metadata.unknownMeta", unknown field "spec.unknown1", duplicate field "spec.paused", unknown field "spec.unknownDupe", duplicate field "spec.template.spec.containers\[0\].image", unknown field "spec.template.spec.containers\[0\].unknownNested"$/,
  );
  const warned = await api.call('POST', `${deployments}?dryRun=All`, { body });
  assert.equal(`${warned.headers.warning}`.split('299').length - 1, 6);
});

test('patches are as strict as whole bodies, and do not repeat what they were for', async () => {
  await api.call('POST', base, { body: { metadata: { name: 'patched' }, data: { secret: 'hunter2' } } });
  for (const type of ['merge', 'strategic-merge', 'json'] as const) {
    const body = type === 'json' ? '[{"op":"add","path":"/dat","value":{}}]' : '{"dat":{}}';
    const call = { body, headers: patchType(type) };
    const strict = await api.call('PATCH', `${base}/patched?fieldValidation=Strict`, call);
    assert.equal(strict.code, 422, type);
    assert.match(
      strict.json.message,
      /^ "" is invalid: patch: Invalid value: .*: strict decoding error: unknown field "dat"$/,
    );
    assert.doesNotMatch(strict.json.message, /hunter2/);
    assert.equal(strict.json.details.causes[0].field, 'patch');
    assert.match(`${(await api.call('PATCH', `${base}/patched`, call)).headers.warning}`, /unknown field \\"dat\\"/);
  }
  const doubled = { body: '{"data":{"a":"1","a":"2"}}', headers: patchType('merge') };
  const strict = await api.call('PATCH', `${base}/patched?fieldValidation=Strict`, doubled);
  assert.match(strict.json.message, /strict decoding error: duplicate field "data\.a"$/);
  const wrong = await api.call('PATCH', `${base}/patched`, { body: '{"data":{"a":1}}', headers: patchType('merge') });
  assert.equal(wrong.code, 422);
  assert.match(wrong.json.message, /patch: Invalid value: .*: json: cannot unmarshal number into Go struct field/);
  const apply = await api.call('PATCH', `${base}/patched?fieldManager=m&fieldValidation=Strict`, {
    body: 'apiVersion: v1\ndata:\n  a: "1"\n  a: "2"\n',
    headers: patchType('apply'),
  });
  assert.match(
    apply.json.message,
    /^error strict decoding YAML: yaml: unmarshal errors:\n {2}line 4: key "a" already set in map$/,
  );
});

test('who writes is known by fieldManager, else by the first word of its user agent', async () => {
  const made = await api.call('POST', `${base}?fieldManager=me`, {
    body: { metadata: { name: 'mine' }, data: { a: '1' } },
  });
  assert.deepEqual(ownersOf(made.json), ['me Update']);
  const put = await api.call('PUT', `${base}/mine`, { body: { metadata: { name: 'mine' }, data: { a: '2' } } });
  assert.deepEqual(ownersOf(put.json), ['me Update', 'test Update'].sort());
  const again = await api.call('PUT', `${base}/mine`, { body: { metadata: { name: 'mine' }, data: { a: '2' } } });
  assert.equal(again.json.metadata.resourceVersion, put.json.metadata.resourceVersion);
});

test('status and scale have owners of their own', async () => {
  await api.call('POST', `${deployments}?fieldManager=me`, { body: web() });
  const scale = await api.call('PATCH', `${deployments}/web/scale?fieldManager=scaler`, {
    body: { spec: { replicas: 3 } },
    headers: patchType('merge'),
  });
  assert.equal(scale.json.spec.replicas, 3);
  await api.call('PATCH', `${deployments}/web/status?fieldManager=reporter`, {
    body: { status: { observedGeneration: 1 } },
    headers: patchType('merge'),
  });
  const { json } = await api.call('GET', `${deployments}/web`);
  assert.deepEqual(ownersOf(json).sort(), ['me Update', 'reporter Update status', 'scaler Update scale']);
  const applied = await api.call('PATCH', `${deployments}/web/status?fieldManager=other`, {
    body: { apiVersion: 'apps/v1', kind: 'Deployment', status: { observedGeneration: 2 }, spec: { replicas: 9 } },
    headers: patchType('apply'),
  });
  assert.equal(
    applied.json.message,
    'Apply failed with 1 conflict: conflict with "reporter" with subresource "status" using apps/v1: .status.observedGeneration',
  );
  const body = { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 4 } };
  const refused = await api.call('PATCH', `${deployments}/web/scale?fieldManager=hpa`, {
    body,
    headers: patchType('apply'),
  });
  assert.match(
    refused.json.message,
    /conflict with "scaler" with subresource "scale" using apps\/v1: \.spec\.replicas/,
  );
  const forced = await api.call('PATCH', `${deployments}/web/scale?fieldManager=hpa&force=true`, {
    body,
    headers: patchType('apply'),
  });
  assert.equal(forced.json.spec.replicas, 4);
  const after = (await api.call('GET', `${deployments}/web`)).json;
  assert.deepEqual(ownersOf(after).sort(), ['hpa Apply scale', 'me Update', 'reporter Update status']);
});

test('dry runs answer as if, and use up neither names nor versions', async () => {
  await api.call('POST', base, { body: { metadata: { name: 'dry' }, data: { a: '1' } } });
  const head = await api.store.head();
  const dry = async (method: string, path: string, body?: unknown, headers = {}) => {
    const answer = await api.call(method, `${path}${path.includes('?') ? '&' : '?'}dryRun=All`, { body, headers });
    assert.ok(answer.code < 300, answer.bytes.toString());
    return answer.json;
  };
  assert.match((await dry('POST', base, { metadata: { generateName: 'dry-' } })).metadata.name, /^dry-.{5}$/);
  assert.deepEqual((await dry('PUT', `${base}/dry`, { metadata: { name: 'dry' }, data: { a: '2' } })).data, { a: '2' });
  assert.deepEqual((await dry('PATCH', `${base}/dry`, { data: { b: '2' } }, patchType('merge'))).data, {
    a: '1',
    b: '2',
  });
  const config = { apiVersion: 'v1', kind: 'ConfigMap', data: { c: '3' } };
  assert.deepEqual((await dry('PATCH', `${base}/dry?fieldManager=m`, config, patchType('apply'))).data, {
    a: '1',
    c: '3',
  });
  assert.deepEqual((await dry('PATCH', `${base}/other?fieldManager=m`, config, patchType('apply'))).data, { c: '3' });
  assert.equal(
    (await dry('PATCH', `${deployments}/web/scale`, { spec: { replicas: 7 } }, patchType('merge'))).spec.replicas,
    7,
  );
  assert.equal((await dry('DELETE', `${base}/dry`)).status, 'Success');
  assert.equal((await api.call('DELETE', `${base}/dry`, { body: { dryRun: ['All'] } })).json.status, 'Success');
  assert.ok((await dry('DELETE', base)).items.length > 0);
  assert.equal(await api.store.head(), head);
});

test('a replacement without a version is taken, but not of what is meant to be seen first', async () => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const { json } = await api.call('POST', leases, { body: { metadata: { name: 'l' }, spec: { holderIdentity: 'a' } } });
  const blind = await api.call('PUT', `${leases}/l`, {
    body: { metadata: { name: 'l' }, spec: { holderIdentity: 'b' } },
  });
  assert.equal(blind.code, 422);
  assert.match(blind.json.message, /metadata\.resourceVersion: Invalid value: 0: must be specified for an update/);
  assert.equal((await api.call('PUT', `${leases}/l`, { body: { ...json, spec: { holderIdentity: 'b' } } })).code, 200);
});

test('who applies what is not there needs the right to make it', async () => {
  const refusing = await startTestApi({
    authorizer: {
      ...allowAll,
      authorize: (_user, { verb }) => (verb === 'create' ? { allowed: false, reason: 'no' } : { allowed: true }),
    },
  });
  const call = { body: { apiVersion: 'v1', kind: 'ConfigMap' }, headers: patchType('apply') };
  const { code, json } = await refusing.call('PATCH', `${base}/x?fieldManager=m`, call);
  assert.deepEqual([code, json.reason], [403, 'Forbidden']);
  await refusing.stop();
});

test('what is empty in metadata is absent, and stating it again and again is no change', async () => {
  const body = { metadata: { name: 'empty', labels: {}, annotations: {}, finalizers: [], ownerReferences: [] } };
  const clock = new ManualClock();
  const timed = await startTestApi({ clock });
  const made = (await timed.call('POST', base, { body })).json;
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences']) {
    assert.ok(!Object.hasOwn(made.metadata, field), field);
  }
  const call = { body: { apiVersion: 'v1', kind: 'ConfigMap', ...body }, headers: patchType('apply') };
  const first = (await timed.call('PATCH', `${base}/empty?fieldManager=m`, call)).json;
  await clock.advance(5_000);
  const second = (await timed.call('PATCH', `${base}/empty?fieldManager=m`, call)).json;
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  await timed.stop();
});

test('many who apply to the same object at once, and make it, all find their fields in it', async () => {
  const apply = (name: string) =>
    api.call('PATCH', `${base}/shared?fieldManager=${name}`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', data: { [name]: '1' } },
      headers: patchType('apply'),
    });
  const names = Array.from({ length: 15 }, (_, index) => `m${index}`);
  const answers = await Promise.all(names.map(apply));
  assert.deepEqual([...new Set(answers.map((one) => one.code))].sort(), [200, 201]);
  const { json } = await api.call('GET', `${base}/shared`);
  assert.deepEqual(Object.keys(json.data).sort(), names.toSorted());
  assert.equal(json.metadata.managedFields.length, names.length);
});

test('a deletion that expects another object, or another state of it, is refused', async () => {
  const { metadata } = (await api.call('POST', base, { body: { metadata: { name: 'expected' } } })).json;
  for (const [preconditions, why] of [
    [{ uid: 'x' }, `UID in precondition: x, UID in object meta: ${metadata.uid}`],
    [
      { resourceVersion: '1' },
      `ResourceVersion in precondition: 1, ResourceVersion in object meta: ${metadata.resourceVersion}`,
    ],
  ] as const) {
    const { code, json } = await api.call('DELETE', `${base}/expected`, { body: { preconditions } });
    assert.equal(code, 409);
    assert.equal(json.message, `Operation cannot be fulfilled on configmaps "expected": Precondition failed: ${why}`);
  }
  const { uid, resourceVersion } = metadata;
  assert.equal(
    (await api.call('DELETE', `${base}/expected`, { body: { preconditions: { uid, resourceVersion } } })).code,
    200,
  );
});

test('objects of every kind without anything in them are refused or taken, never a failure of the server', async () => {
  for (const kind of allKinds) {
    const root = `${kind.group === '' ? '/api' : `/apis/${kind.group}`}/${kind.version}`;
    const path = `${root}${kind.namespaced ? '/namespaces/default' : ''}/${kind.plural}`;
    const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: 'nothing' } };
    for (const answer of [
      await api.call('POST', `${path}?dryRun=All`, { body }),
      await api.call('PATCH', `${path}/nothing?dryRun=All&fieldManager=m`, { body, headers: patchType('apply') }),
    ]) {
      assert.ok(
        [201, 403, 405, 422].includes(answer.code) || answer.json.reason === 'ServiceUnavailable',
        answer.bytes.toString(),
      );
    }
  }
});

test('text of a Secret is owned as the data that it becomes, and goes when it is no longer stated', async () => {
  const secrets = '/api/v1/namespaces/default/secrets';
  const apply = (stringData: Record<string, string>) =>
    api.call('PATCH', `${secrets}/s?fieldManager=m`, {
      body: { apiVersion: 'v1', kind: 'Secret', stringData },
      headers: patchType('apply'),
    });
  const first = (await apply({ a: 'hunter2', b: 'x' })).json;
  assert.deepEqual(first.data, { a: 'aHVudGVyMg==', b: 'eA==' });
  assert.deepEqual(first.metadata.managedFields[0].fieldsV1, { 'f:data': { 'f:a': {}, 'f:b': {} } });
  const second = (await apply({ a: 'hunter2' })).json;
  assert.deepEqual(second.data, { a: 'aHVudGVyMg==' });
  assert.equal(second.type, 'Opaque');
});

test('a namespace keeps the label that the server gives it, and its finalizers are nobody’s to apply', async () => {
  const config = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { labels: { team: 'a' } },
    spec: { finalizers: ['x/y'] },
  };
  const apply = (body: object) =>
    api.call('PATCH', '/api/v1/namespaces/applied?fieldManager=m', { body, headers: patchType('apply') });
  const made = (await apply(config)).json;
  assert.deepEqual(made.spec.finalizers, ['kubernetes']);
  assert.deepEqual(made.metadata.managedFields[0].fieldsV1, { 'f:metadata': { 'f:labels': { 'f:team': {} } } });
  const without = (await apply({ ...config, metadata: {} })).json;
  assert.deepEqual(without.metadata.labels, { 'kubernetes.io/metadata.name': 'applied' });
});

test('lists and maps of our own kinds are shared as their tables say', async () => {
  const stacks = '/apis/flotilla.dev/v1alpha1/namespaces/default/stacks';
  const apply = (manager: string, services: object) =>
    api.call('PATCH', `${stacks}/shop?fieldManager=${manager}`, {
      body: { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Stack', spec: { services } },
      headers: patchType('apply'),
    });
  const first = await apply('m', { web: { image: 'nginx:1' } });
  assert.equal(first.code, 201, first.bytes.toString());
  const both = await apply('n', { db: { image: 'postgres:1' } });
  assert.deepEqual(Object.keys(both.json.spec.services).sort(), ['db', 'web']);
  const refused = await apply('n', { db: { image: 'postgres:1' }, web: { image: 'nginx:2' } });
  assert.match(refused.json.message, /conflict with "m": \.spec\.services\.web\.image/);
});
