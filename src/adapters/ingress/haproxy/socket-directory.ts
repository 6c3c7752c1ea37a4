import { createHash } from 'node:crypto';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * One for each data directory: where workers without rights may go, which they may not in the agent's own, and with a name that is
 * short enough for a socket, whatever that directory's is.
 */
export async function openSocketDirectory(directory: string): Promise<string> {
  const path = socketDirectory(directory);
  await mkdir(path, { recursive: true });
  await chmod(path, 0o711);
  return path;
}

export async function removeSocketDirectory(directory: string): Promise<void> {
  await rm(socketDirectory(directory), { recursive: true, force: true });
}

/** Root alone speaks to it. */
export function masterSocket(directory: string): string {
  return join(socketDirectory(directory), 'master.sock');
}

function socketDirectory(directory: string): string {
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 12);
  return join(process.getuid?.() === 0 ? '/run' : tmpdir(), `flotilla-ingress-${hash}`);
}
