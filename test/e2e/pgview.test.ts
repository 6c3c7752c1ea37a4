// examples/pgview: an app with its own memcached on localhost, Postgres behind a service address that stays when it moves.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Kubectl } from '../integration/kubectl.ts';
import { kubectlOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const example = (file: string) => fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));

describe('pgview', { timeout: 200_000 }, () => {
  let lab: TestLab;
  let kubectl: Kubectl;
  before(async () => {
    lab = await startLab({ name: 'e2epgview', octet: 114 });
    kubectl = await kubectlOf(lab, '35');
    await kubectl.ok(['apply', '-f', example('pgview/postgres.yaml')]);
    const files = ['pgview/server.mjs', 'compose/web/pg.mjs'].map((file) => `--from-file=${example(file)}`);
    await kubectl.ok(['create', 'configmap', 'pgview', ...files]);
    // Slow enough to be seen, and not ten seconds.
    const manifest = await readFile(example('pgview/pgview.yaml'), 'utf8');
    const quick = manifest.replace(/^( +)env:\n/m, "$1env:\n$1  - { name: SLOW_SECONDS, value: '2' }\n");
    assert.notEqual(quick, manifest);
    await kubectl.ok(['apply', '-f', '-'], quick);
    const waiting = ['wait', '--for=condition=Available', 'deployment/postgres', 'deployment/pgview', '--timeout=90s'];
    await kubectl.ok(waiting);
  });
  after(() => lab?.down());

  const ask = (host: number, path = '/') =>
    lab.exec(`h${host}`, ['curl', '-s', '-m', '10', `http://${lab.prefix}.${host}:30080${path}`]);
  /** Each pod has a cache of its own: asked until both have. */
  const visits = async () => Number(/^visits (\d+)/.exec(await ask(1))?.[1]);

  it('runs two containers a pod; the second answer comes from the cache beside the app', async () => {
    const pods = await kubectl.ok(['get', 'pods', '-l', 'app=pgview', '--no-headers']);
    assert.match(pods, /^(pgview-\S+ +2\/2 +Running +0 .*\n){2}$/);
    assert.match(await ask(1), /^visits 1, from postgres in 2\.\d s\n$/);
    let answers: string[] = [];
    await eventually('answers from the cache of both pods', async () => {
      answers = await Promise.all(Array.from({ length: 8 }, (_, at) => ask((at % 3) + 1)));
      return answers.every((one) => /from memcached in 0\.[01] s/.test(one));
    });
    const remembered = new Set(answers.map((one) => /^visits (\d+)/.exec(one)?.[1]));
    assert.ok(remembered.size <= 2, `what each pod remembers: ${answers.join('')}`);
  });

  it('finds Postgres by variables, and on the same address after it has moved, files and all', async () => {
    const [pod] = (await kubectl.ok(['get', 'pods', '-l', 'app=pgview', '-o', 'name'])).split('\n');
    const variables = await kubectl.ok(['exec', pod ?? '', '-c', 'app', '--', 'env']);
    const clusterIP = await kubectl.ok(['get', 'service', 'postgres', '-o', 'jsonpath={.spec.clusterIP}']);
    assert.match(variables, new RegExp(`^POSTGRES_SERVICE_HOST=${clusterIP.replaceAll('.', '\\.')}$`, 'm'));

    const placeOf = () => kubectl.ok(['get', 'pods', '-l', 'app=postgres', '-o', 'jsonpath={.items[0].spec.nodeName}']);
    const from = await placeOf();
    const to = ['h1', 'h2', 'h3'].find((host) => host !== from) ?? '';
    await kubectl.ok(['scale', 'deployment/postgres', '--replicas=0']);
    await kubectl.ok(['wait', '--for=delete', 'pod', '-l', 'app=postgres', '--timeout=40s']);
    const volume = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Volume', metadata: { name: 'pgdata-2' } };
    await kubectl.ok(['apply', '-f', '-'], JSON.stringify({ ...volume, spec: { nodeName: to } }));
    await kubectl.ok([
      'wait',
      '--for=jsonpath={.status.phase}=Bound',
      'volumes.flotilla.dev/pgdata-2',
      '--timeout=20s',
    ]);
    const directory = async (host: string, name: string) =>
      (
        await lab.exec(host, ['docker', 'volume', 'inspect', '-f', '{{.Mountpoint}}', `fl-main-default-${name}`])
      ).trim();
    const [source, target] = [await directory(from, 'pgdata'), await directory(to, 'pgdata-2')];
    const files = await lab.exec(from, ['sh', '-c', `tar -C ${source} -c . | base64 -w 0`], { timeoutMs: 60_000 });
    await lab.exec(to, ['sh', '-c', `base64 -d | tar -C ${target} -x`], { stdin: files, timeoutMs: 60_000 });

    const claim = '/spec/template/spec/volumes/0/persistentVolumeClaim/claimName';
    const patch = JSON.stringify([{ op: 'replace', path: claim, value: 'pgdata-2' }]);
    await kubectl.ok(['patch', 'deployment/postgres', '--type=json', '-p', patch]);
    await kubectl.ok(['scale', 'deployment/postgres', '--replicas=1']);
    await kubectl.ok(['rollout', 'status', 'deployment/postgres', '--timeout=60s']);
    assert.equal(await placeOf(), to);

    const before = await visits();
    // New pods have empty caches: they ask Postgres, which still has every visit.
    await kubectl.ok(['rollout', 'restart', 'deployment/pgview']);
    await kubectl.ok(['rollout', 'status', 'deployment/pgview', '--timeout=60s']);
    await eventually('the new pods to have counted on', async () => (await visits()) > before);
  });
});
