import type { Upgrade } from './websocket-upgrade.ts';

/** Answers a request for SPDY; from now on the connection speaks it. */
export function acceptSpdy({ request, socket, head }: Upgrade, protocol: string, requestId: string): void {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    `Upgrade: ${request.headers.upgrade}`,
    ...(protocol === '' ? [] : [`X-Stream-Protocol-Version: ${protocol}`]),
    `X-Request-Id: ${requestId}`,
  ];
  if (head.byteLength > 0) socket.unshift(head);
  request.socket.setNoDelay(true);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}
