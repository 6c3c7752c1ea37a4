// Who may do what, with real kubectl of three releases against a whole server: roles, service accounts and their tokens,
// questions about rights, impersonation, budgets and drains.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../src/lib/log.ts';
import type { Pod, PodDisruptionBudget, Secret } from '../../src/resources/kinds.ts';
import { type RunningServer, startServer } from '../../src/server/main.ts';
import { allKubectlVersions, createKubectl, type Kubectl, type KubectlVersion } from './kubectl.ts';
import { until } from './until.ts';

let directory = '';
let server: RunningServer;
let caFile = '';

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flotilla-auth-'));
  caFile = join(directory, 'ca.crt');
  server = await startServer({
    dataDirectory: join(directory, 'server'),
    listen: '127.0.0.1:0',
    // Nodes here are but objects: nobody answers for them.
    failoverAfterMs: 3_600_000,
    log: silentLogger,
  });
  await writeFile(caFile, server.caCertificate);
});
after(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

function kubectlAs(version: KubectlVersion, token: string): Promise<Kubectl> {
  return createKubectl(version, [`--server=${server.url}`, `--certificate-authority=${caFile}`, `--token=${token}`]);
}

const eventually = (what: string, isSo: () => Promise<boolean> | boolean) => until(what, isSo, 15_000);

// Most of their time is waiting: each has a namespace, a node and names of its own.
describe('kubectl', { concurrency: true }, () => {
  for (const version of allKubectlVersions) describe(`1.${version}`, { concurrency: 1 }, () => suite(version));
});

function suite(version: KubectlVersion): void {
  const shop = `shop-${version}`;
  let kubectl: Kubectl;
  const object = async <T>(...args: string[]) =>
    JSON.parse(await kubectl.ok(['get', '-n', shop, '-o', 'json', ...args])) as T;
  const mayI = async (...args: string[]) => (await kubectl.run(['auth', 'can-i', '-n', shop, ...args])).stdout.trim();

  before(async () => {
    kubectl = await kubectlAs(version, server.adminToken);
    await kubectl.ok(['create', 'namespace', shop]);
  });
  after(() => kubectl.remove());

  test('each namespace has its account and the certificate of the authority', async () => {
    await eventually('account default', async () => {
      const { stdout } = await kubectl.run(['get', '-n', shop, 'sa,cm', '-o', 'name']);
      return stdout.includes('serviceaccount/default') && stdout.includes('configmap/kube-root-ca.crt');
    });
    const { data } = await object<{ data: Record<string, string> }>('configmap', 'kube-root-ca.crt');
    assert.equal(data['ca.crt'], server.caCertificate);
  });

  test('generators: service account, roles, bindings, budget', async () => {
    const create = (...args: string[]) => kubectl.ok(['create', '-n', shop, ...args]);
    await create('serviceaccount', 'bot');
    await create('role', 'reader', '--verb=get,list,watch', '--resource=pods,pods/log', '--resource=deployments.apps');
    await create('role', 'one', '--verb=get', '--resource=secrets', '--resource-name=allowed');
    await create('rolebinding', 'bot-reads', '--role=reader', `--serviceaccount=${shop}:bot`);
    await create('rolebinding', 'bot-one', '--role=one', `--serviceaccount=${shop}:bot`);
    await create('clusterrole', `metrics-${version}`, '--verb=get', '--non-resource-url=/metrics');
    await create('clusterrolebinding', `metrics-${version}`, `--clusterrole=metrics-${version}`, '--user=ann');
    await create('poddisruptionbudget', 'web', '--selector=app=web', '--min-available=2');
    await create('rolebinding', 'ann-edits', '--clusterrole=edit', '--user=ann');
    const role = await object<{ rules: object[] }>('role', 'reader');
    assert.deepEqual(role.rules, [
      { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods', 'pods/log'] },
      { verbs: ['get', 'list', 'watch'], apiGroups: ['apps'], resources: ['deployments'] },
    ]);
    const table = await kubectl.ok(['get', '-n', shop, 'rolebinding', 'bot-reads', '-o', 'wide']);
    assert.match(table, /^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\n/);
    assert.match(table, new RegExp(`\\nbot-reads +Role/reader +\\S+ +${shop}/bot`));
    assert.match(
      await kubectl.ok(['describe', '-n', shop, 'role', 'reader']),
      /deployments\.apps +\[\] +\[\] +\[get list watch\]/,
    );
  });

  test('questions: can-i of oneself and of others, and all of it', async () => {
    const bot = `--as=system:serviceaccount:${shop}:bot`;
    assert.equal(await mayI('create', 'deployments'), 'yes');
    assert.equal(await mayI('list', 'pods', bot), 'yes');
    assert.equal(await mayI('get', 'pods', '--subresource=log', bot), 'yes');
    assert.equal(await mayI('delete', 'pods', bot), 'no');
    assert.equal(await mayI('get', 'secrets', bot), 'no');
    assert.equal(await mayI('get', 'secrets/allowed', bot), 'yes');
    assert.equal(await mayI('get', '/metrics', '--as=ann'), 'yes');
    assert.equal(await mayI('create', 'deployments.apps', '--as=ann'), 'yes');
    assert.equal(await mayI('create', 'roles.rbac.authorization.k8s.io', '--as=ann'), 'no');
    assert.equal(await mayI('create', 'pods', '--as=bob', '--as-group=system:masters'), 'yes');
    const list = await kubectl.ok(['auth', 'can-i', '--list', '-n', shop, bot]);
    assert.match(list, /pods\/log +\[\] +\[\] +\[get list watch\]/);
    assert.match(list, /secrets +\[\] +\[allowed\] +\[get\]/);
    assert.match(list, /\[\/apis\/\*\] +\[\] +\[get\]/);
  });

  test('who am I: the owner, an account by its token, and whom I am taken for', async () => {
    const token = (await kubectl.ok(['create', 'token', 'bot', '-n', shop, '--duration=10m'])).trim();
    const bot = await kubectlAs(version, token);
    const whoami = await bot.ok(['auth', 'whoami', '-o', 'json']);
    const { userInfo } = (JSON.parse(whoami) as { status: { userInfo: Record<string, unknown> } }).status;
    const account = await object<{ metadata: { uid: string } }>('sa', 'bot');
    assert.equal(userInfo.username, `system:serviceaccount:${shop}:bot`);
    assert.equal(userInfo.uid, account.metadata.uid);
    assert.deepEqual(userInfo.groups, [
      'system:serviceaccounts',
      `system:serviceaccounts:${shop}`,
      'system:authenticated',
    ]);
    assert.match(await kubectl.ok(['auth', 'whoami']), /Username +flotilla:admin/);
    assert.match(
      await kubectl.ok(['auth', 'whoami', '--as=ann', '--as-group=team']),
      /Username +ann\n.*\[team system:auth/s,
    );
    await bot.remove();
  });

  test('an account reads what its role says, and is refused everything else in the words of Kubernetes', async () => {
    const token = (await kubectl.ok(['create', 'token', 'bot', '-n', shop])).trim();
    const bot = await kubectlAs(version, token);
    const refused = async (...args: string[]) => {
      const { code, stderr } = await bot.run(args);
      assert.equal(code, 1);
      return stderr.trim();
    };
    assert.match((await bot.run(['get', 'pods', '-n', shop])).stderr, /No resources found/);
    const who = `User "system:serviceaccount:${shop}:bot" cannot`;
    assert.equal(
      await refused('get', 'secrets', '-n', shop),
      `Error from server (Forbidden): secrets is forbidden: ${who} list resource "secrets" in API group "" in the namespace "${shop}"`,
    );
    assert.equal(
      await refused('get', 'nodes'),
      `Error from server (Forbidden): nodes is forbidden: ${who} list resource "nodes" in API group "" at the cluster scope`,
    );
    assert.match(await refused('get', 'pods', '-n', 'default'), /in the namespace "default"$/);
    assert.match(await refused('get', '--raw', '/metrics'), /forbidden: User .* cannot get path "\/metrics"/);
    assert.match(
      await refused('get', 'pods', '-n', shop, '--as=ann'),
      /cannot impersonate resource "users" in API group ""/,
    );
    assert.match(await refused('get', '--raw', '/grids/system/api/v1/namespaces'), /belongs to grid "main"/);
    await kubectl.ok(['delete', 'sa', 'bot', '-n', shop]);
    assert.match(await refused('get', 'pods', '-n', shop), /Unauthorized|must be logged in/);
    await kubectl.ok(['create', 'sa', 'bot', '-n', shop]);
    assert.match(
      await refused('get', 'pods', '-n', shop),
      /Unauthorized|must be logged in/,
      'another account of that name',
    );
    await bot.remove();
  });

  test('reviews: what others may do, and whose token it is', async () => {
    const review = async (topic: string, kind: string, spec: object, metadata: object = {}) => {
      const body = { apiVersion: `${topic}.k8s.io/v1`, kind, metadata, spec };
      const answer = await kubectl.ok(['create', '-o', 'json', '-f', '-'], JSON.stringify(body));
      return (JSON.parse(answer) as { status: Record<string, unknown> }).status;
    };
    const resourceAttributes = { namespace: shop, verb: 'list', resource: 'pods' };
    const user = `system:serviceaccount:${shop}:bot`;
    const asked = await review('authorization', 'SubjectAccessReview', { user, resourceAttributes });
    assert.deepEqual(asked, { allowed: true });
    const local = { user: 'nobody', resourceAttributes };
    assert.deepEqual(await review('authorization', 'LocalSubjectAccessReview', local, { namespace: shop }), {
      allowed: false,
    });
    const token = (await kubectl.ok(['create', 'token', 'bot', '-n', shop, '--audience=vault'])).trim();
    const here = await review('authentication', 'TokenReview', { token });
    assert.equal(here.authenticated, false);
    assert.match(String(here.error), /is for vault, not for https:/);
    const there = await review('authentication', 'TokenReview', { token, audiences: ['vault', 'bank'] });
    assert.deepEqual([there.authenticated, there.audiences], [true, ['vault']]);
    assert.equal((there.user as { username: string }).username, user);
    const owner = await review('authentication', 'TokenReview', { token: server.adminToken });
    assert.equal((owner.user as { username: string }).username, 'flotilla:admin');
  });

  test('nobody gives away what he does not hold', async () => {
    const as = '--as=ann';
    await kubectl.ok(['create', 'rolebinding', 'ann-rules', '-n', shop, '--clusterrole=admin', '--user=ann']);
    await kubectl.ok(['create', 'role', 'fine', '-n', shop, '--verb=get', '--resource=pods', as]);
    const role = [
      'create',
      'role',
      'strong',
      '-n',
      shop,
      '--verb=*',
      '--resource=leases.coordination.k8s.io',
      '--resource=nodes',
    ];
    const { stderr } = await kubectl.run([...role, as]);
    assert.match(
      stderr,
      /roles\.rbac\.authorization\.k8s\.io "strong" is forbidden: user "ann" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["nodes"\], Verbs:\["\*"\]\}/,
    );
    const binding = await kubectl.run([
      'create',
      'rolebinding',
      'x',
      '-n',
      shop,
      '--clusterrole=cluster-admin',
      '--user=ann',
      as,
    ]);
    assert.match(binding.stderr, /rolebindings.*"x" is forbidden: user "ann"/);
    await kubectl.ok(['delete', 'rolebinding', 'ann-rules', '-n', shop]);
  });

  test('roles add up: a label makes a role a part of view', async () => {
    const name = `see-nodes-${version}`;
    const mayIGet = () => mayI('get', `nodes/only-${version}`, '--as=bob');
    await kubectl.ok([
      'create',
      'clusterrole',
      name,
      '--verb=get',
      '--resource=nodes',
      `--resource-name=only-${version}`,
    ]);
    await kubectl.ok(['create', 'rolebinding', 'bob-sees', '-n', shop, '--clusterrole=view', '--user=bob']);
    assert.equal(await mayI('list', 'pods', '--as=bob'), 'yes');
    await kubectl.ok(['label', 'clusterrole', name, 'rbac.authorization.k8s.io/aggregate-to-view=true']);
    await eventually('it is a part of view', async () => (await mayIGet()).endsWith('yes'));
    await kubectl.ok(['delete', 'clusterrole', name]);
    await eventually('it is none any more', async () => (await mayIGet()).endsWith('no'));
  });

  test('a Secret of the old kind is filled, and its token ends with it', async () => {
    const manifest = `apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: old, annotations: {kubernetes.io/service-account.name: bot}}
`;
    await kubectl.ok(['apply', '-n', shop, '-f', '-'], manifest);
    await eventually('a token', async () => (await object<Secret>('secret', 'old')).data?.token !== undefined);
    assert.match(await kubectl.ok(['apply', '-n', shop, '-f', '-'], manifest), /secret\/old unchanged/);
    const { data = {} } = await object<Secret>('secret', 'old');
    const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString();
    assert.deepEqual([text('namespace'), text('ca.crt')], [shop, server.caCertificate]);
    const bot = await kubectlAs(version, text('token'));
    await bot.ok(['get', 'pods', '-n', shop]);
    await kubectl.ok(['delete', 'secret', 'old', '-n', shop]);
    assert.equal((await bot.run(['get', 'pods', '-n', shop])).code, 1);
    await bot.remove();
  });

  test('drain waits for the budget, and goes on when it allows', async () => {
    const node = `h-${version}`;
    await kubectl.ok(['create', '-f', '-'], `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "${node}"}}`);
    for (const name of ['web-1', 'web-2']) {
      const pod = `apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: web}}
spec: {nodeName: ${node}, containers: [{name: web, image: web}]}
`;
      await kubectl.ok(['create', '-n', shop, '-f', '-'], pod);
      const status = '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}';
      await kubectl.ok(['patch', 'pod', name, '-n', shop, '--subresource=status', '--type=merge', '-p', status]);
    }
    const budget = async () => (await object<PodDisruptionBudget>('pdb', 'web')).status;
    await eventually('the budget counts them', async () => (await budget())?.currentHealthy === 2);
    assert.deepEqual((await budget())?.disruptionsAllowed, 0);
    assert.match(
      await kubectl.ok(['get', 'pdb', '-n', shop]),
      /^NAME +MIN AVAILABLE +MAX UNAVAILABLE +ALLOWED DISRUPTIONS +AGE\nweb +2 +N\/A +0 /,
    );
    const drain = ['drain', node, '--force', '--grace-period=0', '--ignore-daemonsets'];
    const blocked = await kubectl.run([...drain, '--timeout=3s']);
    assert.equal(blocked.code, 1);
    assert.match(blocked.stderr, /Cannot evict pod as it would violate the pod's disruption budget/);
    assert.equal((await object<{ items: Pod[] }>('pods')).items.length, 2);
    await kubectl.ok(['patch', 'pdb', 'web', '-n', shop, '--type=merge', '-p', '{"spec":{"minAvailable":1}}']);
    const one = await kubectl.run([...drain, '--timeout=3s']);
    assert.equal(one.code, 1, 'one may go, the other must stay');
    assert.equal((await object<{ items: Pod[] }>('pods')).items.length, 1);
    await kubectl.ok(['patch', 'pdb', 'web', '-n', shop, '--type=merge', '-p', '{"spec":{"minAvailable":0}}']);
    assert.match(await kubectl.ok([...drain, '--timeout=15s']), new RegExp(`node/${node} drained`));
    assert.equal((await object<{ items: Pod[] }>('pods')).items.length, 0);
    await kubectl.ok(['uncordon', node]);
    await kubectl.ok(['delete', 'node', node]);
  });
}
