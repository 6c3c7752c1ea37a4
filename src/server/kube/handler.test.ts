import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { FlotillaError } from '../../lib/errors.ts';
import type { ConfigMap } from '../../resources/kinds.ts';
import { createMemoryStore } from '../../store/memory.ts';
import { allowAll, startTestApi, type TestApi, type TestCall } from '../test-api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const base = '/api/v1/namespaces/default/configmaps';

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

async function make(name: string, data: Record<string, string> = {}, path = base): Promise<ConfigMap> {
  const answer = await api.call('POST', path, { body: configMap(name, data) });
  assert.equal(answer.code, 201, answer.bytes.toString());
  return answer.json;
}

async function namespace(name: string): Promise<string> {
  await api.call('POST', '/api/v1/namespaces', { body: { metadata: { name } } });
  return `/api/v1/namespaces/${name}/configmaps`;
}

const patchType = (type: string) => ({ 'content-type': `application/${type}-patch+json` });

test('create, read, replace, patch, delete', async () => {
  const made = await make('crud', { a: '1' });
  assert.equal(made.metadata.namespace, 'default');
  const read = await api.call('GET', `${base}/crud`);
  assert.deepEqual(read.json, made);
  const replaced = await api.call('PUT', `${base}/crud`, { body: { ...made, data: { a: '2' } } });
  assert.equal(replaced.code, 200);
  assert.equal((await api.call('PUT', `${base}/crud`, { body: { ...made, data: { a: '3' } } })).code, 409);
  const patched = await api.call('PATCH', `${base}/crud`, {
    body: [{ op: 'add', path: '/data/b', value: '2' }],
    headers: patchType('json'),
  });
  assert.deepEqual(patched.json.data, { a: '2', b: '2' });
  const deleted = await api.call('DELETE', `${base}/crud`);
  assert.equal(deleted.json.status, 'Success');
  assert.deepEqual(deleted.json.details, { name: 'crud', kind: 'configmaps', uid: made.metadata.uid });
  const gone = await api.call('GET', `${base}/crud`);
  assert.equal(gone.code, 404);
  assert.equal(gone.json.message, 'configmaps "crud" not found');
});

