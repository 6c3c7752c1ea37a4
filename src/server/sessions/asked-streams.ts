import { badRequest } from './agent-request.ts';

/** Which streams of a command a client wants. */
export interface Asked {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A terminal has one output. Throws ApiError when nothing would reach anybody. */
export function askedStreams(query: URLSearchParams): Asked {
  const tty = isTrue(query, 'tty');
  const asked = {
    stdin: isTrue(query, 'stdin'),
    stdout: isTrue(query, 'stdout'),
    stderr: isTrue(query, 'stderr') && !tty,
    tty,
  };
  if (asked.stdin || asked.stdout || asked.stderr) return asked;
  throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
}

function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && !['false', '0', 'f', 'F', 'False', 'FALSE'].includes(value);
}
