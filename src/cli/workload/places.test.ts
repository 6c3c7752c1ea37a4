import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { parsePlace, renamed } from './cp.ts';
import { parsePortPair } from './port-forward.ts';

describe('where cp copies', () => {
  test('in an instance, or here', () => {
    assert.deepEqual(parsePlace('shop/web:/etc/hosts'), { target: 'shop/web', path: '/etc/hosts' });
    assert.deepEqual(parsePlace('web:'), { target: 'web', path: '.' });
    for (const here of ['hosts', './a:b', '/tmp/a:b', '../x']) assert.deepEqual(parsePlace(here), { path: here });
  });

  test('another name is a rule that tar understands, whatever the names are', () => {
    assert.deepEqual(renamed('a', 'a'), []);
    for (const [from, to] of [
      ['a.b*[c]', 'x|y&z\\1'],
      ['$1^', 'plain'],
    ] as const) {
      const script = 'cd "$(mktemp -d)" && : > "$1" && tar -cf - "$2" -- "$1" | tar -tf - --quoting-style=literal';
      const ended = spawnSync('sh', ['-c', script, 'sh', from, renamed(from, to)[0] ?? ''], { encoding: 'utf8' });
      assert.equal(ended.stdout, `${to}\n`, ended.stderr);
    }
  });
});

describe('ports of port-forward', () => {
  test('LOCAL:REMOTE, PORT, :REMOTE', () => {
    assert.deepEqual(parsePortPair('8080:80'), { local: 8080, remote: 80 });
    assert.deepEqual(parsePortPair('5432'), { local: 5432, remote: 5432 });
    assert.deepEqual(parsePortPair(':80'), { local: 0, remote: 80 });
  });

  test('what is no port is refused', () => {
    for (const text of ['', 'http', '80:', '0', '70000', '1:70000', '1:2:3', '-1:80']) {
      assert.throws(() => parsePortPair(text), /is no pair of ports/, text);
    }
  });
});
