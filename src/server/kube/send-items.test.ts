import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { ConfigMap } from '../../resources/kinds.ts';
import { startTestApi, type TestApi } from '../test-api.ts';

const path = '/api/v1/namespaces/default/configmaps';
const count = 400;
const names = Array.from({ length: count }, (_, at) => `c${String(at).padStart(3, '0')}`);
let api: TestApi;

before(async () => {
  api = await startTestApi();
  for (const name of names) {
    await api.call('POST', path, { body: { metadata: { name }, data: { text: 'é'.repeat(500) } } });
  }
});
after(() => api.stop());

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const partial = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

test('a list that goes out in pieces is the same list, in every form', async () => {
  const plain = await api.call('GET', path);
  assert.equal(plain.headers['content-length'], undefined);
  assert.deepEqual(
    plain.json.items.map((one: ConfigMap) => one.metadata.name),
    names,
  );
  const zipped = await api.call('GET', path, { headers: { 'accept-encoding': 'gzip' } });
  assert.deepEqual(gunzipSync(zipped.bytes), plain.bytes);

  const rows = await api.call('GET', path, { headers: { accept: table } });
  assert.equal(rows.json.kind, 'Table');
  assert.deepEqual(
    rows.json.rows.map((row: { cells: string[] }) => row.cells[0]),
    names,
  );
  assert.equal(rows.json.metadata.resourceVersion, plain.json.metadata.resourceVersion);
  assert.ok(rows.json.columnDefinitions.length > 0);

  const metadata = await api.call('GET', path, { headers: { accept: partial } });
  assert.equal(metadata.json.items.length, count);
});

test('a short list and an empty one have a length', async () => {
  for (const query of ['?limit=2', '?labelSelector=no%3Done']) {
    for (const accept of ['application/json', table, partial]) {
      const answer = await api.call('GET', path + query, { headers: { accept } });
      assert.equal(Number(answer.headers['content-length']), answer.bytes.length);
      assert.equal((answer.json.rows ?? answer.json.items).length, query.includes('limit') ? 2 : 0);
    }
  }
});