const refusals: readonly [string, string, string, TestCall, number, string, RegExp][] = [
  ['malformed JSON', 'POST', base, { body: '{"a":' }, 400, 'BadRequest', /json parse error/],
  ['an empty body', 'POST', base, {}, 400, 'BadRequest', /empty/],
  ['a list as body', 'POST', base, { body: [] }, 400, 'BadRequest', /not an object/],
  [
    'malformed YAML',
    'POST',
    base,
    { body: 'a: [', headers: { 'content-type': 'application/yaml' } },
    400,
    'BadRequest',
    /YAML/,
  ],
  [
    'malformed protobuf',
    'POST',
    base,
    { body: 'k8s', headers: { 'content-type': 'application/vnd.kubernetes.protobuf' } },
    400,
    'BadRequest',
    /k8s/,
  ],
  [
    'an unknown media type',
    'POST',
    base,
    { body: 'x', headers: { 'content-type': 'text/plain' } },
    415,
    'UnsupportedMediaType',
    /application\/json/,
  ],
  ['a patch without a type', 'PATCH', `${base}/x`, { body: '{}' }, 415, 'UnsupportedMediaType', /merge-patch/],
  [
    'an apply by nobody',
    'PATCH',
    `${base}/x`,
    { body: '{}', headers: { 'content-type': 'application/apply-patch+yaml' } },
    422,
    'Invalid',
    /^PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch$/,
  ],
  [
    'an apply in CBOR',
    'PATCH',
    `${base}/x?fieldManager=m`,
    { body: '{}', headers: { 'content-type': 'application/apply-patch+cbor' } },
    415,
    'UnsupportedMediaType',
    /accepted media types include: .*application\/apply-patch\+yaml$/,
  ],
  [
    'an apply of another version',
    'PATCH',
    `${base}/x?fieldManager=m`,
    { body: 'apiVersion: v2', headers: { 'content-type': 'application/apply-patch+yaml' } },
    400,
    'BadRequest',
    /^Incorrect version specified in apply patch. Specified patch version: v2, expected: v1$/,
  ],
  [
    'an apply of an unknown field',
    'PATCH',
    `${base}/x?fieldManager=m&fieldValidation=Ignore`,
    { body: 'apiVersion: v1\ndat: {}', headers: { 'content-type': 'application/apply-patch+yaml' } },
    400,
    'BadRequest',
    /^failed to create typed patch object \(default\/x; \/v1, Kind=ConfigMap\): .dat: field not declared in schema$/,
  ],
  [
    'an apply of owners',
    'PATCH',
    `${base}/x?fieldManager=m`,
    {
      body: 'apiVersion: v1\nmetadata: {managedFields: [{manager: n}]}',
      headers: { 'content-type': 'application/apply-patch+yaml' },
    },
    400,
    'BadRequest',
    /^metadata.managedFields must be nil$/,
  ],
  [
    'force of another patch',
    'PATCH',
    `${base}/x?force=true`,
    { body: '{}', headers: patchType('merge') },
    422,
    'Invalid',
    /force: Forbidden: may not be specified for non-apply patch/,
  ],
  [
    'an endless manager',
    'POST',
    `${base}?fieldManager=${'m'.repeat(129)}`,
    { body: { metadata: { name: 'x' } } },
    422,
    'Invalid',
    /fieldManager: Too long: may not be more than 128 bytes/,
  ],
  [
    'a strategic patch of our own kinds',
    'PATCH',
    '/apis/flotilla.dev/v1alpha1/namespaces/default/stacks/x',
    { body: '{}', headers: patchType('strategic-merge') },
    415,
    'UnsupportedMediaType',
    /json-patch/,
  ],
  [
    'another kind',
    'POST',
    base,
    { body: { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'x' } } },
    400,
    'BadRequest',
    /Secret/,
  ],
  [
    'another namespace',
    'POST',
    base,
    { body: { metadata: { name: 'x', namespace: 'other' } } },
    400,
    'BadRequest',
    /namespace/,
  ],
  [
    'a strictly unknown field',
    'POST',
    `${base}?fieldValidation=Strict`,
    { body: { metadata: { name: 'x' }, dat: 1 } },
    400,
    'BadRequest',
    /unknown field "dat"/,
  ],
  [
    'a strictly doubled key',
    'POST',
    `${base}?fieldValidation=Strict`,
    { body: '{"metadata":{"name":"x","name":"y"}}' },
    400,
    'BadRequest',
    /duplicate field/,
  ],
  [
    'a wrong strictness',
    'POST',
    `${base}?fieldValidation=Hard`,
    { body: { metadata: { name: 'x' } } },
    422,
    'Invalid',
    /^CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Hard": supported values: "Ignore", "Strict", "Warn"$/,
  ],
  ['a wrong type', 'POST', base, { body: { metadata: { name: 'x' }, data: { a: 1 } } }, 400, 'BadRequest', /data/],
  [
    'a wrong dryRun',
    'POST',
    `${base}?dryRun=Maybe`,
    { body: { metadata: { name: 'x' } } },
    422,
    'Invalid',
    /dryRun: Unsupported value: \["Maybe"\]: supported values: "All"/,
  ],
  ['an illegal name', 'POST', base, { body: { metadata: { name: 'A_b' } } }, 422, 'Invalid', /metadata.name/],
  [
    'a missing namespace',
    'POST',
    '/api/v1/namespaces/nope/configmaps',
    { body: { metadata: { name: 'x' } } },
    404,
    'NotFound',
    /namespaces "nope" not found/,
  ],
  [
    'no namespace at all',
    'POST',
    '/api/v1/configmaps',
    { body: { metadata: { name: 'x' } } },
    405,
    'MethodNotAllowed',
    /method/,
  ],
  ['POST to an object', 'POST', `${base}/x`, { body: {} }, 405, 'MethodNotAllowed', /method/],
  ['PUT to a collection', 'PUT', base, { body: {} }, 405, 'MethodNotAllowed', /method/],
  ['OPTIONS', 'OPTIONS', base, {}, 405, 'MethodNotAllowed', /method/],
  ['an unknown path', 'GET', '/nothing', {}, 404, 'NotFound', /could not find the requested resource/],
  ['an unknown kind', 'GET', '/api/v1/namespaces/default/gadgets', {}, 404, 'NotFound', /could not find/],
  ['an unknown group', 'GET', '/apis/example.com/v1', {}, 404, 'NotFound', /could not find/],
  ['an unknown subresource', 'GET', `${base}/x/scale`, {}, 404, 'NotFound', /could not find/],
  ['broken escapes', 'GET', `${base}/%zz`, {}, 400, 'BadRequest', /percent-encoding/],
  ['a broken label selector', 'GET', `${base}?labelSelector=a%20b`, {}, 400, 'BadRequest', /selector|requirement/],
  [
    'an unknown field selector',
    'GET',
    `${base}?fieldSelector=data.x=1`,
    {},
    400,
    'BadRequest',
    /field label not supported/,
  ],
  ['a broken version', 'GET', `${base}?resourceVersion=abc`, {}, 400, 'BadRequest', /resourceVersion/],
  ['a broken limit', 'GET', `${base}?limit=-1`, {}, 400, 'BadRequest', /limit/],
  ['a forged continue token', 'GET', `${base}?limit=1&continue=xyz`, {}, 400, 'BadRequest', /continue/],
  [
    'an expired continue token',
    'GET',
    `${base}?continue=${Buffer.from('{"v":1,"revision":-5,"after":"/o/main/core/configmaps/default/x"}').toString('base64url')}`,
    {},
    410,
    'Expired',
    /too old/,
  ],
  ['an unknown version match', 'GET', `${base}?resourceVersionMatch=Newest`, {}, 422, 'Invalid', /NotOlderThan/],
  [
    'a match without a version',
    'GET',
    `${base}?resourceVersionMatch=Exact`,
    {},
    422,
    'Invalid',
    /resourceVersionMatch/,
  ],
  [
    'an answer that we do not have',
    'GET',
    base,
    { headers: { accept: 'application/xml' } },
    406,
    'NotAcceptable',
    /application\/json/,
  ],
  [
    'exec without an upgrade',
    'POST',
    '/api/v1/namespaces/default/pods/p/exec',
    {},
    400,
    'BadRequest',
    /Upgrade request required/,
  ],
  ['a wrong policy', 'DELETE', `${base}/x?propagationPolicy=Fast`, {}, 422, 'Invalid', /propagationPolicy/],
];

