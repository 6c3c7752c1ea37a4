// One host, one server: pods of several containers as users and kubectl see them, and an agent that is killed while they begin
// and end.
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container } from 'kubernetes-types/core/v1.js';
import { pauseName } from '../../src/agent/pod/pause.ts';
import { hostLabels } from '../../src/resources/names.ts';
import type { Kubectl } from '../integration/kubectl.ts';
import { kubectlOf } from './cluster.ts';
import { type FaultHost, startFaultHost } from './fault-host.ts';
import { observeHost } from './host-state.ts';
import { assertOneToOne } from './invariants.ts';
import { eventually } from './lab.ts';
import { startOwnAgent } from './own-agent.ts';

const sleep = 'trap "exit 0" TERM; sleep 36000 & wait';
const busybox = (name: string, script: string, more: Partial<Container> = {}): Container => ({
  ...{ name, image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script] },
  volumeMounts: [{ name: 'tmp', mountPath: '/scratch' }],
  ...more,
});
/** `main` and a helper that it reaches over localhost; two init containers with a sidecar between them. */
const beside = {
  initContainers: [
    busybox('first', 'echo first >> /scratch/notes'),
    busybox('side', `echo side >> /scratch/notes; ${sleep}`, { restartPolicy: 'Always' }),
    busybox('second', 'echo second >> /scratch/notes; echo second was here'),
  ],
  containers: [busybox('helper', 'mkdir /www; echo hello > /www/index.html; httpd -f -p 8080 -h /www')],
};

describe('pods of several containers', { timeout: 120_000 }, () => {
  let one: FaultHost;
  let kubectl: Kubectl;
  before(async () => {
    one = await startFaultHost('acontain', 108);
    kubectl = await kubectlOf(one.lab, '35');
  });
  after(async () => {
    await kubectl?.remove();
    await one?.end();
  });
  const idOf = async (container: string) => {
    const { containers } = await observeHost(one.lab, 'h1');
    const found = containers.find(
      (each) => each.labels[hostLabels.container] === container && each.state === 'running',
    );
    if (!found) throw new Error(`no ${container} runs`);
    return found.id;
  };

  it('share one address, begin in order, and are told apart by kubectl', async () => {
    await one.create('web', {}, beside);
    await one.ready('web');
    await assertOneToOne(one.lab, ['h1']);
    const ok = (...args: string[]) => kubectl.ok(args);
    assert.match(await ok('get', 'pod', 'web', '--no-headers'), /^web +3\/3 +Running +0 /);
    assert.equal(await ok('exec', 'web', '-c', 'main', '--', 'cat', '/scratch/notes'), 'first\nside\nsecond\n');
    assert.equal(await ok('exec', 'web', '--', 'wget', '-qO-', 'http://127.0.0.1:8080/'), 'hello\n');
    assert.equal(await ok('logs', 'web', '-c', 'second'), 'second was here\n');
    assert.match(await ok('logs', 'web', '--all-containers', '--prefix'), /^\[pod\/web\/second\] second was here$/m);
    const copy = `/tmp/${one.lab.name}-${process.pid}`;
    await ok('cp', '-c', 'helper', 'web:/www/index.html', copy);
    assert.equal(await readFile(copy, 'utf8'), 'hello\n');
    await rm(copy);
    const unknown = await kubectl.run(['logs', 'web', '-c', 'nope']);
    assert.match(unknown.stderr, /container nope is not valid for pod web/);
    const { podIP } = (await one.get('web')).status ?? {};
    const seen = await ok('exec', 'web', '-c', 'helper', '--', 'ip', '-o', '-4', 'addr');
    assert.ok(seen.includes(` ${podIP}/`), seen);
  });

  it('are whole again after their pause container or their agent is killed, and leave nothing', async () => {
    await one.docker('kill', await idOf(pauseName));
    await one.agent.kill();
    one.agent = await startOwnAgent(one.host);
    await eventually('all of it again', async () => {
      const { containerStatuses = [] } = (await one.readyNow('web'))?.status ?? {};
      return containerStatuses.length === 2 && containerStatuses.every(({ restartCount }) => restartCount === 1);
    });
    await assertOneToOne(one.lab, ['h1']);
    assert.match(await kubectl.ok(['exec', 'web', '-c', 'main', '--', 'cat', '/scratch/notes']), /second\nfirst\n/);
    await one.docker('kill', await idOf('helper'));
    await eventually('only the helper anew', async () => {
      const { containerStatuses = [] } = (await one.readyNow('web'))?.status ?? {};
      return containerStatuses.map(({ restartCount }) => restartCount).join() === '1,2';
    });
    await one.clean();
  });

  it('say what keeps them from it', async () => {
    await one.create('stuck', {}, { initContainers: [busybox('fails', 'exit 7')] });
    await eventually('the reason', async () =>
      /^stuck +0\/1 +Init:(Error|CrashLoopBackOff) +[1-9]/.test(
        await kubectl.ok(['get', 'pod', 'stuck', '--no-headers']),
      ),
    );
    const { conditions = [], containerStatuses } = (await one.get('stuck')).status ?? {};
    assert.equal(
      conditions.find(({ type }) => type === 'Initialized')?.message,
      'containers with incomplete status: [fails]',
    );
    assert.equal(containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing');
    await one.clean();
  });

  it('begin and end though their agent is killed after each change', async () => {
    const left = new Map([
      ['create', 3],
      ['start', 3],
      ['stop', 2],
      ['remove', 2],
    ]);
    const arm = () => [...left].flatMap(([step, times]) => (times > 0 ? [`${step}:after:kill`] : [])).join(',');
    const restart = async () => {
      const points = arm();
      await one.restartAgent(points === '' ? {} : { env: { FLOTILLA_FAILPOINT: points } });
    };
    const until = async (what: string, isSo: () => Promise<boolean>) => {
      const endMs = performance.now() + 60_000;
      while (!(await isSo().catch(() => false))) {
        if (performance.now() > endMs)
          throw new Error(`not within 60 s: ${what}\n${(await one.agent.log()).slice(-3000)}`);
        if (one.agent.hasEnded()) {
          const step = /^fail point (\w+):after/m.exec(await one.agent.log())?.[1] ?? '';
          assert.ok(left.has(step), `the agent ended by itself: ${await one.agent.log()}`);
          left.set(step, (left.get(step) ?? 0) - 1);
          await restart();
        }
        await delay(20);
      }
    };
    await restart();
    await one.create('killed', {}, beside);
    await until('ready', async () => (await one.readyNow('killed')) !== undefined);
    assert.deepEqual([left.get('create'), left.get('start')], [0, 0]);
    await assertOneToOne(one.lab, ['h1']);
    assert.equal(
      await kubectl.ok(['exec', 'killed', '-c', 'main', '--', 'cat', '/scratch/notes']),
      'first\nside\nsecond\n',
      'none of them twice',
    );
    await one.remove('killed');
    await until('gone', () => one.isGone('killed'));
    assert.deepEqual([left.get('stop'), left.get('remove')], [0, 0]);
    await assertOneToOne(one.lab, ['h1']);
  });
});
