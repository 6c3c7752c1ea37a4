// An engine that is killed while it starts a container, and forgets it: process, mount and address live on.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { createDockerRuntime } from '../../src/adapters/runtime/docker.ts';
import type { ContainerRuntime } from '../../src/adapters/runtime/port.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { hostLabels } from '../../src/resources/names.ts';
import { busyboxImage, type DockerDaemon, dockerIsMissing, startDockerDaemon } from './docker-daemon.ts';
import { eventually } from './simulated-cluster.ts';

describe('an engine killed in the middle of a start', { skip: dockerIsMissing() ?? false }, () => {
  let daemon: DockerDaemon;
  let runtime: ContainerRuntime;

  before(async () => {
    daemon = await startDockerDaemon();
    runtime = createDockerRuntime({ socketPath: daemon.socketPath, log: silentLogger });
    await runtime.ensureNetwork({
      ...{ name: 'flotilla', bridgeName: 'fl0', subnet: '10.80.7.0/24', gateway: '10.80.7.1', mtu: 1450 },
      ...{ labels: { [hostLabels.managed]: 'true' }, trustedInterfaces: [] },
    });
  });
  after(() => daemon.stop());

  const rootMounts = async () =>
    (await daemon.exec(['cat', '/proc/mounts'])).split('\n').filter((one) => /merged/.test(one)).length;
  const cables = async () =>
    (await daemon.exec(['ip', '-o', 'link', 'show', 'master', 'fl0'])).split('\n').filter(Boolean).length;
  const shims = async (id: string) =>
    (await daemon.exec(['ps', '-eo', 'args'])).split('\n').filter((one) => one.includes(`-id ${id}`)).length;

  /** Gives a container that the engine says was never started, and that lives nevertheless. */
  const halfStarted = async (name: string): Promise<string> => {
    const id = await runtime.create({
      name: `fl_half_${name}`,
      image: busyboxImage,
      labels: { [hostLabels.podUid]: name, [hostLabels.container]: 'main', [hostLabels.attempt]: '0' },
      entrypoint: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'],
      ...{ environment: [], network: { name: 'flotilla', address: '10.80.7.9' }, ports: [], mounts: [] },
    });
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
