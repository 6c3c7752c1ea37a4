import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestApi, type TestApi } from '../test-api.ts';

const base = '/api/v1/namespaces/default/configmaps';
/** Longer than what the cache keeps of its history with these bounds. */
const manyWrites = 100;
const history = { minEvents: 1, maxEvents: 2, maxAgeMs: 0 };

async function withPages(run: (api: TestApi) => Promise<void>, options = { history }): Promise<void> {
  const api = await startTestApi(options);
  try {
    for (let index = 0; index < 10; index += 1) await write(api, `c${index}`, 'old', index % 2 === 0 ? 'even' : 'odd');
    await run(api);
  } finally {
    await api.stop();
  }
}

async function write(api: TestApi, name: string, value: string, parity = 'none'): Promise<void> {
  const body = { metadata: { name, labels: { parity } }, data: { value } };
  const { code } = await api.call('POST', base, { body });
  if (code === 409) assert.equal((await api.call('PUT', `${base}/${name}`, { body })).code, 200);
}

async function change(api: TestApi): Promise<void> {
  for (let index = 0; index < manyWrites; index += 1) await write(api, `c${index % 5}`, `new${index}`);
  await api.call('DELETE', `${base}/c7`);
  await write(api, 'c55', 'added');
}

async function page(api: TestApi, query: string) {
  const { code, json } = await api.call('GET', `${base}?${query}`);
  assert.equal(code, 200, JSON.stringify(json));
  const items: { metadata: { name: string }; data: { value: string } }[] = json.items;
  return {
    metadata: json.metadata,
    names: items.map((one) => one.metadata.name),
    values: items.map((one) => one.data.value),
  };
}

async function rest(
  api: TestApi,
  token: string,
  query = 'limit=4',
): Promise<{ names: string[]; versions: Set<string> }> {
  const names: string[] = [];
  const versions = new Set<string>();
  for (let next: string | undefined = token; next; ) {
    const one = await page(api, `${query}&continue=${next}`);
    names.push(...one.names);
    versions.add(one.metadata.resourceVersion);
    next = one.metadata.continue;
  }
  return { names, versions };
}

for (const [where, options] of [
  ['the cache', { history: { minEvents: 500, maxEvents: 500, maxAgeMs: 60_000 } }],
  ['the store, when the cache has forgotten', { history }],
] as const) {
  test(`all pages show the state of the first one, from ${where}`, () =>
    withPages(async (api) => {
      const first = await page(api, 'limit=3');
      assert.deepEqual(first.names, ['c0', 'c1', 'c2']);
      assert.equal(first.metadata.remainingItemCount, 7);
      await change(api);
      const second = await page(api, `limit=3&continue=${first.metadata.continue}`);
      assert.deepEqual(second.values, ['old', 'old', 'old']);
      const { names, versions } = await rest(api, second.metadata.continue);
      assert.deepEqual(names, ['c6', 'c7', 'c8', 'c9']);
      assert.deepEqual(
        [...versions, second.metadata.resourceVersion],
        [first.metadata.resourceVersion, first.metadata.resourceVersion],
      );
    }, options));
}

test('with selectors nothing is said about how many remain', () =>
  withPages(async (api) => {
    const first = await page(api, 'limit=2&labelSelector=parity%3Deven');
    assert.deepEqual(first.names, ['c0', 'c2']);
    assert.equal(first.metadata.remainingItemCount, undefined);
    await change(api);
    const { names } = await rest(api, first.metadata.continue, 'limit=2&labelSelector=parity%3Deven');
    assert.deepEqual(names, ['c4', 'c6', 'c8']);
  }));

test('a token that is too old says how to go on, and that goes on', () =>
  withPages(async (api) => {
    const first = await page(api, 'limit=3');
    await change(api);
    await api.store.compact(await api.store.head());
    const expired = await api.call('GET', `${base}?limit=3&continue=${first.metadata.continue}`);
    assert.equal(expired.code, 410);
    assert.equal(expired.json.reason, 'Expired');
    assert.match(
      expired.json.message,
      /^The provided continue parameter is too old to display a consistent list result\./,
    );
    const second = await page(api, `limit=3&continue=${expired.json.metadata.continue}`);
    assert.deepEqual(second.names, ['c3', 'c4', 'c5']);
    assert.match(second.values[0] ?? '', /^new/);
    const { names, versions } = await rest(api, second.metadata.continue);
    assert.deepEqual(names, ['c55', 'c6', 'c8', 'c9']);
    assert.deepEqual([...versions], [second.metadata.resourceVersion]);
  }));

test('Exact shows a version as it was, NotOlderThan one at least as new, a limit with a version begins there', () =>
  withPages(async (api) => {
    const { metadata } = await page(api, '');
    await change(api);
    const then = `resourceVersion=${metadata.resourceVersion}`;
    const exact = await page(api, `${then}&resourceVersionMatch=Exact`);
    assert.equal(exact.metadata.resourceVersion, metadata.resourceVersion);
    assert.ok(exact.values.every((value) => value === 'old') && exact.names.includes('c7'));
    assert.ok((await page(api, `${then}&resourceVersionMatch=NotOlderThan`)).names.includes('c55'));
    assert.equal((await page(api, `${then}&limit=3`)).metadata.resourceVersion, metadata.resourceVersion);
    await api.store.compact(await api.store.head());
    const gone = await api.call('GET', `${base}?${then}&resourceVersionMatch=Exact`);
    assert.equal(gone.json.reason, 'Expired');
    const both = await api.call('GET', `${base}?${then}&limit=1&continue=x`);
    assert.equal(both.json.message, 'specifying resource version is not allowed when using continue');
  }));

test('a token of another kind, or with something else in it, is refused', () =>
  withPages(async (api) => {
    const foreign = { v: 1, revision: 5, after: '/o/main/core/secrets/default/x' };
    for (const token of [foreign, { ...foreign, v: 2 }, { ...foreign, after: 7 }, [], 'x']) {
      const text = Buffer.from(JSON.stringify(token)).toString('base64url');
      const { json } = await api.call('GET', `${base}?limit=1&continue=${text}`);
      assert.equal(json.message, 'invalid continue token: continue key is not valid');
    }
  }));
