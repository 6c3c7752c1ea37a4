import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hasCode } from '../../lib/errors.ts';
import { hostLabels } from '../../resources/names.ts';
import { type ContainerRuntime, type ContainerSpec, pauseImage } from './port.ts';

/** A runtime to try, with what the suite needs to know about its host. */
export interface RuntimeUnderTest {
  readonly runtime: ContainerRuntime;
  /** Present; has `/bin/sleep` and `/bin/sh`. */
  readonly image: string;
  readonly networkName: string;
  /** `docker pause`, by somebody else. */
  pause(containerId: string): Promise<void>;
  /** Two addresses of the network. */
  readonly addresses: readonly [string, string];
  close(): Promise<void>;
}

/** What every ContainerRuntime does, on whatever engine. */
export function describeRuntime(name: string, open: () => Promise<RuntimeUnderTest>): void {
  describe(`container runtime: ${name}`, () => {
    let subject: RuntimeUnderTest;
    before(async () => {
      subject = await open();
    });
    after(() => subject.close());

    const specOf = (pod: string, change: Partial<ContainerSpec> = {}): ContainerSpec => ({
      name: `fl_contract_${pod}_main_${pod}_0`,
      image: subject.image,
      labels: labelsOf(pod, 0),
      entrypoint: ['/bin/sleep', '1000'],
      environment: [{ name: 'GREETING', value: 'a b=c' }],
      network: { name: subject.networkName, address: subject.addresses[0] },
      ports: [],
      mounts: [],
      ...change,
    });
    const run = async (spec: ContainerSpec) => {
      const id = await subject.runtime.create(spec);
      await subject.runtime.start(id);
      return id;
    };

    it('knows its engine', async () => {
      const info = await subject.runtime.info();
      assert.ok(info.cpus > 0 && info.memoryBytes > 0 && info.version !== '');
    });

    it('creates without starting, starts, stops and removes; each can be repeated', async () => {
      const { runtime, addresses } = subject;
      const spec = specOf('life');
      const id = await runtime.create(spec);
      assert.equal((await runtime.inspect(id))?.state, 'created');
      assert.equal(await runtime.create(spec), id, 'the same name and labels give the same container');
      await runtime.start(id);
      await runtime.start(id);
      const running = await runtime.inspect(id);
      assert.equal(running?.state, 'running');
      assert.deepEqual(running?.addresses, [addresses[0]]);
      assert.equal(running?.labels[hostLabels.podUid], 'life');
      assert.ok((await runtime.list()).some((one) => one.id === id && one.state === 'running'));
      await runtime.kill(id, 'SIGKILL');
      await runtime.stop(id, 1);
      await runtime.stop(id, 1);
      const ended = await runtime.inspect(id);
      assert.equal(ended?.state, 'exited');
      assert.equal(ended?.exitCode, 137);
      await runtime.remove(id);
      await runtime.remove(id);
      assert.equal(await runtime.inspect(id), undefined);
    });

    it('lets a paused container go on; again does no harm', async () => {
      const { runtime, pause } = subject;
      const id = await run(specOf('paused'));
      await pause(id);
      assert.equal((await runtime.inspect(id))?.state, 'paused');
      await runtime.resume(id);
      await runtime.resume(id);
      assert.equal((await runtime.inspect(id))?.state, 'running');
      await runtime.remove(id);
      await runtime.resume(id);
    });

    it('takes the place of a left-over of another pod with the same name', async () => {
      const { runtime } = subject;
      const first = await runtime.create(specOf('again'));
      const second = await runtime.create(specOf('again', { labels: labelsOf('other', 0) }));
      assert.notEqual(second, first);
      assert.equal(await runtime.inspect(first), undefined);
      await runtime.remove(second);
    });

    it('makes the pause image without a registry; others share what such a container has, while it runs', async () => {
      const { runtime, addresses } = subject;
      await runtime.makePauseImage();
      await runtime.makePauseImage();
      assert.equal(await runtime.hasImage(pauseImage), true);
      const { entrypoint: _none, ...pause } = specOf('shared', { image: pauseImage, shareableIpc: true });
      const pauseId = await run(pause);
      assert.deepEqual((await runtime.inspect(pauseId))?.addresses, [addresses[0]]);
      const joined = { network: { container: pauseId }, ipcOf: pauseId, pidOf: pauseId };
      const labels = { ...labelsOf('shared', 0), [hostLabels.container]: 'member' };
      const member = await run(specOf('shared', { ...joined, labels, name: 'fl_contract_shared_member' }));
      assert.deepEqual((await runtime.inspect(member))?.addresses, [], 'the address is told once');
      await runtime.stop(member, 0);
      await runtime.stop(pauseId, 5);
      assert.deepEqual((await runtime.inspect(pauseId))?.state, 'exited');
      const late = await runtime.create(specOf('late', joined));
      await assert.rejects(runtime.start(late), /non running container/);
      assert.match((await runtime.inspect(late))?.error ?? '', /non running container/);
      for (const id of [late, member, pauseId]) await runtime.remove(id);
    });

    it('says that an image is not there', async () => {
      const { runtime } = subject;
      assert.equal(await runtime.hasImage(subject.image), true);
      assert.equal(await runtime.hasImage('flotilla-test/absent:1'), false);
      const spec = specOf('absent', { image: 'flotilla-test/absent:1' });
      await assert.rejects(runtime.create(spec), (error) => hasCode(error, 'NotFound'));
    });

    it('refuses to start a second container with an address in use, and shows why', async () => {
      const { runtime } = subject;
      const first = await run(specOf('one'));
      const second = await runtime.create(specOf('two'));
      await assert.rejects(runtime.start(second), /already in use/i);
      const failed = await runtime.inspect(second);
      assert.equal(failed?.state, 'exited');
      assert.match(failed?.error ?? '', /already in use/i);
      await runtime.remove(first);
      await runtime.remove(second);
    });

    it('gives a free host port where none is asked for', async () => {
      const { runtime } = subject;
      const id = await run(specOf('ports', { ports: [{ containerPort: 80, protocol: 'TCP' }] }));
      const [port] = (await runtime.inspect(id))?.hostPorts ?? [];
      assert.equal(port?.containerPort, 80);
      assert.ok((port?.hostPort ?? 0) > 1024);
      await runtime.remove(id);
    });

    it('runs commands with their exit code, and refuses where nothing runs', async () => {
      const { runtime } = subject;
      const id = await run(specOf('exec'));
      const options = { command: ['/bin/sh', '-c', 'exit 0'], tty: false, stdin: false };
      const session = await runtime.exec(id, options, new AbortController().signal);
      session.stdout.resume();
      session.stderr.resume();
      assert.equal(await session.exitCode(), 0);
      await runtime.stop(id, 0);
      await assert.rejects(runtime.exec(id, options, new AbortController().signal), (error) =>
        hasCode(error, 'Conflict'),
      );
      await runtime.remove(id);
    });

    it('tells of a start and a death, after having asked for a look at everything', async () => {
      const { runtime } = subject;
      const abort = new AbortController();
      const seen: string[] = [];
      const died = Promise.withResolvers<void>();
      const connected = Promise.withResolvers<void>();
      runtime.watch(
        {
          onResync: () => connected.resolve(),
          onDisconnect: () => {},
          onContainer: (id, event) => {
            seen.push(`${id} ${event}`);
            if (event === 'die') died.resolve();
          },
        },
        abort.signal,
      );
      await connected.promise;
      const id = await run(
        specOf('watched', { network: { name: subject.networkName, address: subject.addresses[1] } }),
      );
      await runtime.kill(id, 'SIGKILL');
      await died.promise;
      abort.abort();
      assert.deepEqual(seen.slice(0, 3), [`${id} create`, `${id} start`, `${id} die`]);
      await runtime.remove(id);
    });

    it('keeps volumes until they are removed, and not while they are used', async () => {
      const { runtime } = subject;
      await runtime.ensureVolume('fl-contract', { [hostLabels.volumeName]: 'contract' });
      await runtime.ensureVolume('fl-contract', { [hostLabels.volumeName]: 'contract' });
      const found = (await runtime.listVolumes()).find((volume) => volume.name === 'fl-contract');
      assert.equal(found?.labels[hostLabels.volumeName], 'contract');
      const mounts = [{ type: 'volume', source: 'fl-contract', target: '/data', readOnly: false } as const];
      const id = await run(specOf('volume', { mounts }));
      await assert.rejects(runtime.removeVolume('fl-contract'), (error) => hasCode(error, 'Conflict'));
      await runtime.remove(id);
      await runtime.removeVolume('fl-contract');
      await runtime.removeVolume('fl-contract');
      assert.equal(
        (await runtime.listVolumes()).some((volume) => volume.name === 'fl-contract'),
        false,
      );
    });
  });
}

function labelsOf(pod: string, attempt: number): Record<string, string> {
  return {
    [hostLabels.podUid]: pod,
    [hostLabels.podName]: pod,
    [hostLabels.container]: 'main',
    [hostLabels.attempt]: String(attempt),
  };
}
