import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { startTestApi, type TestApi, type WatchLine } from '../test-api.ts';

const base = '/api/v1/namespaces/default/configmaps';

async function put(api: TestApi, name: string, data: Record<string, string>, labels = {}): Promise<string> {
  const body = { metadata: { name, labels }, data };
  const made = await api.call('POST', base, { body });
  if (made.code === 201) return made.json.metadata.resourceVersion;
  return (await api.call('PUT', `${base}/${name}`, { body })).json.metadata.resourceVersion;
}

/** Takes `count` lines, then ends the watch. */
async function take(api: TestApi, path: string, count: number, during = async () => {}): Promise<WatchLine[]> {
  const abort = new AbortController();
  const lines: WatchLine[] = [];
  const watching = (async () => {
    for await (const line of api.watch(path, abort.signal)) {
      lines.push(line);
      if (lines.length === count) break;
    }
  })();
  await during();
  await watching;
  abort.abort();
  return lines;
}

const short = (lines: readonly WatchLine[]) =>
  lines.map(({ type, object }) => `${type} ${object.metadata?.name ?? ''}`);

test('without a version a watch begins with what there is', async () => {
  const api = await startTestApi();
  await put(api, 'a', {});
  const lines = await take(api, `${base}?watch=true`, 3, async () => {
    await put(api, 'b', {});
    await api.call('DELETE', `${base}/a`);
  });
  assert.deepEqual(short(lines), ['ADDED a', 'ADDED b', 'DELETED a']);
  await api.stop();
});

test('with a version it begins right after it', async () => {
  const api = await startTestApi();
  const version = await put(api, 'a', {});
  await put(api, 'b', {});
  assert.deepEqual(short(await take(api, `${base}?watch=1&resourceVersion=${version}`, 1)), ['ADDED b']);
  await api.stop();
});

test('WatchList: everything, a bookmark that says so, then what happens', async () => {
  const api = await startTestApi();
  await put(api, 'a', {});
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const abort = new AbortController();
  const lines: WatchLine[] = [];
  for await (const line of api.watch(`${base}?${query}`, abort.signal)) {
    lines.push(line);
    if (line.type === 'BOOKMARK') await put(api, 'b', {});
    if (lines.length === 3) break;
  }
  abort.abort();
  assert.deepEqual(short(lines), ['ADDED a', 'BOOKMARK ', 'ADDED b']);
  assert.equal(lines[1]?.object.metadata.annotations['k8s.io/initial-events-end'], 'true');
  assert.equal((await api.call('GET', `${base}?watch=true&sendInitialEvents=true`)).code, 422);
  await api.stop();
});

test('objects that enter or leave the selection come and go', async () => {
  const api = await startTestApi();
  const lines = await take(api, `${base}?watch=true&labelSelector=app%3Dweb`, 3, async () => {
    await put(api, 'a', {}, { app: 'db' });
    await put(api, 'a', {}, { app: 'web' });
    await put(api, 'a', { k: 'v' }, { app: 'web' });
    await put(api, 'a', { k: 'w' }, { app: 'db' });
  });
  assert.deepEqual(short(lines), ['ADDED a', 'MODIFIED a', 'DELETED a']);
  const last = lines[2]?.object;
  assert.deepEqual(last.data, { k: 'v' });
  assert.ok(Number(last.metadata.resourceVersion) > Number(lines[1]?.object.metadata.resourceVersion));
  await api.stop();
});

test('a version that is too old ends the watch with 410 inside', async () => {
  const api = await startTestApi({ history: { minEvents: 1, maxEvents: 2, maxAgeMs: 0 } });
  const version = await put(api, 'a', {});
  for (let n = 0; n < 150; n++) await put(api, 'a', { n: String(n) });
  const answer = await api.call('GET', `${base}?watch=true&resourceVersion=${version}`);
  assert.equal(answer.code, 200);
  assert.equal(answer.json.type, 'ERROR');
  assert.deepEqual([answer.json.object.code, answer.json.object.reason], [410, 'Expired']);
  assert.match(answer.json.object.message, /too old resource version/);
  await api.stop();
});

test('bookmarks each minute, a clean end after timeoutSeconds', async () => {
  const clock = new ManualClock();
  const api = await startTestApi({ clock });
  const version = await put(api, 'a', {});
  const query = `watch=true&resourceVersion=${version}&timeoutSeconds=90&allowWatchBookmarks=true`;
  const lines: WatchLine[] = [];
  const watching = (async () => {
    for await (const line of api.watch(`${base}?${query}`, new AbortController().signal)) lines.push(line);
  })();
  await clock.advance(0);
  await clock.advance(59_000);
  assert.equal(lines.length, 0);
  await api.call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'elsewhere' } } });
  await clock.advance(1_000);
  assert.deepEqual(short(lines), ['BOOKMARK ']);
  assert.equal(lines[0]?.object.metadata.resourceVersion, api.cache.versions.format(api.cache.revision));
  await clock.advance(30_000);
  await watching;
  assert.deepEqual(short(lines), ['BOOKMARK ', 'BOOKMARK ']);
  await api.stop();
});

