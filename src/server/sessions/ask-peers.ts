import { randomUUID } from 'node:crypto';
import type { AskPeers } from '../../controllers/liveness.ts';
import { FlotillaError } from '../../lib/errors.ts';
import type { NodeTunnels } from './node-sessions.ts';

const maxAnswerBytes = 65_536;

/** Asks one agent through its tunnel which of some addresses answer it. */
export function createAskPeers(tunnels: NodeTunnels): AskPeers {
  return async (grid, nodeName, addresses, signal) => {
    const session = await tunnels.find(grid, nodeName, signal);
    if (!session) throw new FlotillaError('Unavailable', `node "${nodeName}" is not connected to this server`);
    const query = new URLSearchParams(addresses.map((address): [string, string] => ['address', address]));
    const stream = session.request(
      { ':method': 'GET', ':path': `/probe?${query}`, 'x-request-id': randomUUID() },
      { endStream: true, signal },
    );
    let code = 0;
    stream.once('response', (headers) => {
      code = headers[':status'] ?? 0;
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      if (bytes > maxAnswerBytes) throw new FlotillaError('Unavailable', `node "${nodeName}" answered without end`);
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    if (code !== 200) throw new FlotillaError('Unavailable', `node "${nodeName}" cannot call others: ${text}`);
    return new Map(Object.entries(JSON.parse(text) as Record<string, boolean>));
  };
}