for (const [what, method, path, call, code, reason, message] of refusals) {
  test(`refused: ${what}`, async () => {
    const answer = await api.call(method, path, call);
    assert.equal(answer.code, code, answer.bytes.toString());
    assert.equal(answer.json.kind, 'Status');
    assert.equal(answer.json.status, 'Failure');
    assert.equal(answer.json.code, code);
    assert.equal(answer.json.reason, reason);
    assert.match(answer.json.message, message);
  });
}

test('a body above 3 MiB is refused, whether its length was told or not', async () => {
  const body = Buffer.alloc(3 * 1024 * 1024 + 1, 0x20);
  assert.equal((await api.call('POST', base, { body })).json.reason, 'RequestEntityTooLarge');
  const headers = { 'content-length': String(body.length) };
  assert.equal((await api.call('POST', base, { body: '{}', headers })).code, 413);
});

test('an object that is too large for the store is refused', async () => {
  const answer = await api.call('POST', base, { body: configMap('large', { a: 'x'.repeat(1_700_000) }) });
  assert.ok([413, 422].includes(answer.code), String(answer.code));
});

test('a body without Content-Type is JSON, and YAML is understood', async () => {
  const yaml = 'metadata: {name: from-yaml}\ndata: {a: "1"}\n';
  const made = await api.call('POST', base, { body: yaml, headers: { 'content-type': 'application/yaml' } });
  assert.deepEqual(made.json.data, { a: '1' });
});

