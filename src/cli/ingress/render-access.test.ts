import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAccessLine, renderAccessLine } from './render-access.ts';

test('a request, a connection, and what is none', () => {
  const http =
    '{"time":"2026-01-01T12:00:00.123Z","kind":"http","client":"192.0.2.1","totalMs":12,"sentBytes":5120,"end":"--","host":"a.b","method":"GET","path":"/x\\u001b[31m","status":200,"pod":"shop/web-1"}';
  const line = parseAccessLine(http);
  assert.equal(
    line && renderAccessLine('h1', line),
    '2026-01-01T12:00:00.123Z h1 192.0.2.1 200 GET a.b/x?[31m -> shop/web-1 12 ms 5120 B',
  );
  const tcp = parseAccessLine(
    '{"time":"2026-01-01T12:00:00Z","kind":"tcp","client":"192.0.2.1","totalMs":9,"sentBytes":0,"end":"cD","port":5432}',
  );
  assert.equal(tcp && renderAccessLine('h1', tcp), '2026-01-01T12:00:00Z h1 192.0.2.1 TCP :5432 -> nobody 9 ms 0 B cD');
  for (const bad of ['', 'x', 'null', '{}']) assert.equal(parseAccessLine(bad), undefined);
});
