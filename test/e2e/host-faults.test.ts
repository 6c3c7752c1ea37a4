// One host, one server. What goes wrong on a host without any step of Flotilla's: hands behind its back, lost events, an engine
// that hangs, full disks, a clock that jumps, a reboot without a server.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { hostLabels } from '../../src/resources/names.ts';
import { containerIdOf, type FaultHost, startFaultHost } from './fault-host.ts';
import { observeHost, shellOn } from './host-state.ts';
import { assertOneToOne } from './invariants.ts';
import { eventually } from './lab.ts';
import { holdUnit, releaseUnit } from './own-agent.ts';

/** Of Debian's package `faketime`: the agent's wall clock alone, moved while it runs. */
const fakeTime = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0] ?? '';

describe('a host under faults', { timeout: 300_000 }, () => {
  let one: FaultHost;
  before(async () => {
    one = await startFaultHost('hfault', 228);
  });
  after(() => one?.end());
  afterEach(() => one.clean());

  const restartsOf = async (name: string) => (await one.get(name)).status?.containerStatuses?.[0]?.restartCount;
  const waitingOf = async (name: string) => (await one.get(name)).status?.containerStatuses?.[0]?.state?.waiting;

  for (const areSeen of [true, false]) {
    it(`what is done to containers behind its back is put right${areSeen ? '' : ', the events of it lost'}`, async () => {
      const restarts = { removed: 1, renamed: 0, stopped: 1, killed: 1, paused: 0 };
      const names = Object.keys(restarts);
      await Promise.all(names.map((name) => one.create(name)));
      const ids = new Map(
        await Promise.all(names.map(async (name) => [name, containerIdOf(await one.ready(name))] as const)),
      );
      const id = (name: string) => ids.get(name) ?? '';
      if (!areSeen) await one.agent.signal('SIGSTOP');
      await Promise.all([
        one.docker('rm', '-f', id('removed')),
        one.docker('rename', id('renamed'), 'something-else'),
        one.docker('stop', '-t', '0', id('stopped')),
        one.docker('kill', id('killed')),
        one.docker('pause', id('paused')),
      ]);
      if (!areSeen) {
        await holdUnit(one.host, 'dockerd');
        await one.agent.signal('SIGCONT');
        await releaseUnit(one.host, 'dockerd');
        await eventually('dockerd', one.isEngineUp, 20_000);
      }
      for (const [name, count] of Object.entries(restarts)) {
        await eventually(`${name} with ${count} restarts`, async () => (await restartsOf(name)) === count);
        await one.ready(name);
      }
      await assertOneToOne(one.lab, ['h1']);
    });
  }

  it('an engine that hangs for 16 s: what was asked for meanwhile is done afterwards, once', async () => {
    await one.create('before');
    await one.ready('before');
    await shellOn(one.host, 'kill -STOP $(cat /run/lab/dockerd.pid)');
    await one.create('during');
    await one.remove('before');
    await one.create('unwanted');
    await one.remove('unwanted');
    await delay(16_000); // beyond the ping of the event stream
    await shellOn(one.host, 'kill -CONT $(cat /run/lab/dockerd.pid)');
    await one.ready('during', 45_000);
    await one.gone('before', 45_000);
    await one.gone('unwanted', 45_000);
    await assertOneToOne(one.lab, ['h1']);
  });

  it('an engine without live-restore that restarts: each pod comes back with its address', async () => {
    const config = `${one.host.directory}/daemon.json`;
    const restartWith = async (liveRestore: boolean) => {
      await shellOn(one.host, `sed -i 's/"live-restore": [a-z]*/"live-restore": ${liveRestore}/' ${config}`);
      await shellOn(one.host, 'touch /run/lab/dockerd.stop; kill -TERM $(cat /run/lab/dockerd.pid)');
      await eventually('dockerd to end', async () => !(await one.isEngineUp()), 30_000);
      await releaseUnit(one.host, 'dockerd');
      await eventually('dockerd', one.isEngineUp, 30_000);
    };
    await restartWith(false);
    const names = ['one', 'two', 'three'];
    await Promise.all(names.map((name) => one.create(name)));
    const before = await Promise.all(names.map((name) => one.ready(name)));
    await restartWith(true);
    for (const { metadata, status } of before) {
      // More than one: an engine that shuts down still takes new containers, and stops them too.
      const isBack = async () => ((await restartsOf(metadata.name)) ?? 0) >= 1;
      await eventually(`${metadata.name} to be back`, isBack, 30_000);
      assert.equal((await one.ready(metadata.name)).status?.podIP, status?.podIP);
    }
    await assertOneToOne(one.lab, ['h1']);
  });

  it('a full disk under the agent: pods wait and say so, and start when there is room again', async () => {
    const data = `${one.host.directory}/agent`;
    /** What keeps files of the directory open; the DNS process outlives an agent. */
    const stopAll = async () => {
      await one.agent.kill();
      await shellOn(one.host, 'pkill -9 flotilla-dns; while pgrep flotilla-dns >/dev/null; do sleep 0.05; done');
    };
    await stopAll();
    await shellOn(
      one.host,
      `umount ${data}/memory; cp -a ${data} /run/agent && mount -t tmpfs -o size=2m,mode=711 small ${data} && cp -a /run/agent/. ${data}/`,
    );
    await one.restartAgent();
    await one.create('early');
    await one.ready('early');
    await shellOn(one.host, `dd if=/dev/zero of=${data}/fill bs=4k 2>/dev/null || :`);
    await one.create('late');
    await eventually('late says why', async () =>
      /ENOSPC|no space left/i.test((await waitingOf('late'))?.message ?? ''),
    );
    await one.remove('early');
    await delay(1_000);
    await shellOn(one.host, `rm ${data}/fill`);
    await one.ready('late', 20_000);
    await one.gone('early', 20_000);
    await one.clean();
    await stopAll();
    await shellOn(
      one.host,
      `umount ${data}/memory; cp -a ${data}/. /run/agent/ && umount ${data} && cp -a /run/agent/. ${data}/ && rm -r /run/agent`,
    );
    await one.restartAgent();
  });

  it('a full disk under the engine: the same', async () => {
    const containers = `${one.host.directory}/docker/containers`;
    await shellOn(one.host, `mount -t tmpfs -o size=1m small ${containers}`);
    await shellOn(one.host, `dd if=/dev/zero of=${containers}/fill bs=4k 2>/dev/null || :`);
    await one.create('late');
    await eventually('late says why', async () => /no space left/i.test((await waitingOf('late'))?.message ?? ''));
    await shellOn(one.host, `rm ${containers}/fill`);
    await one.ready('late', 20_000);
    await one.clean();
    await shellOn(one.host, `umount ${containers}`);
  });

  it('the clock jumps an hour forth and two hours back: pods come, go and stay', async () => {
    const file = `${one.host.directory}/clock`;
    const jump = (seconds: string) => writeFile(file, `${seconds}\n`);
    assert.notEqual(fakeTime, '', 'the Debian package faketime is missing');
    await jump('+0');
    const env = {
      LD_PRELOAD: fakeTime,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
    await one.restartAgent({ env });
    await one.create('steady', { livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } });
    await one.ready('steady');
    for (const [name, seconds] of [
      ['ahead', '+3600'],
      ['behind', '-3600'],
    ] as const) {
      await jump(seconds);
      await one.create(name);
      await one.ready(name, 10_000);
      await one.remove(name);
      await one.gone(name, 10_000);
    }
    await one.restartAgent({ env }); // its certificates, too, at the wrong time
    await one.create('again');
    await one.ready('again', 10_000);
    assert.equal(await restartsOf('steady'), 0);
    await one.restartAgent();
  });

  it('a reboot without any server: its pods come back with their names and addresses', async () => {
    const names = ['first', 'second', 'third'];
    await Promise.all(names.map((name) => one.create(name)));
    const pods = await Promise.all(names.map((name) => one.ready(name)));
    const identities = pods.map((pod) => `${pod.metadata.uid} ${pod.status?.podIP}`).sort();
    await delay(1_000); // the copy on disk is half a second behind
    await one.lab.change('off', 's1');
    await one.agent.kill();
    await one.lab.change('off', 'h1');
    await one.lab.change('on', 'h1');
    await eventually(
      'the same pods without a server',
      async () => {
        const { containers } = await observeHost(one.lab, 'h1');
        const found = containers
          .filter((container) => container.state === 'running')
          .map((container) => `${container.labels[hostLabels.podUid]} ${container.addresses[0]}`);
        return JSON.stringify(found.sort()) === JSON.stringify(identities);
      },
      40_000,
    );
    await one.lab.change('on', 's1');
    for (const name of names) {
      await eventually(`${name} with one restart`, async () => (await restartsOf(name)) === 1, 30_000);
      await one.ready(name);
    }
    await assertOneToOne(one.lab, ['h1']);
  });
});