test('what is dropped is warned about', async () => {
  const body = { metadata: { name: 'warned' }, dat: { a: 'ü' } };
  const answer = await api.call('POST', base, { body });
  assert.equal(answer.code, 201);
  assert.deepEqual(answer.headers.warning, ['299 - "unknown field \\"dat\\""']);
  const quiet = await api.call('POST', `${base}?fieldValidation=Ignore`, {
    body: { ...body, metadata: { name: 'q' } },
  });
  assert.equal(quiet.headers.warning, undefined);
});

test('a headless Service object whose port is not its target port says where to connect', async () => {
  const service = (name: string, targetPort: number) => ({
    metadata: { name },
    spec: { clusterIP: 'None', ports: [{ port: 80, targetPort }] },
  });
  const path = '/api/v1/namespaces/default/services';
  const warned = await api.call('POST', path, { body: service('mapped', 8080) });
  assert.match(String(warned.headers.warning), /connect to the target port 8080/);
  assert.equal((await api.call('POST', path, { body: service('plain', 80) })).headers.warning, undefined);
});

test('a taint whose effect is another here says so', async () => {
  const tainted = (name: string, effect: string) => ({ metadata: { name }, spec: { taints: [{ key: 'a', effect }] } });
  const evicting = await api.call('POST', '/api/v1/nodes', { body: tainted('evicting', 'NoExecute') });
  assert.deepEqual([evicting.code, evicting.headers.warning], [201, undefined]);
  const soft = await api.call('POST', '/api/v1/nodes', { body: tainted('soft', 'PreferNoSchedule') });
  assert.match(String(soft.headers.warning), /spec\.taints\[0\]: PreferNoSchedule changes nothing here/);
  const plain = await api.call('POST', '/api/v1/nodes', { body: tainted('tainted', 'NoSchedule') });
  assert.deepEqual([plain.code, plain.headers.warning], [201, undefined]);
});

test('pages of a list are all of one moment', async () => {
  const path = await namespace('pages');
  for (const name of ['a', 'b', 'c', 'd', 'e']) await make(name, {}, path);
  const first = (await api.call('GET', `${path}?limit=2`)).json;
  assert.deepEqual(
    first.items.map((one: ConfigMap) => one.metadata.name),
    ['a', 'b'],
  );
  assert.equal(first.metadata.remainingItemCount, 3);
  await api.call('DELETE', `${path}/d`);
  await make('f', {}, path);
  const second = (await api.call('GET', `${path}?limit=2&continue=${first.metadata.continue}`)).json;
  assert.deepEqual(
    second.items.map((one: ConfigMap) => one.metadata.name),
    ['c', 'd'],
  );
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  const last = (await api.call('GET', `${path}?limit=2&continue=${second.metadata.continue}`)).json;
  assert.deepEqual(
    last.items.map((one: ConfigMap) => one.metadata.name),
    ['e'],
  );
  assert.equal(last.metadata.continue, undefined);
  const exact = `${path}?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`;
  assert.equal((await api.call('GET', exact)).json.items.length, 5);
});

test('a list has selectors, its kind, and items that are never null', async () => {
  const path = await namespace('selected');
  const empty = (await api.call('GET', path)).json;
  assert.deepEqual([empty.kind, empty.apiVersion, empty.items], ['ConfigMapList', 'v1', []]);
  await api.call('POST', path, { body: { metadata: { name: 'a', labels: { app: 'web' } } } });
  await api.call('POST', path, { body: { metadata: { name: 'b', labels: { app: 'db' } } } });
  const count = async (query: string) => (await api.call('GET', `${path}?${query}`)).json.items.length;
  assert.equal(await count('labelSelector=app+in+(web)'), 1);
  assert.equal(await count('labelSelector=app!%3Dweb'), 1);
  assert.equal(await count('fieldSelector=metadata.name%3Db'), 1);
  assert.equal(await count('labelSelector=app&fieldSelector=metadata.name%3Dc'), 0);
});

