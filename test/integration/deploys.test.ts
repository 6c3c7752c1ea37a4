// What people do with deploys, by the command line and kubectl, against a server process and simulated agents.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ServerProcess, startServerProcess } from '../../bench/server-process.ts';
import { type NodeSimulator, startNodeSimulator } from '../../bench/simulator/node-simulator.ts';
import type { Deployment, EndpointSlice, Pod } from '../../src/resources/kinds.ts';
import { run } from '../e2e/lab.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { eventually } from './simulated-cluster.ts';

const bin = fileURLToPath(new URL('../../bin/flotilla', import.meta.url));

/** Images named broken never start. */
function outcomeOf(pod: Pod): Pod['status'] | undefined {
  const { name, image = '' } = pod.spec.containers[0] ?? { name: '' };
  if (!image.startsWith('broken')) return undefined;
  const waiting = { reason: 'ImagePullBackOff', message: `image "${image}" not found` };
  return {
    phase: 'Pending',
    containerStatuses: [{ name, image, imageID: '', ready: false, restartCount: 0, state: { waiting } }],
  };
}

interface File {
  readonly image: string;
  readonly instances?: number;
  readonly deploy?: string;
  readonly more?: string;
}

const text = ({ image, instances = 1, deploy = '', more = '' }: File) => `name: shop
services:
  web:
    image: "${image}"
    instances: ${instances}
    expose: ["80"]
    deploy: {wait_for_port: 80${deploy === '' ? '' : `, ${deploy}`}}
${more}`;

