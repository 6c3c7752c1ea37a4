// Evictions through the API itself: many at once, dry runs, bodies of old clients.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../test-api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const pods = '/api/v1/namespaces/default/pods';
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';

async function makePods(app: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const metadata = { name: `${app}-${index}`, labels: { app } };
    await api.call('POST', pods, {
      body: { metadata, spec: { nodeName: 'h1', containers: [{ name: 'c', image: 'i' }] } },
    });
    const body = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
    const headers = { 'content-type': 'application/merge-patch+json' };
    await api.call('PATCH', `${pods}/${app}-${index}/status`, { body, headers });
  }
}

async function makeBudget(app: string, disruptionsAllowed: number): Promise<void> {
  const spec = { selector: { matchLabels: { app } }, maxUnavailable: disruptionsAllowed };
  await api.call('POST', budgets, { body: { metadata: { name: app }, spec } });
  const status = { observedGeneration: 1, disruptionsAllowed, currentHealthy: 9, desiredHealthy: 0, expectedPods: 9 };
  const headers = { 'content-type': 'application/merge-patch+json' };
  await api.call('PATCH', `${budgets}/${app}/status`, { body: { status }, headers });
}

const evict = (name: string, more: object = {}, apiVersion = 'policy/v1') =>
  api.call('POST', `${pods}/${name}/eviction`, { body: { apiVersion, kind: 'Eviction', metadata: { name }, ...more } });
const remaining = async (app: string) =>
  (await api.call('GET', `${pods}?labelSelector=app=${app}`)).json.items.filter(
    (pod: { metadata: { deletionTimestamp?: string } }) => !pod.metadata.deletionTimestamp,
  ).length;

test('of many at once exactly as many succeed as the budget allows', async () => {
  await makePods('web', 10);
  await makeBudget('web', 3);
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => evict(`web-${index}`)));
  assert.deepEqual(answers.map((one) => one.code).sort(), [...Array(3).fill(201), ...Array(7).fill(429)]);
  assert.equal(await remaining('web'), 7);
  const refused = answers.find((one) => one.code === 429)!;
  assert.equal(refused.json.reason, 'TooManyRequests');
  assert.equal(refused.json.details.causes[0].reason, 'DisruptionBudget');
  assert.equal(refused.headers['retry-after'], undefined);
  const { status } = (await api.call('GET', `${budgets}/web`)).json;
  assert.equal(Object.keys(status.disruptedPods).length, 3);
});

test('whoever sees the pod end knows that it was evicted', async () => {
  await makePods('told', 2);
  const headers = { 'content-type': 'application/merge-patch+json' };
  for (const name of ['told-0', 'told-1'])
    await api.call('PATCH', `${pods}/${name}`, { body: { metadata: { finalizers: ['example.com/kept'] } }, headers });
  await makeBudget('told', 2);
  for (const name of ['told-0', 'told-1']) assert.equal((await evict(name)).code, 201);
  const { metadata, status } = (await api.call('GET', `${pods}/told-0`)).json;
  assert.ok(metadata.deletionTimestamp);
  const told = status.conditions.find(({ type }: { type: string }) => type === 'DisruptionTarget');
  assert.deepEqual(
    [told.status, told.reason, told.message],
    ['True', 'EvictionByEvictionAPI', 'Eviction API: evicting'],
  );
});

test('a budget that nobody has looked at yet asks for patience', async () => {
  await makePods('new', 1);
  await api.call('POST', budgets, {
    body: { metadata: { name: 'new' }, spec: { selector: { matchLabels: { app: 'new' } } } },
  });
  const answer = await evict('new-0');
  assert.equal(answer.code, 429);
  assert.equal(answer.headers['retry-after'], '10');
});

test('a dry run takes nothing out of the budget and leaves the pod', async () => {
  await makePods('dry', 1);
  await makeBudget('dry', 1);
  assert.equal((await evict('dry-0', { deleteOptions: { dryRun: ['All'] } })).code, 201);
  assert.equal((await api.call('GET', `${budgets}/dry`)).json.status.disruptionsAllowed, 1);
  assert.equal(await remaining('dry'), 1);
});

test('another pod of that name stays; the name in the body must be the one in the path', async () => {
  await makePods('same', 1);
  const other = await evict('same-0', { deleteOptions: { preconditions: { uid: 'another' } } });
  assert.deepEqual([other.code, other.json.reason], [409, 'Conflict']);
  assert.equal((await evict('same-0', { metadata: { name: 'x' } })).code, 400);
  assert.equal((await evict('nope')).code, 404);
  assert.equal((await evict('same-0', {}, 'policy/v1beta1')).code, 201, 'clients before policy/v1');
});