test('tables: column definitions come with the first event only', async () => {
  const api = await startTestApi();
  await put(api, 'a', {});
  await put(api, 'b', {});
  const abort = new AbortController();
  const lines: WatchLine[] = [];
  const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  for await (const line of api.watch(`${base}?watch=true`, abort.signal, headers)) {
    lines.push(line);
    if (lines.length === 2) break;
  }
  abort.abort();
  assert.equal(lines[0]?.object.columnDefinitions[0].name, 'Name');
  assert.equal(lines[1]?.object.columnDefinitions, null);
  assert.equal(lines[1]?.object.rows[0].cells[0], 'b');
  await api.stop();
});

test('how long events took to their watchers is counted', async () => {
  const api = await startTestApi();
  await take(api, `${base}?watch=true`, 1, async () => void (await put(api, 'a', {})));
  assert.match(api.metrics.render(), /flotilla_watch_delivery_seconds_count 1/);
  assert.match(api.metrics.render(), /flotilla_commit_seconds_count\{resource="configmaps"\} 1/);
  assert.match(api.metrics.render(), /flotilla_requests_total\{verb="create",code="201"\} 1/);
  await api.stop();
});

test('a version from the future is waited for, then answered with 504', async () => {
  const clock = new ManualClock();
  const api = await startTestApi({ clock });
  const version = Number(await put(api, 'a', {}));
  const early = take(api, `${base}?watch=true&resourceVersion=${version + 1}`, 1, async () => {
    await put(api, 'b', {});
    await put(api, 'c', {});
  });
  assert.deepEqual(short(await early), ['ADDED c']);
  for (const query of ['watch=true&', '']) {
    const answering = api.call('GET', `${base}?${query}resourceVersion=${version + 1_000}`);
    await clock.advance(0);
    await clock.advance(5_000);
    const { code, json } = await answering;
    assert.equal(code, 504);
    assert.equal(json.message, `Timeout: Too large resource version: ${version + 1_000}, current: ${version + 2}`);
    assert.deepEqual(json.details.causes, [
      { reason: 'ResourceVersionTooLarge', message: 'Too large resource version' },
    ]);
  }
  await api.stop();
});

test('options that mean nothing together are refused in Kubernetes’ words', async () => {
  const api = await startTestApi();
  const cases: readonly [string, string][] = [
    [
      'watch=true&sendInitialEvents=true',
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    ],
    [
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0',
      'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list',
    ],
    [
      'watch=true&resourceVersion=1&resourceVersionMatch=Exact',
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    ],
    [
      'resourceVersionMatch=Exact',
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      'resourceVersionMatch=Exact&resourceVersion=0',
      'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    [
      'resourceVersionMatch=NotOlderThan&resourceVersion=0&continue=x',
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided',
    ],
    [
      'resourceVersionMatch=Some&resourceVersion=1',
      'resourceVersionMatch: Unsupported value: "Some": supported values: "Exact", "NotOlderThan", ""',
    ],
  ];
  for (const [query, why] of cases) {
    const { code, json } = await api.call('GET', `${base}?${query}`);
    assert.equal(code, 422, query);
    assert.equal(json.message, `ListOptions.meta.k8s.io "" is invalid: ${why}`);
  }
  await api.stop();
});

test('metadata alone: one object, a list, a watch with its bookmarks', async () => {
  const api = await startTestApi();
  await put(api, 'a', { secret: 'x' }, { app: 'web' });
  const group = 'g=meta.k8s.io;v=v1';
  const headers = {
    accept: `application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;${group},application/json;as=PartialObjectMetadata;${group},application/json`,
  };
  const one = (await api.call('GET', `${base}/a`, { headers })).json;
  assert.deepEqual(
    [one.kind, one.apiVersion, one.data, one.metadata.labels],
    ['PartialObjectMetadata', 'meta.k8s.io/v1', undefined, { app: 'web' }],
  );
  const list = (
    await api.call('GET', base, { headers: { accept: headers.accept.replaceAll('Metadata', 'MetadataList') } })
  ).json;
  assert.equal(list.kind, 'PartialObjectMetadataList');
  assert.deepEqual(list.items, [one]);
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const abort = new AbortController();
  const lines: WatchLine[] = [];
  for await (const line of api.watch(`${base}?${query}`, abort.signal, headers)) {
    lines.push(line);
    if (line.type === 'BOOKMARK') await api.call('DELETE', `${base}/a`);
    if (lines.length === 3) break;
  }
  abort.abort();
  assert.deepEqual(
    lines.map(({ type, object }) => `${type} ${object.kind}`),
    ['ADDED PartialObjectMetadata', 'BOOKMARK PartialObjectMetadata', 'DELETED PartialObjectMetadata'],
  );
  assert.equal(lines[1]?.object.metadata.annotations['k8s.io/initial-events-end'], 'true');
  await api.stop();
});