describe('deploys', () => {
  let server: ServerProcess;
  let nodes: NodeSimulator;
  let kubectl: Kubectl;
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-deploys-'));
    server = await startServerProcess();
    const { url, caCertificate, adminToken: token } = server;
    nodes = await startNodeSimulator({ servers: [url], caCertificate, adminToken: token, count: 2, outcomeOf });
    const caFile = join(directory, 'ca.crt');
    await writeFile(caFile, caCertificate);
    const context = { servers: [url], grid: 'main', caCertificate, token };
    const contexts = { version: 1, currentContext: 'test', contexts: { test: context } };
    await writeFile(join(directory, 'config.json'), JSON.stringify(contexts), { mode: 0o600 });
    const flags = [`--server=${url}`, `--certificate-authority=${caFile}`, `--token=${token}`, '--namespace=shop'];
    kubectl = await createKubectl('35', flags);
  });
  after(async () => {
    await kubectl?.remove();
    await nodes?.stop();
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const flotilla = (...args: string[]) =>
    run([bin, ...args], { env: { FLOTILLA_CONFIG: join(directory, 'config.json'), FLOTILLA_NODE: process.execPath } });
  const ok = async (...args: string[]) => {
    const ended = await flotilla(...args);
    assert.equal(ended.code, 0, `${args.join(' ')}: ${ended.stderr}`);
    return ended.stdout;
  };
  const withFile = async (verb: string, file: File, ...args: string[]) => {
    const path = join(directory, 'flotilla.yml');
    await writeFile(path, text(file));
    return await flotilla(verb, '-f', path, ...args);
  };
  const deploy = async (file: File, ...args: string[]) => {
    const ended = await withFile('deploy', file, ...args);
    assert.equal(ended.code, 0, ended.stderr);
    return ended.stdout;
  };
  const object = async <T>(...args: string[]) => JSON.parse(await kubectl.ok(['get', '-o', 'json', ...args])) as T;
  const pods = async () =>
    (await object<{ items: Pod[] }>('pods')).items.filter((one) => !one.metadata.deletionTimestamp);
  const web = () => object<Deployment>('deployment', 'web');
  const imagesOf = async () => (await pods()).map((pod) => pod.spec.containers[0]?.image).sort();
  const ownersOf = (pod: Pod) => (pod.metadata.ownerReferences ?? []).map((one) => one.name);

  test('a diff names what would change and whom it would replace, and changes nothing', async () => {
    const made = await withFile('diff', { image: 'web:1' });
    assert.equal(made.code, 3, made.stderr);
    assert.match(
      made.stdout,
      /^shop: would be made\n\+ Service web\n[\s\S]*\+ Deployment web\n {4}starts 1 instance\n/,
    );
    assert.match(await deploy({ image: 'web:1' }), /shop created\nshop is running: web 1\/1/);
    const same = await withFile('diff', { image: 'web:1' });
    assert.deepEqual([same.code, same.stdout], [0, 'shop: nothing would change\n']);
    const [pod] = await pods();
    const other = await withFile('diff', { image: 'web:2', deploy: 'auto_rollback: true' });
    assert.equal(other.code, 3);
    assert.match(other.stdout, /~ Deployment web\n/);
    assert.match(other.stdout, / {4}image: web:1 → web:2\n/);
    assert.ok(other.stdout.includes(`replaces 1 instance: ${pod?.metadata.name}\n`), other.stdout);
    assert.match(other.stdout, /1 more at a time, none less; taken back when they fail/);
    const dry = await withFile('deploy', { image: 'web:2' }, '--dry-run');
    assert.deepEqual([dry.code, await imagesOf()], [0, ['web:1']]);
    const grown = await withFile('diff', { image: 'web:1', instances: 3 });
    assert.match(grown.stdout, /replicas: 1 → 3\n {4}replaces no instance/);
    assert.match((await withFile('deploy', { image: 'web:9' }, '--dry-run', '-o', 'yaml')).stdout, /image: web:9/);
  });

  test('what is not healthy at its deadline is taken back: the command says why and fails, the one instance stays', async () => {
    const before = (await pods()).map((pod) => pod.metadata.name);
    const bad = { image: 'broken:2', deploy: 'auto_rollback: true, deadline: 2s' };
    const ended = await withFile('deploy', bad);
    assert.equal(ended.code, 1);
    const why =
      /error: stack shop: web: revision 2 did not become healthy within its deadline: instance web-\S+ cannot get its image: image "broken:2" not found; back to revision 1\n/;
    assert.match(ended.stderr.replaceAll('ImagePullBackOff', ''), why);
    assert.match(ended.stderr, /hint: .*flotilla service deploy shop\/web/);
    await eventually(async () =>
      assert.deepEqual(
        (await pods()).map((pod) => pod.metadata.name),
        before,
      ),
    );
    assert.match(await kubectl.ok(['rollout', 'status', 'deployment/web', '--timeout=20s']), /successfully rolled out/);
    const condition = (await web()).status?.conditions?.find((one) => one.type === 'flotilla.dev/RolledBack');
    assert.equal(condition?.status, 'True');
    const events = await kubectl.ok(['get', 'events', '--field-selector=reason=RolledBack']);
    assert.match(events, /deployment\/web +revision 2 did not become healthy/);
    assert.match(await ok('service', 'ls'), /shop\/web +1\/1 +\S+ +RolledBack/);

    const again = await withFile('deploy', bad);
    assert.equal(again.code, 1, 'the same file is no reason to try again');
    assert.match((await withFile('diff', bad)).stdout, /nothing would change\n! web stays at its earlier version/);
    await ok('scale', 'shop/web=2');
    assert.deepEqual(await imagesOf(), ['web:1', 'web:1'], 'more of what is good');
    const tried = await flotilla('service', 'deploy', 'shop/web');
    assert.equal(tried.code, 1);
    assert.match(tried.stdout, /what was taken back is tried again/);
    assert.match(tried.stderr, /cannot get its image/);
    assert.deepEqual(await imagesOf(), ['web:1', 'web:1']);
  });

  test('a service that never was healthy has nothing to go back to, and the command says so at its deadline', async () => {
    const more = '  new: {image: "broken:1", deploy: {auto_rollback: true, deadline: 1s}}\n';
    const ended = await withFile('deploy', { image: 'web:1', instances: 2, more });
    assert.equal(ended.code, 1);
    const why =
      /new: not healthy within its deadline, and there is no earlier version to go back to: instance new-\S+ /;
    assert.match(ended.stderr, why);
  });

  test('a newer deploy supersedes, and the history has all of them', async () => {
    await deploy({ image: 'web:3', instances: 2 });
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:3', 'web:3']));
    assert.equal((await web()).metadata.annotations?.['flotilla.dev/rolled-back'], undefined);
    const history = await ok('stack', 'history', 'shop', '-o', 'wide');
    assert.match(history, /1 +- +deploy +Replaced +web=web:1/);
    assert.match(history, /2 +- +deploy +Never complete +web=broken:2/);
    assert.match(history, /3 +- +deploy +Never complete +web=web:1 new=broken:1/);
    assert.match(history, /4 +- +deploy +Running +web=web:3/);
  });

  test('rollback goes to the last complete version, or to the one that is named, and keeps the number of instances', async () => {
    assert.match(await ok('rollback', 'shop', '--dry-run'), /image: web:3 → web:1/);
    assert.match(await ok('rollback', 'shop'), /shop goes back to version 1\n/);
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:1', 'web:1']));
    assert.match(await ok('rollback', 'shop/web', '--to', '4'), /shop\/web goes back to version 4\n/);
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:3', 'web:3']));
    assert.match(await ok('stack', 'history', 'shop'), /5 +- +back to version 1[\s\S]*6 +- +web back to version 4/);
    const missing = await flotilla('rollback', 'shop', '--to', '99');
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /has no version "99"\nhint: there are: 1, 2, 3, 4, 5, 6/);
  });

  test('an update is paused, scaled, resumed and aborted', async () => {
    await deploy({ image: 'broken:4', instances: 2 }, '--no-wait');
    await eventually(async () => assert.deepEqual(await imagesOf(), ['broken:4', 'web:3', 'web:3']));
    assert.match(await ok('service', 'pause', 'shop/web'), /shop\/web is paused: .*flotilla service resume shop\/web/);
    const waiting = await withFile('deploy', { image: 'web:5', instances: 2 });
    assert.equal(waiting.code, 1);
    assert.match(waiting.stderr, /web: its update is paused/);
    await ok('service', 'resume', 'shop/web');
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:5', 'web:5']));
    await deploy({ image: 'broken:6', instances: 2 }, '--no-wait');
    await eventually(async () => assert.deepEqual(await imagesOf(), ['broken:6', 'web:5', 'web:5']));
    assert.match(await ok('service', 'abort', 'shop/web'), /shop\/web goes back from revision \d+ to revision \d+\n/);
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:5', 'web:5']));
    const nothing = await flotilla('service', 'abort', 'shop/web');
    assert.notEqual(nothing.code, 0);
    await deploy({ image: 'web:7', instances: 2 });
    const through = await flotilla('service', 'abort', 'shop/web');
    assert.equal(through.code, 2);
    assert.match(through.stderr, /has no update to abort/);
  });

  test('an update waits for its window and says until when; one without supersedes it', async () => {
    const hour = (ahead: number) => `${String((new Date().getUTCHours() + ahead) % 24).padStart(2, '0')}:00`;
    const window = `update: {window: "${hour(2)}-${hour(4)}"}`;
    const said = await deploy({ image: 'web:8', instances: 2, deploy: window });
    assert.match(said, /shop: web: waits for its window \d\d:00-\d\d:00 UTC, which opens at \S+Z\n/);
    assert.deepEqual(await imagesOf(), ['web:7', 'web:7']);
    assert.match(await ok('service', 'show', 'shop/web'), /status +waits for its window/);
    await deploy({ image: 'web:8', instances: 2 });
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:8', 'web:8']));
  });

  test('a restart makes new instances of the same version, and a later deploy does not undo it', async () => {
    const before = (await pods()).map((pod) => pod.metadata.name);
    await ok('restart', 'shop/web');
    let now: string[] = [];
    await eventually(async () => {
      now = (await pods()).map((pod) => pod.metadata.name);
      assert.equal(now.length, 2);
      assert.ok(now.every((name) => !before.includes(name)));
    });
    await deploy({ image: 'web:8', instances: 3 });
    const grown = (await pods()).map((pod) => pod.metadata.name);
    assert.equal(grown.length, 3);
    assert.ok(now.every((name) => grown.includes(name)));
  });

  test('kubectl rollout works on a service: undo stays until the file says something else', async () => {
    await deploy({ image: 'web:9', instances: 2 });
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:9', 'web:9']));
    await kubectl.ok(['rollout', 'undo', 'deployment/web']);
    await kubectl.ok(['rollout', 'status', 'deployment/web', '--timeout=20s']);
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:8', 'web:8']));
    await eventually(async () => assert.ok((await web()).metadata.annotations?.['flotilla.dev/applied-hash']));
    assert.match(await ok('stack', 'ls'), /shop +\S+ +\S+ +2\/2 +Running/);
    await deploy({ image: 'web:9', instances: 3 });
    await eventually(async () => assert.deepEqual(await imagesOf(), ['web:9', 'web:9', 'web:9']));
  });

  test('a Deployment that no stack made asks for it by annotation; what nobody could read is refused', async () => {
    const plain = (own: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: plain, annotations: {${own}}}
spec:
  progressDeadlineSeconds: 1
  selector: {matchLabels: {app: plain}}
  template: {metadata: {labels: {app: plain}}, spec: {containers: [{name: main, image: "web:1"}]}}
`;
    const refused = await kubectl.run(['apply', '-f', '-'], plain('flotilla.dev/update-window: at night'));
    assert.match(
      refused.stderr,
      /annotations\[flotilla.dev\/update-window\]: Invalid value: "at night": must be two times/,
    );
    await kubectl.ok(['apply', '-f', '-'], plain('flotilla.dev/auto-rollback: "true"'));
    await kubectl.ok(['rollout', 'status', 'deployment/plain', '--timeout=20s']);
    await kubectl.ok(['set', 'image', 'deployment/plain', 'main=broken:2']);
    const plainNow = () => object<Deployment>('deployment', 'plain');
    await eventually(async () => {
      const { spec, status } = await plainNow();
      assert.equal(spec.template.spec?.containers[0]?.image, 'web:1');
      assert.ok(status?.conditions?.some((one) => one.type === 'flotilla.dev/RolledBack'));
    }, 20_000);
    assert.match(await ok('service', 'show', 'default/plain'), /status +revision 2 did not become healthy/);
    await kubectl.ok(['set', 'image', 'deployment/plain', 'main=web:3']);
    await kubectl.ok(['rollout', 'status', 'deployment/plain', '--timeout=20s']);
    await eventually(async () => {
      const { metadata, status } = await plainNow();
      assert.equal(metadata.annotations?.['flotilla.dev/rolled-back'], undefined);
      assert.ok(!status?.conditions?.some((one) => one.type === 'flotilla.dev/RolledBack'));
    });
    await kubectl.ok(['delete', 'deployment', 'plain']);
    await eventually(async () => assert.ok(!(await pods()).some((pod) => pod.metadata.name.startsWith('plain'))));
  });

  test('an instance whose label is taken away goes on, out of rotation, and is replaced; given back, one of them goes', async () => {
    const [chosen] = await pods();
    assert.ok(chosen?.status?.podIP);
    const { name } = chosen.metadata;
    await kubectl.ok(['label', 'pod', name, 'flotilla.dev/service-']);
    await eventually(async () => {
      const all = await pods();
      assert.equal(all.length, 4);
      const out = all.find((pod) => pod.metadata.name === name);
      assert.equal(out?.status?.phase, 'Running');
      assert.deepEqual(out && ownersOf(out), []);
      const slices = (await object<{ items: EndpointSlice[] }>('endpointslices')).items;
      const addresses = slices.flatMap((slice) => (slice.endpoints ?? []).flatMap((one) => one.targetRef?.name ?? []));
      assert.ok(!addresses.includes(name), 'out of rotation');
      assert.equal(new Set(addresses).size, 3);
    });
    await kubectl.ok(['label', 'pod', name, 'flotilla.dev/service=web']);
    await eventually(async () => {
      const all = await pods();
      assert.equal(all.length, 3);
      const back = all.find((pod) => pod.metadata.name === name);
      assert.equal(back && ownersOf(back).length, 1, 'the oldest stays');
    });
  });
});
