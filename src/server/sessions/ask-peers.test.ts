import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect, performServerHandshake } from 'node:http2';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { silentLogger } from '../../lib/log.ts';
import type { AgentApi } from '../../tunnel/agent-api.ts';
import { createAgentApi } from '../../tunnel/agent-server.ts';
import { createAskPeers } from './ask-peers.ts';

const never = async () => {
  throw new Error('this agent is only asked about others');
};

function agentThatReaches(reached: string): { session: ClientHttp2Session; stop(): void } {
  const [near, far] = duplexPair();
  const api: AgentApi = {
    ...{ logs: never, exec: never, attach: never, forward: never, lifetime: never, metrics: never },
    network: async () => ({ node: 'h1', notes: [], applied: { revision: 0 }, peers: [] }),
    ingress: never,
    accessLog: async function* () {},
    probe: async (addresses) => Object.fromEntries(addresses.map((address) => [address, address === reached])),
  };
  const answer = createAgentApi(api, silentLogger);
  const server = performServerHandshake(far);
  server.on('stream', (stream, headers) => answer(stream, headers));
  const session = connect('http://agent', { createConnection: () => near });
  return {
    session,
    stop: () => {
      session.destroy();
      server.destroy();
    },
  };
}

test('an agent says through its tunnel which addresses answer it', async () => {
  const { session, stop } = agentThatReaches('10.0.0.2');
  const tunnels = {
    add: () => {},
    drop: () => {},
    find: async (_grid: string, name: string) => (name === 'h1' ? session : undefined),
    size: 1,
    stop: () => {},
  };
  const ask = createAskPeers(tunnels);
  const { signal } = new AbortController();
  assert.deepEqual(
    [...(await ask('main', 'h1', ['10.0.0.2', '10.0.0.3', 'fd00::1'], signal))],
    [
      ['10.0.0.2', true],
      ['10.0.0.3', false],
      ['fd00::1', false],
    ],
  );
  await assert.rejects(ask('main', 'h9', ['10.0.0.2'], signal), /node "h9" is not connected/);
  await assert.rejects(ask('main', 'h1', ['example.com'], signal), /cannot call others: .*IP addresses/);
  stop();
});
