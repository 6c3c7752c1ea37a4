import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pods } from '../resources/kinds.ts';
import { serversHeader } from '../resources/names.ts';
import { addServers, readContexts, saveContext } from './contexts.ts';
import { createHttpClient } from './http-client.ts';
import { startLoopbackServer } from './loopback-server.ts';

describe('servers that a server tells of', () => {
  it('are heard by who asked, with the sentences for the person', async () => {
    const server = await startLoopbackServer();
    const heard: unknown[] = [];
    const asked: unknown[] = [];
    server.handler = (request, response) => {
      asked.push(request.headers[serversHeader]);
      response.setHeader(serversHeader, 'https://a:1 https://b:1 javascript:x');
      response.setHeader('warning', [
        Buffer.from('299 - "say \\"ü\\""').toString('latin1'),
        '299 flotilla "old: 3 s, \\\\ and more"',
      ]);
      response.end('{"metadata":{},"items":[]}');
    };
    const options = { servers: [server.url], grid: 'main', caCertificate: server.certificate, userAgent: 'test' };
    const listening = createHttpClient({
      ...options,
      onServers: (servers) => void heard.push(servers),
      onWarning: (sentence) => void heard.push(sentence),
    });
    await listening.list(pods);
    const deaf = createHttpClient(options);
    await deaf.list(pods);
    listening.close();
    deaf.close();
    server.close();
    assert.deepEqual(asked, [server.url, undefined]);
    assert.deepEqual(heard, [['https://a:1', 'https://b:1'], 'say "ü"', 'old: 3 s, \\ and more']);
  });

  const folder = mkdtempSync(join(tmpdir(), 'flotilla-contexts-'));
  after(() => rmSync(folder, { recursive: true }));
  const context = { name: 'lab', servers: ['https://a:1'], grid: 'main', caCertificate: 'CA', token: 't' };

  it('are kept in the context, first those that are there, then those that were', () => {
    const path = join(folder, 'kept.json');
    saveContext(path, context, { makeCurrent: true });
    addServers(path, context, ['https://b:1', 'https://c:1']);
    assert.deepEqual(readContexts(path).contexts.lab?.servers, ['https://b:1', 'https://c:1', 'https://a:1']);
    addServers(path, context, ['https://c:1']);
    assert.deepEqual(readContexts(path).contexts.lab?.servers, ['https://b:1', 'https://c:1', 'https://a:1']);
    addServers(
      path,
      context,
      Array.from({ length: 30 }, (_, i) => `https://n${i}:1`),
    );
    assert.equal(readContexts(path).contexts.lab?.servers.length, 10);
  });

  it('are not written into a context that has become another', () => {
    const path = join(folder, 'other.json');
    saveContext(path, { ...context, caCertificate: 'another' }, { makeCurrent: true });
    addServers(path, context, ['https://b:1']);
    assert.deepEqual(readContexts(path).contexts.lab?.servers, ['https://a:1']);
    addServers(path, { ...context, name: 'gone' }, ['https://b:1']);
    assert.deepEqual(Object.keys(readContexts(path).contexts), ['lab']);
  });
});
