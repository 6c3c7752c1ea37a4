import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guessedUrl, localUrl, parseAdvertise, parseListen } from './options.ts';

test('listen addresses', () => {
  assert.deepEqual(parseListen('0.0.0.0:7443'), { host: '0.0.0.0', port: 7443 });
  assert.deepEqual(parseListen(':0'), { host: '0.0.0.0', port: 0 });
  assert.deepEqual(parseListen('[::1]:443'), { host: '::1', port: 443 });
  assert.deepEqual(parseListen('server.example:1'), { host: 'server.example', port: 1 });
  for (const text of ['', '7443', 'a:b', 'h:99999', '::1:443', 'h:1:2']) {
    assert.throws(() => parseListen(text), { code: 'BadUsage' }, text);
  }
});

test('advertised URLs', () => {
  assert.deepEqual(parseAdvertise(['https://a.example:7443/', 'https://[::1]']), [
    'https://a.example:7443',
    'https://[::1]',
  ]);
  for (const text of ['http://a', 'a.example', 'https://a/path', 'https://a?x=1', '']) {
    assert.throws(() => parseAdvertise([text]), { code: 'BadUsage' }, text);
  }
});

test('where a server is reached', () => {
  assert.equal(localUrl({ host: '0.0.0.0', port: 1 }), 'https://127.0.0.1:1');
  assert.equal(localUrl({ host: '::', port: 1 }), 'https://[::1]:1');
  assert.equal(localUrl({ host: '10.0.0.1', port: 1 }), 'https://10.0.0.1:1');
  assert.equal(guessedUrl({ host: '10.0.0.1', port: 1 }), 'https://10.0.0.1:1');
  assert.match(guessedUrl({ host: '0.0.0.0', port: 1 }), /^https:\/\/[0-9.]+:1$/);
});
