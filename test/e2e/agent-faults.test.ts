// One host, one server. The agent and its engine are ended at every step of a pod's life; after each life what the API tells
// and what the host has are one to one.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { stepTypes } from '../../src/agent/pod/steps/run-step.ts';
import { containerIdOf, type FaultHost, startFaultHost } from './fault-host.ts';
import { assertOneToOne } from './invariants.ts';
import { eventually } from './lab.ts';
import { holdUnit, releaseUnit, startOwnAgent } from './own-agent.ts';

const allPoints = stepTypes.flatMap((step) => [`${step}:before`, `${step}:after`]);

describe('at every step of a pod', { timeout: 290_000 }, () => {
  let one: FaultHost;
  before(async () => {
    one = await startFaultHost('afault', 227);
  });
  after(() => one?.end());
  afterEach(() => one.clean());

  /** A pod's whole life, with a pause by somebody else in it; `attend` is called until each part is done: true, it hit. */
  const live = async (name: string, attend: () => Promise<boolean>) => {
    const until = async (what: string, isSo: () => Promise<boolean>) => {
      let endMs = performance.now() + 60_000;
      while (!(await isSo().catch(() => false))) {
        if (await attend()) endMs = performance.now() + 60_000;
        const log = async () => (await one.agent.log()).slice(-3000);
        if (performance.now() > endMs) throw new Error(`not within 60 s of the last hit: ${what}\n${await log()}`);
        await delay(20);
      }
    };
    const hook = { exec: { command: ['true'] } };
    await one.create(name, { imagePullPolicy: 'Always', lifecycle: { postStart: hook, preStop: hook } });
    await until(`${name} ready`, async () => (await one.readyNow(name)) !== undefined);
    const state = async () => one.docker('inspect', '-f', '{{.State.Status}}', containerIdOf(await one.get(name)));
    await one.docker('pause', containerIdOf(await one.get(name))).catch(() => {}); // dockerd may be on its way up
    await until(`${name} to go on`, async () => (await state()) === 'running');
    await assertOneToOne(one.lab, ['h1']);
    await one.remove(name);
    await until(`${name} gone`, () => one.isGone(name));
    await assertOneToOne(one.lab, ['h1']);
  };

  it('the agent is killed once before and once after', async () => {
    const left = new Set(allPoints);
    const arm = () => ({ FLOTILLA_FAILPOINT: [...left].map((point) => `${point}:kill`).join(',') });
    const attend = async () => {
      if (!one.agent.hasEnded()) return false;
      const log = await one.agent.log();
      const point = /^fail point (.*)$/m.exec(log)?.[1];
      if (point === undefined) throw new Error(`the agent ended by itself:\n${log.slice(-3000)}`);
      left.delete(point);
      one.agent = await startOwnAgent(one.host, left.size > 0 ? { env: arm() } : {});
      return true;
    };
    await one.restartAgent({ env: arm() });
    for (let lives = 0; left.size > 0; lives++) {
      assert.ok(lives < 4, `never reached: ${[...left].join(', ')}`);
      await live(`killed-${lives}`, attend);
    }
  });

  it('dockerd is killed once before and once after', async () => {
    const left = new Set(allPoints);
    let read = 0;
    const attend = async () => {
      if (!(await one.agent.isFrozen())) return false;
      const reached = [...(await one.agent.log()).matchAll(/^fail point (.*)$/gm)].map((match) => match[1] ?? '');
      for (const point of reached.slice(read)) left.delete(point);
      read = reached.length;
      await holdUnit(one.host, 'dockerd');
      await one.agent.signal('SIGCONT'); // it finds no engine
      await delay(50);
      await releaseUnit(one.host, 'dockerd');
      await eventually('dockerd', one.isEngineUp, 40_000);
      return true;
    };
    await one.restartAgent({ env: { FLOTILLA_FAILPOINT: allPoints.map((point) => `${point}:freeze`).join(',') } });
    for (let lives = 0; left.size > 0; lives++) {
      assert.ok(lives < 4, `never reached: ${[...left].join(', ')}`);
      await live(`engine-${lives}`, attend);
    }
    await one.restartAgent();
  });
});