test('tables, for lists and single objects', async () => {
  const path = await namespace('tables');
  await make('a', { k: 'v' }, path);
  const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
  const list = (await api.call('GET', path, { headers })).json;
  assert.equal(list.kind, 'Table');
  assert.deepEqual(list.rows[0].cells.slice(0, 2), ['a', 1]);
  assert.equal(list.rows[0].object.kind, 'PartialObjectMetadata');
  const one = (await api.call('GET', `${path}/a?includeObject=Object`, { headers })).json;
  assert.equal(one.rows[0].object.kind, 'ConfigMap');
  const partial = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };
  const metadata = (await api.call('GET', path, { headers: partial })).json;
  assert.deepEqual([metadata.kind, metadata.items[0].data], ['PartialObjectMetadataList', undefined]);
  const unknown = { accept: 'application/json;as=Chart;v=v1;g=meta.k8s.io' };
  assert.equal((await api.call('GET', path, { headers: unknown })).code, 406);
});

test('a review has no table', async () => {
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const body = { spec: { nonResourceAttributes: { path: '/', verb: 'get' } } };
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  assert.equal((await api.call('POST', path, { headers: { accept: table }, body })).code, 406);
  assert.equal((await api.call('POST', path, { headers: { accept: `${table},application/json` }, body })).code, 201);
});

test('labels and annotations go with a status where Kubernetes takes them, of pods annotations only', async () => {
  await api.call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'with-status' } } });
  const change = {
    metadata: { labels: { a: 'b' }, annotations: { c: 'd' }, finalizers: ['example.com/x'] },
    status: { conditions: [{ type: 'X', status: 'True' }] },
  };
  const spec = { selector: { a: 'b' }, ports: [{ port: 80 }] };
  const pod = { containers: [{ name: 'main', image: 'web:1' }] };
  for (const [plural, body, labels] of [
    ['services', { metadata: { name: 'one' }, spec }, { a: 'b' }],
    ['pods', { metadata: { name: 'one' }, spec: pod }, undefined],
  ] as const) {
    const path = `/api/v1/namespaces/with-status/${plural}`;
    assert.equal((await api.call('POST', path, { body })).code, 201);
    const headers = { 'content-type': 'application/merge-patch+json' };
    const { json } = await api.call('PATCH', `${path}/one/status`, { headers, body: change });
    assert.deepEqual([json.metadata.labels, json.metadata.annotations], [labels, { c: 'd' }]);
    assert.deepEqual([json.metadata.finalizers, json.status.conditions[0].type], [undefined, 'X']);
  }
});

