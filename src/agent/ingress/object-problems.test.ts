import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxIngressProblemLength, maxIngressProblems } from '../../resources/applied.ts';
import { objectProblems } from './object-problems.ts';

test('what is missing and what the proxy refuses, by Ingress object', () => {
  const found = objectProblems({
    compiled: new Map([['shop/web', ['there is no Service shop/web']]]),
    refused: new Map([
      ['shop/cert', 'the key does not fit'],
      ['shop/web#0', 'bad header'],
      ['gone/cert', 'of nobody'],
    ]),
    ingressesOf: (key) => ({ 'shop/web#0': ['shop/web'], 'shop/cert': ['shop/web', 'shop/api'] })[key] ?? [],
  });
  assert.deepEqual(found, [
    { ingress: 'shop/api', message: 'the key does not fit' },
    { ingress: 'shop/web', message: 'there is no Service shop/web; the key does not fit; bad header' },
  ]);
});

test('neither too many nor too long', () => {
  const compiled = new Map(Array.from({ length: 100 }, (_, at) => [`shop/i${at}`, ['x'.repeat(1_000)]] as const));
  const found = objectProblems({ compiled, refused: new Map(), ingressesOf: () => [] });
  assert.deepEqual([found.length, found[0]?.message.length], [maxIngressProblems, maxIngressProblemLength]);
});
