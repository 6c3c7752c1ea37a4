import { type ClientHttp2Session, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { keepAlive, tunnelSessionOptions, tunnelWindows } from '../../tunnel/tunnel.ts';
import type { NodeTunnels } from './node-sessions.ts';

export interface TunnelServerOptions {
  readonly tunnels: NodeTunnels;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Takes over an upgraded connection of a node: from now on this side asks and the agent answers. */
export function acceptTunnel(options: TunnelServerOptions, grid: string, nodeName: string, socket: Duplex): void {
  const { tunnels, clock } = options;
  const log = options.log.with({ grid, node: nodeName });
  const session: ClientHttp2Session = connect('http://agent', {
    ...tunnelSessionOptions,
    createConnection: () => socket,
  });
  const stopPings = keepAlive(session, clock);
  session.on('error', (error) => log.warn('a tunnel has failed', { error }));
  session.once('close', () => {
    stopPings();
    socket.destroy();
  });
  session.once('remoteSettings', () => {
    session.setLocalWindowSize(tunnelWindows.connectionBytes);
    tunnels.add(grid, nodeName, session);
  });
}
