import { createServer } from 'node:net';
import { FlotillaError } from '../lib/errors.ts';

/**
 * Runs `change` while no other command changes the same lab. The lock is an abstract socket: the kernel drops it with
 * the process, however that ends.
 */
export async function withLabLock<T>(labName: string, change: () => Promise<T>): Promise<T> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new FlotillaError('Conflict', `another command is changing lab "${labName}"`, {
          cause,
          retryable: true,
          hint: 'wait for it to end, or stop it',
        }),
      ),
    );
    server.listen(`\0flotilla-lab-${labName}`, resolve);
  });
  try {
    return await change();
  } finally {
    server.close();
  }
}
