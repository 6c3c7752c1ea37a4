// An engine that is killed while it starts a container, and forgets it: process, mount and address live on.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { createDockerRuntime } from '../../src/adapters/runtime/docker.ts';
import type { ContainerRuntime, NetworkSpec } from '../../src/adapters/runtime/port.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { hostLabels } from '../../src/resources/names.ts';
import { busyboxImage, type DockerDaemon, dockerIsMissing, startDockerDaemon } from './docker-daemon.ts';
import { eventually } from './simulated-cluster.ts';

const network: NetworkSpec = {
  ...{ name: 'flotilla', bridgeName: 'fl0', subnet: '10.80.7.0/24', gateway: '10.80.7.1', mtu: 1450 },
  ...{ labels: { [hostLabels.managed]: 'true' }, trustedInterfaces: [] },
};

describe('an engine killed in the middle of a start', { skip: dockerIsMissing() ?? false }, () => {
  let daemon: DockerDaemon;
  let runtime: ContainerRuntime;

  before(async () => {
    daemon = await startDockerDaemon();
    runtime = createDockerRuntime({ socketPath: daemon.socketPath, exec: daemon.hostExec, log: silentLogger });
    await runtime.ensureNetwork(network);
  });
  after(() => daemon.stop());

  const rootMounts = async () =>
    (await daemon.exec(['cat', '/proc/mounts'])).split('\n').filter((one) => /merged/.test(one)).length;
  const cables = async () =>
    (await daemon.exec(['ip', '-o', 'link', 'show', 'master', 'fl0'])).split('\n').filter(Boolean).length;
  const shims = async (id: string) =>
    (await daemon.exec(['ps', '-eo', 'args'])).split('\n').filter((one) => one.includes(`-id ${id}`)).length;

  const create = (name: string): Promise<string> =>
    runtime.create({
      name: `fl_half_${name}`,
      image: busyboxImage,
      labels: { [hostLabels.podUid]: name, [hostLabels.container]: 'main', [hostLabels.attempt]: '0' },
      entrypoint: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'],
      ...{ environment: [], network: { name: 'flotilla', address: '10.80.7.9' }, ports: [], mounts: [] },
    });

  /** Gives a container that the engine says was never started, and that lives nevertheless. */
  const halfStarted = async (name: string): Promise<string> => {
    const id = await create(name);
    await writeFile(daemon.holdFile, '');
    const starting = assert.rejects(runtime.start(id));
    await eventually(
      async () => assert.ok((await daemon.exec(['ps', '-eo', 'args'])).includes(` start ${id}`)),
      20_000,
    );
    await daemon.restart(() => rm(daemon.holdFile));
    await starting;
    assert.equal((await runtime.inspect(id))?.state, 'created');
    assert.deepEqual([await rootMounts(), await cables(), await shims(id)], [1, 1, 1]);
    return id;
  };

  it('starts it again, alone', async () => {
    const id = await halfStarted('again');
    await runtime.start(id);
    assert.equal((await runtime.inspect(id))?.state, 'running');
    assert.deepEqual([await rootMounts(), await cables(), await shims(id)], [1, 1, 1]);
    await runtime.stop(id, 5);
    await runtime.remove(id);
    assert.deepEqual([await rootMounts(), await cables(), await shims(id)], [0, 0, 0]);
  });

  it('leaves nothing when it is removed instead', async () => {
    const id = await halfStarted('removed');
    await runtime.reap(id);
    await runtime.remove(id);
    assert.deepEqual([await rootMounts(), await cables(), await shims(id)], [0, 0, 0]);
    assert.ok(!existsSync(daemon.holdFile));
  });

  it('leaves no cable that was never plugged into a container', async () => {
    const id = await create('wired');
    await runtime.start(id);
    for (const name of ['stray0', 'stray1']) {
      await daemon.exec(['ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`]);
      await daemon.exec(['ip', 'link', 'set', 'dev', name, 'master', 'fl0']);
    }
    assert.equal(await cables(), 3);
    await runtime.ensureNetwork(network);
    await eventually(async () => assert.equal(await cables(), 1), 20_000);
    assert.equal(await daemon.docker('exec', id, 'cat', '/sys/class/net/eth0/carrier'), '1\n');
    await runtime.remove(id);
  });

  it('a bridge that somebody deletes is made again, with the cables of the running containers', async () => {
    const id = await create('bridged');
    await runtime.start(id);
    const reach = () => daemon.exec(['ping', '-c', '1', '-W', '1', '10.80.7.9']);
    const hardwareAddress = async () => /link\/ether (\S+)/.exec(await daemon.exec(['ip', 'link', 'show', 'fl0']))?.[1];
    await reach();
    await daemon.docker('exec', id, '/bin/busybox', 'ping', '-c', '1', '-W', '1', '10.80.7.1'); // it knows where the gateway is
    await daemon.exec(['ip', 'link', 'delete', 'fl0']);
    await assert.rejects(reach());
    await runtime.ensureNetwork(network);
    await reach();
    await daemon.docker('exec', id, '/bin/busybox', 'ping', '-c', '1', '-W', '1', '10.80.7.1');
    assert.equal(await cables(), 1);
    const where = await hardwareAddress();
    await daemon.exec(['ip', 'link', 'add', 'low', 'address', '02:00:00:00:00:01', 'type', 'veth']);
    await daemon.exec(['ip', 'link', 'set', 'low', 'master', 'fl0', 'up']);
    assert.equal(await hardwareAddress(), where, 'it stays when another cable is plugged in');
    await daemon.exec(['ip', 'link', 'delete', 'low']);
    await runtime.remove(id);
    const next = await create('next');
    await runtime.start(next);
    await reach();
    await runtime.remove(next);
    assert.equal(await cables(), 0);
  });

  it('touches no other container', async () => {
    const id = await runtime.create({
      name: 'fl_half_other',
      image: busyboxImage,
      labels: { [hostLabels.podUid]: 'other', [hostLabels.container]: 'main', [hostLabels.attempt]: '0' },
      entrypoint: ['/bin/sleep', '1000'],
      ...{ environment: [], network: 'none', ports: [], mounts: [] },
    });
    await runtime.start(id);
    await runtime.reap('0123456789abcdef'.repeat(4));
    assert.equal((await runtime.inspect(id))?.state, 'running');
    await runtime.remove(id);
  });
});