test('large answers are compressed for those who take it', async () => {
  const path = await namespace('large');
  for (let n = 0; n < 3; n++) await make(`c${n}`, { a: 'x'.repeat(100_000) }, path);
  const plain = await api.call('GET', path);
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.equal(plain.headers['content-length'], undefined, 'it is written down while it is sent');
  assert.equal(plain.json.items.length, 3);
  const small = await api.call('GET', path, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(small.headers['content-encoding'], 'gzip');
  assert.ok(small.bytes.length < plain.bytes.length / 10);
  assert.deepEqual(gunzipSync(small.bytes), plain.bytes);
});

test('deletecollection removes what is selected and answers it', async () => {
  const path = await namespace('collection');
  for (const name of ['a', 'b', 'c']) {
    await api.call('POST', path, { body: { metadata: { name, labels: { odd: String(name !== 'b') } } } });
  }
  const answer = await api.call('DELETE', `${path}?labelSelector=odd%3Dtrue`);
  assert.equal(answer.json.items.length, 2);
  const left = (await api.call('GET', path)).json.items;
  assert.deepEqual(
    left.map((one: ConfigMap) => one.metadata.name),
    ['b'],
  );
});

test('discovery in all three forms', async () => {
  const plain = (await api.call('GET', '/api/v1')).json;
  assert.ok(plain.resources.some((one: { name: string }) => one.name === 'pods/exec'));
  assert.ok((await api.call('GET', '/apis')).json.groups.some((one: { name: string }) => one.name === 'apps'));
  assert.equal((await api.call('GET', '/apis/apps')).json.preferredVersion.groupVersion, 'apps/v1');
  for (const version of ['v2', 'v2beta1']) {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;
    const answer = await api.call('GET', '/apis', { headers: { accept } });
    assert.equal(answer.json.apiVersion, `apidiscovery.k8s.io/${version}`);
    assert.match(String(answer.headers['content-type']), new RegExp(`v=${version};as=APIGroupDiscoveryList`));
  }
});

test('version, health and OpenAPI', async () => {
  const version = (await api.call('GET', '/version')).json;
  assert.match(version.gitVersion, /^v1\.35\.0\+flotilla-/);
  for (const path of ['/healthz', '/livez', '/readyz']) {
    assert.equal((await api.call('GET', path)).bytes.toString(), 'ok');
  }
  const index = await api.call('GET', '/openapi/v3');
  const { serverRelativeURL } = index.json.paths['apis/apps/v1'];
  const document = await api.call('GET', serverRelativeURL);
  assert.match(String(document.headers['cache-control']), /immutable/);
  assert.ok(document.json.components.schemas);
  const etag = String(index.headers.etag);
  assert.equal((await api.call('GET', '/openapi/v3', { headers: { 'if-none-match': etag } })).code, 304);
  assert.equal((await api.call('GET', '/openapi/v2')).bytes.length, 14);
  assert.equal((await api.call('GET', '/openapi/v3/apis/nope/v1')).code, 404);
});

test('HEAD answers as GET does, without a body', async () => {
  await make('head');
  const answer = await api.call('HEAD', `${base}/head`);
  assert.equal(answer.code, 200);
  assert.equal(answer.bytes.length, 0);
  assert.ok(Number(answer.headers['content-length']) > 0);
});

test('questions about oneself', async () => {
  const whoami = await api.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {} });
  assert.equal(whoami.json.status.userInfo.username, 'flotilla:admin');
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const ask = async (resource: string) => {
    const body = { spec: { resourceAttributes: { resource, verb: 'list' } } };
    return (await api.call('POST', path, { body })).json.status.allowed;
  };
  assert.equal(await ask('pods'), true);
});

test('changes and refusals are audited, reads are not, bodies never', async () => {
  const denied = await startTestApi({
    authorizer: {
      ...allowAll,
      authorize: (_user, { verb }) => (verb === 'list' ? { allowed: false, reason: 'no lists' } : { allowed: true }),
    },
  });
  await denied.call('POST', base, { body: configMap('a', { password: 'hunter2' }) });
  await denied.call('GET', `${base}/a`);
  const refused = await denied.call('GET', base);
  assert.equal(refused.code, 403);
  assert.equal(refused.json.message, 'configmaps is forbidden: no lists');
  assert.deepEqual(
    denied.audited.map(({ verb, resource, name, code }) => [verb, resource, name, code]),
    [
      ['create', 'configmaps', 'a', 201],
      ['list', 'configmaps', undefined, 403],
    ],
  );
  assert.ok(!JSON.stringify(denied.audited).includes('hunter2'));
  await denied.stop();
});

test('an unreachable store is 503 with Retry-After, a bug is 500 without its words', async () => {
  const store = createMemoryStore();
  const broken = await startTestApi({ store });
  let error: Error = new FlotillaError('StoreUnavailable', 'etcd does not answer', { retryable: true });
  store.head = async () => {
    throw error;
  };
  const unavailable = await broken.call('GET', `${base}/a`);
  assert.deepEqual([unavailable.code, unavailable.json.reason], [503, 'ServiceUnavailable']);
  assert.equal(unavailable.headers['retry-after'], '1');
  error = new Error('secret detail');
  const bug = await broken.call('GET', `${base}/a`);
  assert.deepEqual([bug.code, bug.json.reason], [500, 'InternalError']);
  assert.match(bug.json.message, /request r1/);
  assert.ok(!bug.json.message.includes('secret detail'));
  await broken.cache.stop();
});
