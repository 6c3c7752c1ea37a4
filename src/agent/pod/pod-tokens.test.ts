import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { createPodTokens } from './pod-tokens.ts';
import { podOf } from './test-objects.ts';

const hour = { audience: undefined, expirationSeconds: 3_600 };

function start() {
  const clock = new ManualClock();
  const server = { isAway: false, issued: 0 };
  const tokens = createPodTokens({
    clock,
    request: async () => {
      if (server.isAway) throw new FlotillaError('Unavailable', 'no server', { retryable: true });
      return `t${++server.issued}`;
    },
  });
  return { clock, server, tokens };
}

describe('tokens of pods', () => {
  it('are asked for once, and anew after four fifths of their life', async () => {
    const { clock, tokens } = start();
    const [one, two] = await Promise.all([tokens.get(podOf(), hour), tokens.get(podOf(), hour)]);
    assert.deepEqual([one.token, two.token, one.renewAtMs], ['t1', 't1', 2_880_000]);
    await clock.advance(2_879_000);
    assert.equal((await tokens.get(podOf(), hour)).token, 't1');
    await clock.advance(1_000);
    assert.equal((await tokens.get(podOf(), hour)).token, 't2');
  });

  it('differ by audience, life and pod', async () => {
    const { tokens } = start();
    const other = podOf({}, { uid: 'uid-2' });
    const all = await Promise.all([
      tokens.get(podOf(), hour),
      tokens.get(podOf(), { ...hour, audience: 'vault' }),
      tokens.get(podOf(), { ...hour, expirationSeconds: 600 }),
      tokens.get(other, hour),
    ]);
    assert.equal(new Set(all.map(({ token }) => token)).size, 4);
  });

  it('go on without a server, over a restart and a jump of the clock; without any there is an error', async () => {
    const { clock, server, tokens } = start();
    await tokens.get(podOf(), hour);
    const stored = tokens.known();
    const restarted = start();
    restarted.server.isAway = true;
    await assert.rejects(restarted.tokens.get(podOf(), hour), /no server/);
    restarted.tokens.remember(stored);
    restarted.clock.jumpWall(-3_600_000);
    assert.equal((await restarted.tokens.get(podOf(), hour)).token, 't1');
    await restarted.clock.advance(10_000_000);
    assert.equal((await restarted.tokens.get(podOf(), hour)).token, 't1');
    server.isAway = true;
    await clock.advance(10_000_000);
    assert.equal((await tokens.get(podOf(), hour)).token, 't1');
  });

  it('of pods that are gone are let go', async () => {
    const { tokens } = start();
    await tokens.get(podOf(), hour);
    tokens.keepOnly(new Set());
    assert.deepEqual(tokens.known(), []);
  });
});
