import type { PodExec } from '../../client/pod-exec.ts';

export interface TerminalFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
}

/** Joins this process' streams, and the size of its terminal, with a command's; gives its exit code. */
export async function joinTerminal(session: PodExec, flags: TerminalFlags): Promise<number> {
  const isTerminal = flags.tty === true && process.stdin.isTTY === true;
  session.stdout.pipe(process.stdout);
  session.stderr.pipe(process.stderr);
  const resize = () => session.resize(process.stdout.columns ?? 80, process.stdout.rows ?? 24);
  if (flags.tty && process.stdout.isTTY) {
    resize();
    process.stdout.on('resize', resize);
  }
  if (flags.interactive) {
    if (isTerminal) process.stdin.setRawMode(true);
    process.stdin.pipe(session.stdin);
  }
  try {
    return await session.exitCode;
  } finally {
    if (isTerminal) process.stdin.setRawMode(false);
    process.stdin.unpipe();
    process.stdin.destroy();
  }
}
