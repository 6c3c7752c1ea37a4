import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFakeRuntime } from '../adapters/runtime/fake.ts';
import type { ContainerObservation, ContainerRuntime } from '../adapters/runtime/port.ts';
import { ManualClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import { watchEngine } from './engine-watch.ts';

/** An agent's view of an engine: what pods, network and reporter are told. */
function start(change: Partial<ContainerRuntime> = {}) {
  const fake = createFakeRuntime();
  const clock = new ManualClock();
  const told: string[] = [];
  const engine = watchEngine({
    runtime: { ...fake, ...change },
    clock,
    log: silentLogger,
    pods: {
      resync: (containers, askedAtMs) => void told.push(`resync ${containers.length} @${askedAtMs}`),
      look: (id) => void told.push(`look ${id}`),
    },
    network: { check: () => void told.push('network') },
    reporter: {
      update: ({ engine: found, engineProblem }) => void told.push(found ? 'usable' : `problem ${engineProblem}`),
    },
  });
  const heard = async (ms = 0) => {
    await clock.advance(ms);
    return told.splice(0);
  };
  return { fake, engine, heard, clock };
}

describe('following the engine', () => {
  it('everything is looked at on connection, and every minute', async () => {
    const { engine, heard } = start();
    assert.deepEqual(await heard(), ['usable', 'resync 0 @0']);
    assert.deepEqual(await heard(59_000), []);
    assert.deepEqual(await heard(1_000), ['usable', 'resync 0 @60000']);
    engine.stop();
    assert.deepEqual(await heard(120_000), []);
  });

  it('after it was away: told at once, then bridge and containers are looked at again', async () => {
    const { fake, engine, heard } = start();
    await heard();
    fake.setAway(true);
    assert.deepEqual(await heard(), ['problem engine is away']);
    fake.setAway(false);
    assert.deepEqual(await heard(), ['usable', 'network', 'resync 0 @0']);
    engine.stop();
  });

  it('a list that fails is tried again, each time later, until it comes', async () => {
    let left = 3;
    const list = async (): Promise<readonly ContainerObservation[]> => {
      if (left-- > 0) throw new Error('busy');
      return [];
    };
    const { engine, heard } = start({ list });
    assert.deepEqual(await heard(), ['problem busy']);
    const after = await heard(10_000);
    assert.deepEqual(after.slice(0, 2), ['problem busy', 'problem busy']);
    assert.deepEqual(
      after.slice(2).map((word) => word.split(' @')[0]),
      ['usable', 'network', 'resync 0'],
    );
    engine.stop();
  });

  it('what changes while a list is on its way is not covered by it: there is another one', async () => {
    const answers: ((containers: readonly ContainerObservation[]) => void)[] = [];
    const list = () => new Promise<readonly ContainerObservation[]>((resolve) => answers.push(resolve));
    const { fake, engine, heard } = start({ list });
    await heard();
    fake.setAway(false); // a second connection
    await heard();
    assert.equal(answers.length, 1, 'one at a time');
    answers[0]?.([]);
    await heard();
    assert.equal(answers.length, 2);
    engine.stop();
  });

  it('tells of single containers', async () => {
    const { fake, engine, heard } = start();
    await heard();
    fake.images.add('i');
    const id = await fake.create({
      ...{ name: 'c', image: 'i', labels: {}, environment: [], network: 'none', ports: [], mounts: [] },
    });
    assert.deepEqual(await heard(), [`look ${id}`]);
    engine.stop();
  });
});
