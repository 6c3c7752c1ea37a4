import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FlotillaError, hasCode } from '../lib/errors.ts';
import { firstServer } from './first-server.ts';

const unavailable = (server: string) => new FlotillaError('Unavailable', `${server} is dead`, { retryable: true });
const never = () => new Promise<never>(() => {});

/** `answers` by server: what opening it does. */
function ask(answers: Readonly<Record<string, () => Promise<string>>>, staggerMs = 5) {
  const asked: string[] = [];
  const discarded: string[] = [];
  const found = firstServer({
    servers: Object.keys(answers),
    open: (server) => {
      asked.push(server);
      return answers[server]!();
    },
    discard: (late) => void discarded.push(late),
    staggerMs,
  });
  return { found, asked, discarded };
}

describe('firstServer', () => {
  it('asks only the first when it answers', async () => {
    const { found, asked } = ask({ a: async () => 'a', b: async () => 'b' });
    assert.equal(await found, 'a');
    assert.deepEqual(asked, ['a']);
  });

  it('passes a dead one at once, and a silent one after a moment', async () => {
    const dead = ask({ a: () => Promise.reject(unavailable('a')), b: async () => 'b' }, 60_000);
    assert.equal(await dead.found, 'b');
    const silent = ask({ a: never, b: never, c: async () => 'c' });
    assert.equal(await silent.found, 'c');
    assert.deepEqual(silent.asked, ['a', 'b', 'c']);
  });

  it('lets go of what comes too late', async () => {
    const slow = Promise.withResolvers<string>();
    const { found, discarded } = ask({ a: () => slow.promise, b: async () => 'b' });
    assert.equal(await found, 'b');
    slow.resolve('a');
    await slow.promise;
    await Promise.resolve();
    assert.deepEqual(discarded, ['a']);
  });

  it('says what each of them said', async () => {
    const refuse = (server: string) => () => Promise.reject(unavailable(server));
    await assert.rejects(ask({ a: refuse('a'), b: refuse('b') }).found, (error) => {
      assert.ok(hasCode(error, 'Unavailable') && error.retryable);
      assert.match(error.message, /no server answers: a is dead; b is dead/);
      return true;
    });
  });

  it('ends with anything else that goes wrong, and where no server is known', async () => {
    const bug = new TypeError('no URL');
    await assert.rejects(ask({ a: () => Promise.reject(bug), b: async () => 'b' }).found, bug);
    await assert.rejects(ask({}).found, (error) => hasCode(error, 'BadUsage'));
  });
});
