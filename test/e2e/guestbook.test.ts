import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assertSameAsDocker, containersOn, isReady, podsOf, serviceOf } from './cluster.ts';
import { eventually, httpGet, startLab, type TestLab } from './lab.ts';

const file = join(import.meta.dirname, '../../examples/guestbook/flotilla.yml');
const hosts = ['h1', 'h2', 'h3'];

describe('the guestbook on three hosts', { timeout: 280_000 }, () => {
  let lab: TestLab;
  before(async () => {
    lab = await startLab({ name: 'e2eguest', octet: 210 });
  });
  after(() => lab?.down());

  const proxyUrl = async () => {
    const proxy = (await podsOf(lab, 'guestbook')).find((pod) => serviceOf(pod) === 'proxy' && isReady(pod));
    return proxy && `http://${proxy.status?.hostIP}:8080/`;
  };
  const get = () =>
    eventually('the guestbook to answer', async () => {
      const url = await proxyUrl();
      const answer = url && (await httpGet(url));
      return answer && answer.status === 200 && answer.body;
    });
  const volumesOn = async (host: string) =>
    (await lab.exec(host, ['docker', 'volume', 'ls', '-q', '--filter', 'label=flotilla.dev/managed'])).trim();
  const readyApps = async () =>
    (await podsOf(lab, 'guestbook')).filter((pod) => serviceOf(pod) === 'app' && isReady(pod));

  it('is deployed: three instances on three hosts, found by name, reached from this machine', async () => {
    const said = await lab.flotilla(['deploy', '-f', file], { timeoutMs: 120_000 });
    assert.match(said, /guestbook is running: proxy 1\/1 {2}app 3\/3 {2}redis 1\/1/);
    assert.deepEqual((await readyApps()).map((pod) => pod.spec.nodeName).sort(), hosts);
    assert.match(await get(), /Visit 1, answered by app-/);
    await assertSameAsDocker(lab, hosts);
  });

  it('answers through every instance', async () => {
    const answered = new Set<string>();
    await eventually('each of three instances to answer', async () => {
      answered.add(/answered by (\S+)</.exec(await get())?.[1] ?? '');
      return answered.size === 3;
    });
    assert.deepEqual([...answered].sort(), (await readyApps()).map((pod) => pod.metadata.name).sort());
  });

  it('an unchanged file changes nothing', async () => {
    const before = (await podsOf(lab, 'guestbook')).map((pod) => pod.metadata.uid).sort();
    assert.match(await lab.flotilla(['deploy', '-f', file]), /^guestbook unchanged$/m);
    assert.deepEqual((await podsOf(lab, 'guestbook')).map((pod) => pod.metadata.uid).sort(), before);
  });

  it('scales up and down', async () => {
    await lab.flotilla(['scale', 'guestbook/app=5']);
    assert.equal((await readyApps()).length, 5);
    await lab.flotilla(['scale', 'app=2']);
    await eventually(
      'two instances',
      async () => (await podsOf(lab, 'guestbook')).filter((pod) => serviceOf(pod) === 'app').length === 2,
    );
    await assertSameAsDocker(lab, hosts);
  });

  it('an edited file rolls over, and the instances are what the file says again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-guestbook-'));
    try {
      const text = (await readFile(file, 'utf8'))
        .replaceAll('file: ', `file: ${join(import.meta.dirname, '../../examples/guestbook')}/`)
        .replace('REDIS_HOST: redis', 'REDIS_HOST: redis\n      EDITED: "yes"');
      await writeFile(join(directory, 'flotilla.yml'), text);
      const before = new Set((await readyApps()).map((pod) => pod.metadata.uid));
      assert.match(
        await lab.flotilla(['deploy', '-f', join(directory, 'flotilla.yml')], { timeoutMs: 90_000 }),
        /^guestbook changed$/m,
      );
      const now = await readyApps();
      assert.equal(now.length, 3);
      assert.ok(now.every((pod) => !before.has(pod.metadata.uid)));
      assert.equal((await lab.flotilla(['exec', 'guestbook/app', '--', 'sh', '-c', 'echo $EDITED'])).trim(), 'yes');
      assert.match(await get(), /Visit \d+/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('a container killed behind its back is started again, at the same address', async () => {
    const [victim] = await readyApps();
    assert.ok(victim?.spec.nodeName);
    const id = victim.status?.containerStatuses?.[0]?.containerID?.replace('docker://', '') ?? '';
    await lab.exec(victim.spec.nodeName, ['docker', 'kill', id]);
    const again = await eventually('a restart', async () =>
      (await readyApps()).find(
        (pod) => pod.metadata.uid === victim.metadata.uid && pod.status?.containerStatuses?.[0]?.restartCount === 1,
      ),
    );
    assert.equal(again.status?.podIP, victim.status?.podIP);
    await assertSameAsDocker(lab, hosts);
  });

  it('instances of a host without power run elsewhere; when it returns nothing runs twice', async () => {
    const [victim] = await readyApps();
    const redis = (await podsOf(lab, 'guestbook')).find((pod) => serviceOf(pod) === 'redis');
    // redis stays with its volume: take another host.
    const host = hosts.find((one) => one !== redis?.spec.nodeName) ?? victim?.spec.nodeName ?? 'h2';
    await lab.change('off', host);
    await eventually(
      'everything ready on the other hosts',
      async () => {
        const elsewhere = (await podsOf(lab, 'guestbook')).filter((pod) => pod.spec.nodeName !== host && isReady(pod));
        return (
          elsewhere.filter((pod) => serviceOf(pod) === 'app').length === 3 &&
          elsewhere.some((pod) => serviceOf(pod) === 'proxy')
        );
      },
      45_000,
    );
    assert.match(await lab.flotilla(['node', 'ls']), new RegExp(`^${host} +Lost`, 'm'));
    assert.match(await get(), /Visit \d+/);
    await lab.change('on', host);
    await eventually(
      'one instance each and no more',
      async () => {
        const all = await podsOf(lab, 'guestbook');
        return all.length === 5 && all.every(isReady);
      },
      45_000,
    );
    await assertSameAsDocker(lab, hosts);
    assert.deepEqual(await containersOn(lab, host, true), await containersOn(lab, host));
  });

  it('drains and takes back a host', async () => {
    const redis = (await podsOf(lab, 'guestbook')).find((pod) => serviceOf(pod) === 'redis');
    const host = hosts.find((one) => one !== redis?.spec.nodeName) ?? 'h2';
    assert.match(await lab.flotilla(['node', 'drain', host], { timeoutMs: 90_000 }), new RegExp(`${host} is drained`));
    assert.deepEqual(await containersOn(lab, host), []);
    assert.match(await lab.flotilla(['node', 'ls']), new RegExp(`^${host} +Ready,drained`, 'm'));
    await lab.flotilla(['node', 'undrain', host]);
    assert.match(await lab.flotilla(['node', 'ls']), new RegExp(`^${host} +Ready `, 'm'));
  });

  it('is removed; its volume stays until told otherwise', async () => {
    assert.match(
      await lab.flotilla(['rm', 'guestbook'], { timeoutMs: 90_000 }),
      /guestbook removed\nvolume guestbook-data kept/,
    );
    for (const host of hosts) assert.deepEqual(await containersOn(lab, host, true), []);
    const withVolume = async () => {
      const found = await Promise.all(hosts.map(async (host) => ((await volumesOn(host)) === '' ? [] : [host])));
      return found.flat();
    };
    const [host = ''] = await withVolume();
    assert.deepEqual(await withVolume(), [host]);
    // Asked for while nobody on the host can do it: nothing is forgotten.
    await lab.exec(host, ['sh', '-c', 'touch /run/lab/agent.stop; kill -9 $(cat /run/lab/agent.pid)']);
    await lab.flotilla(['volume', 'rm', 'guestbook-data']);
    assert.match(await lab.flotilla(['volume', 'ls']), /guestbook-data/);
    await lab.exec(host, ['rm', '/run/lab/agent.stop']);
    await eventually("the host's volume to go", async () => {
      return (await withVolume()).length === 0;
    });
  });
});
