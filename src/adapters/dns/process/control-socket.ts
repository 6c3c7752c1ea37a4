import { rename, rm, stat } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** Where the DNS process of a data directory is spoken to. */
export function controlPath(dataDirectory: string): string {
  return join(dataDirectory, 'dns.sock');
}

export interface ControlSocket {
  /** Another process, or nobody, is reached by the path now. */
  isSuperseded(): Promise<boolean>;
  close(): void;
  /** Takes the path away with it, if it is still ours. */
  remove(): Promise<void>;
}

const checkMs = 1_000;

/**
 * Takes the path from whoever has it: a socket of our own name is made and moved there, so that nobody ever finds none. Who
 * finds another one in its place ends (`onSuperseded`): there is one DNS process to a data directory, and none without.
 */
export async function openControlSocket(
  dataDirectory: string,
  onConnection: (socket: Socket) => void,
  onSuperseded: () => void,
): Promise<ControlSocket> {
  const path = controlPath(dataDirectory);
  const own = join(dataDirectory, `dns.${process.pid}.sock`);
  await rm(own, { force: true });
  const server = createServer(onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(own, () => resolve());
  });
  const { ino } = await stat(own);
  await rename(own, path);
  const isSuperseded = async () => (await stat(path).catch(() => undefined))?.ino !== ino;
  const timer = setInterval(async () => {
    if (await isSuperseded()) onSuperseded();
  }, checkMs);
  timer.unref();
  const close = () => {
    clearInterval(timer);
    server.close(); // its connections are ended by who has them
  };
  return {
    isSuperseded,
    close,
    remove: async () => {
      if (!(await isSuperseded())) await rm(path, { force: true });
      close();
    },
  };
}
