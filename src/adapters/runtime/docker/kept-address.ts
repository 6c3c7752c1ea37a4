import type { Exec } from '../../../lib/exec.ts';

/**
 * This host keeps the address of a bridge that goes, until another bridge has it. Otherwise the kernel drops every route that has
 * it as its source, those to pods of other hosts among them, and what sends there from here, a proxy, is refused.
 */
export async function keepAddress(exec: Exec, address: string): Promise<void> {
  // Exit code 2: it is there already.
  await exec(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo'], { okCodes: [0, 2] });
}

/** The bridge has it. Nothing where it was not kept. */
export async function dropKeptAddress(exec: Exec, address: string): Promise<void> {
  await exec(['ip', 'address', 'delete', `${address}/32`, 'dev', 'lo'], { okCodes: [0, 2] });
}
