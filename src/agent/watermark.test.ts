import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combineApplied } from './watermark.ts';

const at = (certificates: number, problem?: string) => ({
  ...{ ingresses: 1, secrets: 1, certificates },
  ...(problem === undefined ? {} : { problem }),
});

test('a change counts when names, addresses and proxy follow it', () => {
  assert.deepEqual(combineApplied({ revision: 7 }, 'none'), { revision: 7 });
  assert.deepEqual(combineApplied({ revision: 7 }, { revision: 5, ingress: at(3) }), { revision: 5, ingress: at(3) });
  assert.deepEqual(combineApplied({ revision: 4 }, { revision: 5, ingress: at(3) }), { revision: 4, ingress: at(3) });
});

test('before it is known whether there is a proxy, one of an earlier run counts', () => {
  assert.deepEqual(combineApplied({ revision: 7 }, 'unknown'), { revision: 0 });
});

test('one that cannot follow is told, so that nobody waits', () => {
  const sick = { revision: 5, ingress: at(3, 'port 80 is taken') };
  assert.equal(combineApplied({ revision: 7 }, sick).problem, 'the proxy does not follow: port 80 is taken');
  assert.equal(combineApplied({ revision: 7, problem: 'nft: no' }, sick).problem, 'nft: no');
});
