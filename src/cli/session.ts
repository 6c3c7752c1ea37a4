import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { addServers, type Context, contextsPath, readContexts, selectContext } from '../client/contexts.ts';
import { createHttpClient, type HttpClient } from '../client/http-client.ts';

/** One command's connection to the cluster of its context. */
export interface Session {
  readonly client: HttpClient;
  readonly context: Context;
  /** One for all requests of the command: found again in the audit trail and the agents' logs. */
  readonly requestId: string;
}

/** Runs `use` with a client for the command's context and grid; closes it whatever happens. */
export async function withSession<T>(command: Command, use: (session: Session) => Promise<T>): Promise<T> {
  const flags = command.optsWithGlobals<{ context?: string; grid?: string; verbose?: boolean }>();
  const path = contextsPath();
  const context = selectContext(readContexts(path), flags.context);
  const requestId = randomUUID();
  if (flags.verbose) process.stderr.write(`request ${requestId} to ${context.servers.join(', ')}\n`);
  const client = createHttpClient({
    servers: context.servers,
    caCertificate: context.caCertificate,
    token: context.token,
    grid: flags.grid ?? context.grid,
    userAgent: 'flotilla (command line)',
    requestId,
    readsKnown: true,
    onServers: (servers) => learnServers(path, context, servers),
    onWarning: warnOnce(),
  });
  try {
    return await use({ client, context, requestId });
  } finally {
    client.close();
  }
}

/** The next command finds the others when the one that told of them is gone. A file that cannot be written is no failure. */
function learnServers(path: string, context: Context, servers: readonly string[]): void {
  try {
    addServers(path, context, servers);
  } catch {
    // read-only, or being edited: learned another time
  }
}

function warnOnce(): (sentence: string) => void {
  const said = new Set<string>();
  return (sentence) => {
    if (!said.has(sentence)) process.stderr.write(`warning: ${sentence}\n`);
    said.add(sentence);
  };
}
