import type { Duplex } from 'node:stream';
import { FlotillaError } from '../lib/errors.ts';

const maxLineBytes = 65_536;

/** Calls back with each JSON line of a socket; a line that is too long or no JSON object destroys the socket. */
export function onJsonLines<T>(socket: Duplex, receive: (message: T) => void): void {
  let rest = '';
  const decoder = new TextDecoder();
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineBytes) {
      socket.destroy(new FlotillaError('ProtocolMismatch', `a line longer than ${maxLineBytes} bytes`));
      return;
    }
    for (const line of lines) {
      if (socket.destroyed) return;
      const message = parse(line);
      if (message === undefined) socket.destroy(new FlotillaError('ProtocolMismatch', 'a line that is no JSON object'));
      else receive(message as T);
    }
  });
}

export function writeJsonLine(socket: Duplex, message: object): void {
  if (!socket.destroyed && socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

function parse(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
